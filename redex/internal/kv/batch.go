package kv

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Batch gathers changes, in memory. Keys and values may be reused after each call.
type Batch struct {
	db *DB
	p  *pebble.Batch
}

// NewBatch returns an empty batch.
func (db *DB) NewBatch() *Batch { return &Batch{db: db, p: db.p.NewBatch()} }

func checkKey(key []byte) error {
	if len(key) > MaxKeyBytes {
		return fmt.Errorf("%w: key of %d bytes, limit %d", ErrTooLarge, len(key), MaxKeyBytes)
	}
	return nil
}

// Set sets a value. ErrTooLarge is returned for values over MaxValueBytes and keys over MaxKeyBytes.
func (b *Batch) Set(key, value []byte) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if len(value) > MaxValueBytes {
		return fmt.Errorf("%w: value of %d bytes, limit %d", ErrTooLarge, len(value), MaxValueBytes)
	}
	return b.p.Set(key, value, nil)
}

// Delete deletes a key.
func (b *Batch) Delete(key []byte) error {
	if err := checkKey(key); err != nil {
		return err
	}
	return b.p.Delete(key, nil)
}

// DeleteRange deletes the keys in [from, to) that were set before it, in this batch or earlier.
func (b *Batch) DeleteRange(from, to []byte) error {
	if err := checkKey(from); err != nil {
		return err
	}
	if err := checkKey(to); err != nil {
		return err
	}
	return b.p.DeleteRange(from, to, nil)
}

// Len returns the size of the batch in bytes.
func (b *Batch) Len() int { return b.p.Len() }

// Empty reports whether the batch has no changes.
func (b *Batch) Empty() bool { return b.p.Empty() }

// Reset empties the batch.
func (b *Batch) Reset() { b.p.Reset() }

// renew gives the batch another memory: Pebble may keep that of a large one.
func (b *Batch) renew() {
	_ = b.p.Close() // a batch that was applied has nothing left to fail
	b.p = b.db.p.NewBatch()
}

// Close frees the batch's memory. It must not be used again.
func (b *Batch) Close() error { return b.p.Close() }
