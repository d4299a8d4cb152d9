package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/seed69692123/netdb/internal/csvjson"
	"github.com/seed69692123/netdb/redex"
)

// csvOptions are the flags of .import for CSV.
type csvOptions struct {
	kind, header, delimiter, quote string
	types, columns, null           string
	ragged                         bool
}

func csvFlags(fs *flag.FlagSet) *csvOptions {
	o := &csvOptions{}
	fs.StringVar(&o.kind, "format", "", "")
	fs.StringVar(&o.header, "header", "", "")
	fs.StringVar(&o.delimiter, "delimiter", "", "")
	fs.StringVar(&o.quote, "quote", "", "")
	fs.StringVar(&o.types, "types", "", "")
	fs.StringVar(&o.columns, "columns", "", "")
	fs.StringVar(&o.null, "null", "", "")
	fs.BoolVar(&o.ragged, "ragged", false, "")
	return o
}

// format returns what reads a file: JSON lines or CSV.
func (o *csvOptions) format(file string) (func(io.Reader) filler, error) {
	csv := false
	switch name := strings.ToLower(file); o.kind {
	case "":
		for _, packed := range []string{".gz", ".zst"} {
			name = strings.TrimSuffix(name, packed)
		}
		csv = strings.HasSuffix(name, ".csv") || strings.HasSuffix(name, ".tsv")
	case "csv":
		csv = true
	case "jsonl":
	default:
		return nil, usagef(".import: -format is csv or jsonl, not %q", o.kind)
	}
	if !csv {
		if *o != (csvOptions{kind: o.kind}) {
			return nil, usagef(".import: these options are for CSV: see -format")
		}
		return func(r io.Reader) filler { return newLineReader(r) }, nil
	}
	opts := csvjson.Options{Null: o.null, Ragged: o.ragged, MaxRow: redex.MaxPayloadBytes}
	switch o.header {
	case "":
	case "yes":
		opts.Header = csvjson.WithHeader
	case "no":
		opts.Header = csvjson.NoHeader
	default:
		return nil, usagef(".import: -header is yes or no, not %q", o.header)
	}
	var err error
	if opts.Delimiter, err = oneByte("delimiter", o.delimiter); err != nil {
		return nil, err
	}
	if opts.Quote, err = oneByte("quote", o.quote); err != nil {
		return nil, err
	}
	if o.columns != "" {
		opts.Columns = strings.Split(o.columns, ",")
	}
	for _, part := range strings.FieldsFunc(o.types, func(r rune) bool { return r == ',' }) {
		name, of, _ := strings.Cut(part, "=")
		t, ok := csvjson.ParseType(of)
		if !ok {
			return nil, usagef(".import: -types wants column=type with text, bigint, double, boolean or timestamp, not %q", part)
		}
		if opts.Types == nil {
			opts.Types = map[string]csvjson.Type{}
		}
		opts.Types[name] = t
	}
	return func(r io.Reader) filler { return &csvLines{r: csvjson.NewReader(r, opts)} }, nil
}

func oneByte(name, s string) (byte, error) {
	switch {
	case s == "":
		return 0, nil
	case s == "tab", s == `\t`:
		return '\t', nil
	case len(s) == 1 && s[0] < 0x80:
		return s[0], nil
	}
	return 0, usagef(".import: -%s is one character of ASCII, not %q", name, s)
}

// csvLines gives the rows of CSV as events.
type csvLines struct{ r *csvjson.Reader }

// fill reads rows into b until it is full or the source ends.
func (l *csvLines) fill(b *batch) {
	b.reset()
	for len(b.ends) < batchEvents && len(b.data) < batchBytes {
		from := len(b.data)
		data, err := l.r.Next(b.data)
		if err == nil && len(data)-from > redex.MaxPayloadBytes {
			err = &lineError{l.r.Line(), fmt.Sprintf("longer than %d MiB as JSON", redex.MaxPayloadBytes>>20)}
		}
		switch {
		case err == nil:
			b.data = data
			b.ends = append(b.ends, len(data))
			continue
		case errors.Is(err, io.EOF):
		default:
			if _, bad := errors.AsType[*csvjson.Error](err); !bad {
				if _, bad := errors.AsType[*lineError](err); !bad {
					err = &readError{l.r.Line() + 1, packedFault(err)}
				}
			}
		}
		b.err = err
		return
	}
}
