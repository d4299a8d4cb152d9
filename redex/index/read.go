package index

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"github.com/seed69692123/netdb/redex"
)

// readError returns why the index cannot be read, if it cannot.
func (x *Index) readError() error {
	p := x.pub.Load()
	if p.closed || p.gone {
		return fmt.Errorf("index: read %q: %w", x.def.Name, p.end)
	}
	return nil
}

func (x *Index) wrap(err error) error { return fmt.Errorf("index: read %q: %w", x.def.Name, err) }

// Contains reports whether value is among the values of key.
func (x *Index) Contains(key, value []byte) (bool, error) {
	if err := x.readError(); err != nil {
		return false, err
	}
	if len(key) > MaxKeyBytes || len(value) > MaxValueBytes {
		return false, nil // which nothing could insert
	}
	entry, _ := appendValue(appendPrefix(nil, key), value)
	b, err := x.views.Get(entry)
	if err != nil {
		return false, x.wrap(err)
	}
	return b != nil, nil
}

// Get returns copies of the values of key, in the order of Entry. A key of many values is better read with Values.
func (x *Index) Get(ctx context.Context, key []byte) ([][]byte, error) {
	var out [][]byte
	for v, err := range x.Values(ctx, key) {
		if err != nil {
			return nil, err
		}
		out = append(out, bytes.Clone(v))
	}
	return out, nil
}

// Values returns the values of key, in the order of Entry. A value is valid until the next one; an error is the last pair.
func (x *Index) Values(ctx context.Context, key []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for e, err := range x.Scan(ctx, Only(key)) {
			if !yield(e.Value, err) {
				return
			}
		}
	}
}

// Count returns the number of values of key, by counting them.
func (x *Index) Count(ctx context.Context, key []byte) (n int64, err error) {
	w := walk{x: x, ctx: ctx}
	if !w.open(Only(key)) {
		return 0, w.err
	}
	defer w.close()
	for w.next() {
		n++
	}
	return n, w.err
}

// Range is keys in [From, To); a nil To means the end.
type Range struct {
	From, To []byte
	Reverse  bool // from the last one to the first
	only     bool // of From alone
	prefix   bool // that begin with From
}

// Only is the range of one key.
func Only(key []byte) Range { return Range{From: key, only: true} }

// Prefix is the range of the keys that begin with p.
func Prefix(p []byte) Range { return Range{From: p, prefix: true} }

// bounds returns the first key of entries of the range, and the one behind the last.
func (r *Range) bounds() (from, to []byte) {
	switch {
	case r.only:
		from = appendPrefix(nil, r.From)
		return from, prefixEnd(from)
	case r.prefix:
		from = appendEscaped([]byte{keyEntry}, r.From)
		to = bytes.Clone(from)
		for to[len(to)-1] == 0xff { // which is not the first one
			to = to[:len(to)-1]
		}
		to[len(to)-1]++
		return from, to
	}
	to = []byte{keyEntry + 1}
	if r.To != nil {
		to = appendPrefix(nil, r.To)
	}
	return appendPrefix(nil, r.From), to
}

// Entry is a key and one of its values. Entries are in the byte order of their keys, those of a key in the byte order of their
// values, except that values that agree in their first 1,024 bytes and go on have some order that is always the same.
type Entry struct {
	Key, Value []byte
}

// Scan returns the entries of a range in order, of the index as it was when the scan began. The slices are valid until the next
// pair; an error is the last one. A scan should not take long, because it keeps what it sees from being freed.
func (x *Index) Scan(ctx context.Context, r Range) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		w := walk{x: x, ctx: ctx}
		if w.open(r) {
			defer w.close()
			for w.next() {
				value := w.inKey
				if w.long {
					if value = w.longValue(); w.err != nil {
						break
					}
				}
				if !yield(Entry{w.key, value}, nil) {
					return
				}
			}
		}
		if w.err != nil {
			yield(Entry{}, w.err)
		}
	}
}

// Keys returns the keys of a range that have values, each once, in order. A key is valid until the next one; an error is the last
// pair.
func (x *Index) Keys(ctx context.Context, r Range) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		w := walk{x: x, ctx: ctx, keysOnly: true}
		if w.open(r) {
			defer w.close()
			for w.next() {
				if !yield(w.key, nil) {
					return
				}
			}
		}
		if w.err != nil {
			yield(nil, w.err)
		}
	}
}

// walk goes through the entries of a range.
type walk struct {
	x        *Index
	ctx      context.Context
	keysOnly bool // the first entry of each key, or the last when reverse

	it      *redex.ViewIter
	reverse bool
	begun   bool
	n       int
	key     []byte
	inKey   []byte // the value, or beginning and hash of a long one
	long    bool
	err     error
	seek    []byte
}

// walkEntries is how many entries are read between two looks at the context.
const walkEntries = 256

