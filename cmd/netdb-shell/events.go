package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex"
)

const appendHelp = `
JSON is the rest of the line as it stands, or the content of a file. A log that does not exist is made.
It answers with the event's sequence and its token, which .wait takes.
  -kind N     the application's number for the type of the event
  -key TEXT   the event's key
  -raw        the payload is bytes, not JSON`

// quotedLog names a log in SQL.
func quotedLog(name string) string { return "logs." + query.QuoteIdent(name) }

// log returns a log, and a near name when there is none.
func (sh *shell) log(name string) (*redex.Log, error) {
	l, err := sh.db.Log(name)
	if err == nil || !errors.Is(err, redex.ErrNoLog) {
		return l, err
	}
	var names []string
	for info, lerr := range sh.db.Logs("") {
		if lerr != nil {
			return nil, errors.Join(err, lerr)
		}
		names = append(names, info.Name)
	}
	return nil, fmt.Errorf("no log %q%s%w", name, didYouMean(name, names), silent{err})
}

// silent adds an error to a chain without its text.
type silent struct{ error }

func (silent) Error() string   { return "" }
func (s silent) Unwrap() error { return s.error }

// writeLog returns a log to append to, made when it does not exist.
func (sh *shell) writeLog(ctx context.Context, name string) (*redex.Log, error) {
	_, err := sh.db.Log(name)
	if errors.Is(err, redex.ErrNoLog) && sh.readonly {
		return nil, fmt.Errorf("no log %q, and -readonly makes none", name)
	}
	l, oerr := sh.db.OpenLog(ctx, name, redex.LogOptions{})
	if oerr == nil && err != nil && sh.prompt {
		sh.remark("made a new log %s", name)
	}
	return l, oerr
}

func (sh *shell) cmdAppend(ctx context.Context, w *words) error {
	fs := newFlags("append")
	kind := fs.Uint64("kind", 0, "")
	key := fs.String("key", "", "")
	raw := fs.Bool("raw", false, "")
	// Flags end at the log's name: what follows is the payload and not looked into.
	var name string
	for {
		word, ok, err := w.next()
		if err != nil {
			return err
		}
		if !ok {
			return usagef(".append needs a log and a payload: see .help append")
		}
		if !strings.HasPrefix(word, "-") {
			name = word
			break
		}
		if word == "--" { // what follows is a name, whatever it begins with
			if name, ok, err = w.next(); err != nil || !ok {
				return errors.Join(usagef(".append needs a log and a payload: see .help append"), err)
			}
			break
		}
		flags := []string{word}
		if f := strings.TrimLeft(word, "-"); f == "kind" || f == "key" {
			value, ok, err := w.next()
			if err != nil || !ok {
				return errors.Join(usagef(".append: %s needs a value", word), err)
			}
			flags = append(flags, value)
		}
		fs.SetOutput(io.Discard)
		if err := fs.Parse(flags); err != nil {
			return usagef(".append: %v", err)
		}
	}
	text := w.rest()
	if text == "" {
		return usagef(".append needs a payload: see .help append")
	}
	payload := []byte(text)
	if file, ok := strings.CutPrefix(text, "@"); ok {
		var err error
		if payload, err = readInput(ctx, file, redex.MaxPayloadBytes); err != nil {
			return err
		}
	}
	if *kind > math.MaxUint32 {
		return usagef(".append: kind %d is over %d", *kind, uint32(math.MaxUint32))
	}
	e := redex.Entry{Kind: redex.Kind(*kind), Encoding: redex.JSON, Key: []byte(*key), Payload: payload}
	if *raw {
		e.Encoding = redex.Raw
	} else if reason := faultOf([]byte(strings.TrimSpace(string(payload)))); reason != "" {
		return fmt.Errorf("append to %q: %s", name, reason)
	}
	l, err := sh.writeLog(ctx, name)
	if err != nil {
		return err
	}
	done, err := l.Append(ctx, e, redex.AppendOptions{})
	if err != nil {
		return err
	}
	sh.token = fold.TokenOf(done.Position)
	return sh.table([]string{"log", "seq", "token"}, func(add func(...any) error) error {
		return add(name, uint64(done.Seq), sh.token.String())
	})
}

func (sh *shell) cmdGet(ctx context.Context, w *words) error {
	given, err := w.parse(newFlags("get"), 2, 2)
	if err != nil {
		return err
	}
	l, err := sh.log(given[0])
	if err != nil {
		return err
	}
	var ev redex.Event
	if given[1] == "latest" {
		ev, err = l.Latest(ctx)
	} else {
		var seq uint64
		if seq, err = strconv.ParseUint(given[1], 10, 63); err != nil {
			return usagef(".get: %q is not a sequence number", given[1])
		}
		ev, err = l.Read(ctx, redex.Seq(seq))
	}
	if errors.Is(err, redex.ErrNoEvent) {
		return fmt.Errorf("log %q has no event %s; %s%w", given[0], given[1], boundsText(l.Bounds()), silent{err})
	}
	if err != nil {
		return err
	}
	out := sh.result("_seq", "_ts", "_origin", "_kind", "_encoding", "_key", "_headers", "_size", "_payload")
	if sh.style.mode == "box" {
		out.out = &lineWriter{w: sh.out}
	}
	var r row
	addAny(&r, uint64(ev.Seq))
	addAny(&r, ev.Arrival())
	r.text(ev.Origin.String())
	addAny(&r, int64(ev.Kind))
	r.text(ev.Encoding.String())
	if len(ev.Key) == 0 {
		r.null()
	} else {
		addBytes(&r, ev.Key)
	}
	addHeaders(&r, ev.Headers)
	addAny(&r, len(ev.Payload))
	if err := sh.addPayload(ctx, &r, given[0], &ev); err != nil {
		return err
	}
	return out.end(out.row(&r))
}

