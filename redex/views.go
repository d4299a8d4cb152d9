package redex

import (
	"context"
	"fmt"
	"iter"
)

// Views is a part of the store's Pebble keyspace for what is derived from logs: fold state and checkpoints, field
// catalogues, positions. What it holds never runs ahead of what is durable in the journal, is lost at a crash back to some
// earlier Commit, and can be rebuilt from the logs. It is safe for concurrent use.
type Views struct {
	s    *Store
	name string
}

// Views returns the keyspace of that name: a short constant such as "fold/NAME", without zero bytes.
func (s *Store) Views(name string) *Views { return &Views{s, name} }

func (v *Views) key(key []byte) []byte {
	return appendView(make([]byte, 0, len(v.name)+len(key)+2), v.name, key)
}

// end returns the first key after the keyspace, or that of to.
func (v *Views) end(to []byte) []byte {
	if to == nil {
		return prefixEnd(v.key(nil))
	}
	return v.key(to)
}

// Get returns a copy of the value of key, or nil when there is none.
func (v *Views) Get(key []byte) ([]byte, error) {
	b, ok, err := v.s.kv.Get(v.key(key), nil)
	if err != nil {
		return nil, v.s.wrap(fmt.Sprintf("view %q", v.name), err)
	}
	if ok && b == nil {
		b = []byte{}
	}
	return b, nil
}

// Scan returns keys and values in [from, to) in key order; a nil to means the end. Slices are valid until the next pair. The
// scan sees the keyspace as it was when it began; it should not take long, because it keeps what it sees from being freed.
func (v *Views) Scan(from, to []byte) iter.Seq2[[]byte, ViewValue] {
	return func(yield func([]byte, ViewValue) bool) {
		fail := func(err error) {
			if err != nil {
				yield(nil, ViewValue{Err: v.s.wrap(fmt.Sprintf("view %q", v.name), err)})
			}
		}
		it, err := v.s.kv.NewIter(v.key(from), v.end(to))
		if err != nil {
			fail(err)
			return
		}
		defer it.Close()
		skip := len(v.name) + 2
		for ok := it.First(); ok; ok = it.Next() {
			val, err := it.Value()
			if err != nil {
				fail(err)
				return
			}
			if !yield(it.Key()[skip:], ViewValue{Bytes: val}) {
				return
			}
		}
		fail(it.Err())
	}
}

// ViewValue is a value of Scan; Err is set on the last pair when the scan failed.
type ViewValue struct {
	Bytes []byte
	Err   error
}

// ViewBatch gathers changes for Commit. The zero value is an empty batch.
type ViewBatch struct {
	ops  []viewOp
	data []byte // keys and values of the changes
}

// viewOp is a change. Its key begins at at, its value, or the end of its range, at mid; both end where the next begins.
type viewOp struct {
	typ          uint8
	open         bool // of a range: to the end of the keyspace
	at, mid, end int
}

const (
	viewSet uint8 = iota
	viewDelete
	viewDeleteRange
)

func (b *ViewBatch) add(typ uint8, key, value []byte, open bool) {
	o := viewOp{typ: typ, open: open, at: len(b.data)}
	b.data = append(b.data, key...)
	o.mid = len(b.data)
	b.data = append(b.data, value...)
	o.end = len(b.data)
	b.ops = append(b.ops, o)
}

// Set sets a value of at most 32 KiB. The slices may be reused after return.
func (b *ViewBatch) Set(key, value []byte) { b.add(viewSet, key, value, false) }

// Delete deletes a key.
func (b *ViewBatch) Delete(key []byte) { b.add(viewDelete, key, nil, false) }

// DeleteRange deletes the keys in [from, to) that were set before it, in this batch or earlier; a nil to means the end.
func (b *ViewBatch) DeleteRange(from, to []byte) { b.add(viewDeleteRange, from, to, to == nil) }

// Len returns the number of changes.
func (b *ViewBatch) Len() int { return len(b.ops) }

// Reset empties the batch, whose memory it keeps.
func (b *ViewBatch) Reset() { b.ops, b.data = b.ops[:0], b.data[:0] }

// Compact writes the files with keys in [from, to) anew, so that what was deleted or replaced is in none any more; a nil to means the
// end. What an iterator sees stays until it is closed.
func (v *Views) Compact(ctx context.Context, from, to []byte) error {
	if err := v.s.kv.Compact(ctx, v.key(from), v.end(to)); err != nil {
		return v.s.wrap(fmt.Sprintf("compact view %q", v.name), err)
	}
	return nil
}

// Commit applies the batch as one, after making every frame up to derivedFrom durable. A value over 32 KiB or a key over
// 4 KiB is an error, and nothing is applied.
func (v *Views) Commit(ctx context.Context, b *ViewBatch, derivedFrom Ordinal) error {
	s := v.s
	op := fmt.Sprintf("commit view %q", v.name)
	if s.o.ReadOnly {
		return fmt.Errorf("%s: %w", op, ErrReadOnly)
	}
	if err := s.closedErr(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if err := s.SyncTo(ctx, derivedFrom); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	batch := s.kv.NewBatch()
	defer batch.Close()
	var buf []byte
	for _, o := range b.ops {
		key, value := b.data[o.at:o.mid], b.data[o.mid:o.end]
		buf = appendView(buf[:0], v.name, key)
		var err error
		switch o.typ {
		case viewSet:
			err = batch.Set(buf, value)
		case viewDelete:
			err = batch.Delete(buf)
		case viewDeleteRange:
			if o.open {
				value = nil
			}
			err = batch.DeleteRange(buf, v.end(value))
		}
		if err != nil {
			return s.wrap(op, err)
		}
	}
	if err := s.kv.Apply(ctx, batch); err != nil {
		return s.wrap(op, err)
	}
	return nil
}
