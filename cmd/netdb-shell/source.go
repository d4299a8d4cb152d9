package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"

	"github.com/seed69692123/netdb/internal/payload"
	"github.com/seed69692123/netdb/redex"
)

// Sizes of an import. A batch is one append; zstdWindow is the widest window of a zstd file, what `zstd --long=27` makes.
const (
	batchEvents = 1024
	batchBytes  = 512 << 10
	zstdWindow  = 128 << 20
)

// source is an open file to import, unpacked while it is read.
type source struct {
	io.Reader
	size  int64        // bytes of the file as it lies on disk; 0 when unknown
	read  atomic.Int64 // of those, how many were read
	close []func() error
}

// openSource opens a file of JSON lines, plain or packed with gzip or zstd as its first bytes say; "-" is stdin. Waiting for
// what a pipe holds ends with ctx.
func openSource(ctx context.Context, name string, stdin *feed) (*source, error) {
	s := &source{}
	var in io.Reader
	if name == "-" {
		in = stdin.within(ctx)
	} else {
		f, err := openInput(ctx, name)
		if err != nil {
			return nil, err
		}
		s.close = append(s.close, f.Close)
		in, s.size = f, f.size
	}
	br := bufio.NewReaderSize(&counter{in, &s.read}, 256<<10)
	magic, err := br.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, s.Close())
	}
	s.Reader = br
	switch {
	case bytes.HasPrefix(magic, []byte{0xff, 0xfe}), bytes.HasPrefix(magic, []byte{0xfe, 0xff}):
		return nil, errors.Join(errors.New("the text is UTF-16, it has to be UTF-8"), s.Close())
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(br)
		if err != nil {
			return nil, errors.Join(packedFault(err), s.Close())
		}
		s.Reader = z
		s.close = append(s.close, z.Close)
	case len(magic) == 4 && (bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}) || magic[0]&0xf0 == 0x50 && bytes.Equal(magic[1:], []byte{0x2a, 0x4d, 0x18})):
		z, err := zstd.NewReader(br, zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderConcurrency(2))
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.Reader = z
		s.close = append(s.close, func() error { z.Close(); return nil })
	}
	return s, nil
}

// packedFault says in a person's words what unpacking ran into.
func packedFault(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the packed data ends early: %w", err)
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return fmt.Errorf("packed with a window of over %d MiB: %w", zstdWindow>>20, err)
	}
	return err
}

// Close closes what is open, last first.
func (s *source) Close() error {
	var errs []error
	for len(s.close) > 0 {
		n := len(s.close) - 1
		errs = append(errs, s.close[n]())
		s.close = s.close[:n]
	}
	return errors.Join(errs...)
}

type counter struct {
	r io.Reader
	n *atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// lineError is a line of an import that cannot be an event.
type lineError struct {
	line   int64
	reason string
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.reason) }

// readError is a source that cannot be read on, in the line that would have come.
type readError struct {
	line int64
	err  error
}

func (e *readError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }
func (e *readError) Unwrap() error { return e.err }

// batch is some lines, each one JSON object.
type batch struct {
	data []byte
	ends []int // of each line in data
	err  error // what ended the source after these lines; nil when it goes on, io.EOF at its end
}

func (b *batch) reset() { b.data, b.ends, b.err = b.data[:0], b.ends[:0], nil }

// entries appends the batch's events to dst; their payloads lie in the batch.
func (b *batch) entries(dst []redex.Entry) []redex.Entry {
	from := 0
	for _, end := range b.ends {
		dst = append(dst, redex.Entry{Encoding: redex.JSON, Payload: b.data[from:end]})
		from = end
	}
	return dst
}

// lineReader reads JSON lines and checks them.
type lineReader struct {
	br   *bufio.Reader
	line int64
	long []byte
}

func newLineReader(r io.Reader) *lineReader { return &lineReader{br: bufio.NewReaderSize(r, 256<<10)} }

// fill reads lines into b until it is full or the source ends. Empty lines are passed over.
func (l *lineReader) fill(b *batch) {
	b.reset()
	for len(b.ends) < batchEvents && len(b.data) < batchBytes {
		text, err := l.next()
		if err != nil && !errors.Is(err, io.EOF) {
			if _, bad := errors.AsType[*lineError](err); !bad {
				err = &readError{l.line + 1, packedFault(err)}
			}
			b.err = err
			return
		}
		if len(text) > 0 {
			if reason := faultOf(text); reason != "" {
				b.err = &lineError{l.line, reason}
				return
			}
			b.data = append(b.data, text...)
			b.ends = append(b.ends, len(b.data))
		}
		if err != nil {
			b.err = io.EOF
			return
		}
	}
}

// next returns the next line without white space around it, valid until the next call.
func (l *lineReader) next() ([]byte, error) {
	l.long = l.long[:0]
	for {
		part, err := l.br.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			if l.long = append(l.long, part...); len(l.long) > redex.MaxPayloadBytes+2 {
				return nil, &lineError{l.line + 1, fmt.Sprintf("longer than %d MiB", redex.MaxPayloadBytes>>20)}
			}
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if len(l.long) > 0 {
			l.long = append(l.long, part...)
			part = l.long
		}
		if err == nil || len(part) > 0 {
			if l.line++; l.line == 1 {
				part = bytes.TrimPrefix(part, []byte("\ufeff"))
			}
		}
		if part = bytes.Trim(part, " \t\r\n"); len(part) > redex.MaxPayloadBytes {
			return nil, &lineError{l.line, fmt.Sprintf("longer than %d MiB", redex.MaxPayloadBytes>>20)}
		}
		return part, err
	}
}

// faultOf says why a line is not one JSON object in UTF-8 that queries find fields in; empty when it is.
func faultOf(line []byte) string {
	if len(line) == 0 {
		return "nothing is there"
	}
	class, err := payload.Check(payload.JSON, line)
	switch {
	case err == nil && class == payload.Object:
		return ""
	case err == nil:
		return "not a JSON object"
	}
	column, reason := 1, err.Error()
	if bad, ok := errors.AsType[*payload.SyntaxError](err); ok {
		column, reason = bad.Offset+1, bad.Reason
	}
	// The standard library says more, and stops close by unless the fault is one that only NetDB sees.
	var v json.RawMessage
	var syntax *json.SyntaxError
	if errors.As(json.Unmarshal(line, &v), &syntax) && syntax.Offset <= int64(column)+8 {
		column, reason = int(syntax.Offset), syntax.Error()
	}
	if column = min(max(column, 1), len(line)); line[column-1] >= utf8.RuneSelf {
		if r, n := utf8.DecodeRune(line[column-1:]); r == utf8.RuneError && n == 1 {
			reason = fmt.Sprintf("byte 0x%02x is not UTF-8", line[column-1])
		} else {
			reason = fmt.Sprintf("unexpected character %q", r)
		}
	}
	return fmt.Sprintf("column %d: %s", column, reason)
}
