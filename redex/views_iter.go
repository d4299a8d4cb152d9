package redex

import (
	"fmt"

	"github.com/seed69692123/netdb/redex/internal/kv"
)

// ViewIter moves over the keys of a view in order. It sees the view as it was when it was made, and keeps that from being freed
// until it is closed. It is not safe for concurrent use.
type ViewIter struct {
	v    *Views
	it   *kv.Iter
	seek []byte
}

// Iter returns an iterator on the keys in [from, to); a nil to means the end. It is before the first key and must be closed.
func (v *Views) Iter(from, to []byte) (*ViewIter, error) {
	it, err := v.s.kv.NewIter(v.key(from), v.end(to))
	if err != nil {
		return nil, v.s.wrap(fmt.Sprintf("view %q", v.name), err)
	}
	return &ViewIter{v: v, it: it}, nil
}

// First moves to the first key and reports whether there is one.
func (i *ViewIter) First() bool { return i.it.First() }

// Last moves to the last key and reports whether there is one.
func (i *ViewIter) Last() bool { return i.it.Last() }

// Next moves to the next key and reports whether there is one.
func (i *ViewIter) Next() bool { return i.it.Next() }

// Prev moves to the previous key and reports whether there is one.
func (i *ViewIter) Prev() bool { return i.it.Prev() }

// SeekGE moves to the first key at or after key and reports whether there is one.
func (i *ViewIter) SeekGE(key []byte) bool {
	i.seek = appendView(i.seek[:0], i.v.name, key)
	return i.it.SeekGE(i.seek)
}

// SeekLT moves to the last key before key and reports whether there is one.
func (i *ViewIter) SeekLT(key []byte) bool {
	i.seek = appendView(i.seek[:0], i.v.name, key)
	return i.it.SeekLT(i.seek)
}

// Key returns the current key, valid until the iterator moves.
func (i *ViewIter) Key() []byte { return i.it.Key()[len(i.v.name)+2:] }

// Value returns the current value, valid until the next call of Value.
func (i *ViewIter) Value() ([]byte, error) {
	b, err := i.it.Value()
	if err != nil {
		return nil, i.v.s.wrap(fmt.Sprintf("view %q", i.v.name), err)
	}
	return b, nil
}

// Err returns what ended the iteration early.
func (i *ViewIter) Err() error {
	if err := i.it.Err(); err != nil {
		return i.v.s.wrap(fmt.Sprintf("view %q", i.v.name), err)
	}
	return nil
}

// Close frees the iterator. It is idempotent.
func (i *ViewIter) Close() {
	_ = i.it.Close() // it repeats Err
}
