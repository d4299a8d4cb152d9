package kv

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// Iter iterates over keys in order. A new one is before the first key: First, SeekGE, Last or SeekLT place it. Keys and values
// are copied into memory of the iterator, so that DB.Close can end it at any time.
type Iter struct {
	db *DB

	mu    sync.Mutex
	p     *pebble.Iterator // nil once it is closed
	err   error
	key   []byte
	value []byte
}

// NewIter returns an iterator on the keys in [from, to) as they are now; a nil to means the end. It must be closed.
func (db *DB) NewIter(from, to []byte) (*Iter, error) {
	if err := db.enter(); err != nil {
		return nil, err
	}
	defer db.leave()
	p, err := db.p.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return nil, db.readError("iterate", err)
	}
	it := &Iter{db: db, p: p}
	db.iterMu.Lock()
	db.iters[it] = struct{}{}
	db.iterMu.Unlock()
	return it, nil
}

// move makes a step and keeps the key.
func (it *Iter) move(step func(*pebble.Iterator) bool) bool {
	it.mu.Lock()
	defer it.mu.Unlock()
	if it.p == nil || it.err != nil {
		return false
	}
	if step(it.p) {
		it.key = append(it.key[:0], it.p.Key()...)
		return true
	}
	it.key = it.key[:0]
	if err := it.p.Error(); err != nil {
		it.err = it.db.readError("iterate", err)
	}
	return false
}

// First moves to the first key and reports whether there is one.
func (it *Iter) First() bool { return it.move((*pebble.Iterator).First) }

// Last moves to the last key and reports whether there is one.
func (it *Iter) Last() bool { return it.move((*pebble.Iterator).Last) }

// Next moves to the next key and reports whether there is one.
func (it *Iter) Next() bool { return it.move((*pebble.Iterator).Next) }

// Prev moves to the previous key and reports whether there is one.
func (it *Iter) Prev() bool { return it.move((*pebble.Iterator).Prev) }

// SeekGE moves to the first key at or after key and reports whether there is one.
func (it *Iter) SeekGE(key []byte) bool {
	return it.move(func(p *pebble.Iterator) bool { return p.SeekGE(key) })
}

// SeekLT moves to the last key before key and reports whether there is one.
func (it *Iter) SeekLT(key []byte) bool {
	return it.move(func(p *pebble.Iterator) bool { return p.SeekLT(key) })
}

// Key returns the current key, valid until the iterator moves.
func (it *Iter) Key() []byte { return it.key }

// Value returns the current value, valid until the next call of Value.
func (it *Iter) Value() ([]byte, error) {
	it.mu.Lock()
	defer it.mu.Unlock()
	if it.err != nil {
		return nil, it.err
	}
	if it.p == nil || !it.p.Valid() {
		return nil, nil
	}
	v, err := it.p.ValueAndErr()
	if err != nil {
		it.err = it.db.readError("iterate", err)
		return nil, it.err
	}
	it.value = append(it.value[:0], v...)
	return it.value, nil
}

// Err returns what ended the iteration early.
func (it *Iter) Err() error {
	it.mu.Lock()
	defer it.mu.Unlock()
	return it.err
}

// end closes Pebble's iterator for DB.Close.
func (it *Iter) end() error {
	it.mu.Lock()
	defer it.mu.Unlock()
	if it.p == nil {
		return nil
	}
	err := it.p.Close()
	it.p = nil
	if it.err != nil {
		return nil // the owner has it, or will
	}
	it.err = ErrClosed
	return err
}

// Close frees the iterator and returns Err. It is idempotent.
func (it *Iter) Close() error {
	it.mu.Lock()
	defer it.mu.Unlock()
	if it.p != nil {
		if err := it.p.Close(); err != nil && it.err == nil {
			it.err = it.db.readError("iterate", err)
		}
		it.p = nil
		it.db.iterMu.Lock()
		delete(it.db.iters, it)
		it.db.iterMu.Unlock()
	}
	return it.err
}