func boundsText(b redex.Bounds) string {
	if b.Len() == 0 {
		return "it is empty"
	}
	return fmt.Sprintf("it has %d to %d", b.Floor, b.Next-1)
}

// addBytes adds bytes as text where they are text, else as \x and hexadecimal digits.
func addBytes(r *row, b []byte) {
	if utf8.Valid(b) {
		r.buf = append(r.buf, b...)
	} else {
		r.buf = append(r.buf, `\x`...)
		r.buf = hex.AppendEncode(r.buf, b)
	}
	r.add(kindText)
}

// addHeaders adds an event's headers as one JSON object, NULL when there are none.
func addHeaders(r *row, headers []redex.Header) {
	if len(headers) == 0 {
		r.null()
		return
	}
	r.buf = append(r.buf, '{')
	for i, h := range headers {
		if i > 0 {
			r.buf = append(r.buf, ',')
		}
		r.buf = appendJSONString(r.buf, []byte(h.Name))
		r.buf = append(r.buf, ':')
		if utf8.Valid(h.Value) {
			r.buf = appendJSONString(r.buf, h.Value)
		} else {
			r.buf = appendJSONString(r.buf, []byte(`\x`+hex.EncodeToString(h.Value)))
		}
	}
	r.buf = append(r.buf, '}')
	r.add(kindJSON)
}

// addPayload adds an event's payload: JSON as it is, msgpack as the JSON that SQL sees, anything else as bytes.
func (sh *shell) addPayload(ctx context.Context, r *row, log string, ev *redex.Event) error {
	switch ev.Encoding {
	case redex.JSON:
		if json.Valid(ev.Payload) && utf8.Valid(ev.Payload) {
			r.buf = append(r.buf, ev.Payload...)
			r.add(kindJSON)
			return nil
		}
	case redex.Msgpack:
		rows, err := sh.db.Query(ctx, fmt.Sprintf("SELECT _payload FROM %s WHERE _seq = %d", quotedLog(log), ev.Seq))
		if err != nil {
			return err
		}
		defer rows.Close()
		if rows.Next() {
			if v := rows.Value(0); !v.IsNull() {
				addValue(r, v)
				return rows.Err()
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
	}
	addBytes(r, ev.Payload)
	return nil
}

const tailHelp = `
  -n N   how many events; 10 unless said
  -f     go on with events as they arrive, until Ctrl-C`

func (sh *shell) cmdTail(ctx context.Context, w *words) error {
	fs := newFlags("tail")
	n := fs.Int64("n", 10, "")
	follow := fs.Bool("f", false, "")
	given, err := w.parse(fs, 1, 1)
	if err != nil {
		return err
	}
	if *n < 0 {
		return usagef(".tail: -n %d is negative", *n)
	}
	l, err := sh.log(given[0])
	if err != nil {
		return err
	}
	b := l.Bounds()
	from := b.Floor
	if b.Len() > *n {
		from = b.Next - redex.Seq(*n)
	}
	out := sh.result("_seq", "_ts", "_kind", "_payload")
	var r row
	show := func(ev *redex.Event) error {
		r.reset()
		addAny(&r, uint64(ev.Seq))
		addAny(&r, ev.Arrival())
		addAny(&r, int64(ev.Kind))
		if err := sh.addPayload(ctx, &r, given[0], ev); err != nil {
			return err
		}
		return errors.Join(out.row(&r), sh.raw.err)
	}
	if !*follow {
		for ev, err := range l.Scan(ctx, from, b.Next) {
			if err == nil {
				err = show(&ev)
			}
			if err != nil {
				return out.end(err)
			}
		}
		return out.end(nil)
	}
	t := l.Tail(from, redex.TailOptions{})
	defer t.Close()
	for {
		for t.TryNext(ctx) {
			if err := show(t.Event()); err != nil {
				return err
			}
		}
		if t.Err() != nil {
			break
		}
		if err := errors.Join(out.flush(), sh.raw.err); err != nil {
			return err
		}
		if !t.Next(ctx) {
			break
		}
		if err := show(t.Event()); err != nil {
			return err
		}
	}
	cause := t.Err() // Close leaves another
	if errors.Is(cause, context.Canceled) {
		cause, sh.followed = nil, true // Ctrl-C is how a follower ends
	}
	return errors.Join(out.end(cause), t.Close())
}