func (w *walk) open(r Range) bool {
	if w.err = w.x.readError(); w.err != nil {
		return false
	}
	if len(r.From) > MaxKeyBytes || len(r.To) > MaxKeyBytes {
		w.err = w.x.wrap(fmt.Errorf("%w: bound of a range over %d bytes", ErrTooLarge, MaxKeyBytes))
		return false
	}
	from, to := r.bounds()
	if bytes.Compare(from, to) >= 0 {
		return false
	}
	it, err := w.x.views.Iter(from, to)
	if err != nil {
		w.err = w.x.wrap(err)
		return false
	}
	w.it, w.reverse = it, r.Reverse
	return true
}

func (w *walk) close() { w.it.Close() }

func (w *walk) next() bool {
	if w.n%walkEntries == 0 && w.ctx.Err() != nil {
		w.err = w.x.wrap(w.ctx.Err())
		return false
	}
	w.n++
	if !w.move() {
		if err := w.it.Err(); err != nil {
			w.err = w.x.wrap(err)
		}
		return false
	}
	if w.key, w.inKey, w.long, w.err = parseEntry(w.it.Key(), w.key[:0]); w.err != nil {
		w.err = w.x.wrap(fmt.Errorf("%w: %w", ErrUnusable, w.err))
		return false
	}
	return true
}

func (w *walk) move() bool {
	switch {
	case !w.begun && w.reverse:
		w.begun = true
		return w.it.Last()
	case !w.begun:
		w.begun = true
		return w.it.First()
	case w.keysOnly:
		w.seek = appendPrefix(w.seek[:0], w.key)
		if w.reverse {
			return w.it.SeekLT(w.seek)
		}
		w.seek[len(w.seek)-1]++
		return w.it.SeekGE(w.seek)
	case w.reverse:
		return w.it.Prev()
	}
	return w.it.Next()
}

func (w *walk) longValue() []byte {
	v, err := w.it.Value()
	if err == nil {
		if err = checkLong(w.inKey, v); err != nil {
			err = fmt.Errorf("%w: %w", ErrUnusable, err)
		}
	}
	if err != nil {
		w.err = w.x.wrap(err)
	}
	return v
}

// leftOut returns why the event at seq, which the index is past, is not in it, if it is not.
func (x *Index) leftOut(p *published, seq redex.Seq) error {
	if p.skipped > 0 {
		b, err := x.views.Get(seqKey(keySkipped, seq))
		if err != nil {
			return x.wrap(err)
		}
		if b != nil {
			return &SkippedError{Index: x.def.Name, Log: x.log.Name(), Seq: seq, Reason: string(b)}
		}
	}
	if p.lost > 0 {
		it, err := x.views.Iter([]byte{keyLost}, []byte{keyLost + 1})
		if err != nil {
			return x.wrap(err)
		}
		defer it.Close()
		if it.SeekLT(seqKey(keyLost, seq+1)) {
			l, err := lostAt(it)
			if err != nil {
				return x.wrap(err)
			}
			if seq < l.To {
				return &redex.RangeLostError{Log: x.log.Name(), From: l.From, To: l.To}
			}
		}
		if err := it.Err(); err != nil {
			return x.wrap(err)
		}
	}
	return nil
}

// SkippedEvent is an event that is not in the index.
type SkippedEvent struct {
	Seq    redex.Seq
	Reason string // at most 256 bytes
}

// Skipped returns the events that were skipped, in order. An error is the last pair.
func (x *Index) Skipped(ctx context.Context) iter.Seq2[SkippedEvent, error] {
	return notes(ctx, x, keySkipped, func(it *redex.ViewIter) (SkippedEvent, error) {
		seq, err := parseSeqKey(it.Key())
		if err != nil {
			return SkippedEvent{}, err
		}
		b, err := it.Value()
		return SkippedEvent{seq, string(b)}, err
	})
}

// LostRange is sequences [From, To) that the index could not see.
type LostRange struct {
	From, To redex.Seq
	Reason   string // at most 256 bytes
}

// Lost returns the ranges that AcceptLost passed, in order. An error is the last pair.
func (x *Index) Lost(ctx context.Context) iter.Seq2[LostRange, error] {
	return notes(ctx, x, keyLost, lostAt)
}

func notes[T any](ctx context.Context, x *Index, kind byte, at func(*redex.ViewIter) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		if err := x.readError(); err != nil {
			yield(zero, err)
			return
		}
		it, err := x.views.Iter([]byte{kind}, []byte{kind + 1})
		if err != nil {
			yield(zero, x.wrap(err))
			return
		}
		defer it.Close()
		for ok := it.First(); ok; ok = it.Next() {
			v, err := at(it)
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(zero, x.wrap(err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		if err := it.Err(); err != nil {
			yield(zero, x.wrap(err))
		}
	}
}
