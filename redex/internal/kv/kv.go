package kv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// MaxValueBytes is the longest value, and MaxKeyBytes the longest key.
const (
	MaxValueBytes = 32 << 10
	MaxKeyBytes   = 4 << 10
)

// Conditions a caller decides on.
var (
	ErrClosed   = errors.New("kv: closed")
	ErrFailed   = errors.New("kv: failed")                 // after the first failed sync or manifest write; wraps the cause
	ErrDiskFull = errors.New("kv: disk full")              // until room returns
	ErrTooLarge = errors.New("kv: key or value too large") // Batch.Set; nothing was added
	ErrReadOnly = errors.New("kv: opened read-only")
	ErrCorrupt  = errors.New("kv: corrupt") // damaged bytes in a file of the map; see CorruptError
)

// CorruptError names a damaged file of the map.
type CorruptError struct {
	Path     string
	From, To []byte // the keys that may be affected, [From, To]; nil when unknown
	Err      error
}

func (e *CorruptError) Error() string { return fmt.Sprintf("kv: corrupt: %s: %v", e.Path, e.Err) }

// Is reports whether target is ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// Unwrap returns the cause.
func (e *CorruptError) Unwrap() error { return e.Err }

// Options configure a DB. The zero value is the default of each field.
type Options struct {
	ReadOnly      bool
	CacheBytes    int64               // of the block cache; 0 means 8 MiB
	MemtableBytes int64               // of one memtable; writes wait when four are unflushed; 0 means 4 MiB
	BallastBytes  int64               // of the file that is given up for the manifest when the disk is full; 0 means 2 MiB, negative none
	Logger        *slog.Logger        // nil discards
	OnCorruption  func(*CorruptError) // called once per damaged place found, from any goroutine; must not call the DB
	OnFailure     func(error)         // called once, when the DB is poisoned, from any goroutine; must not call the DB
}

// DB is an open map.
type DB struct{}

// Open opens the map in dir, and creates it unless it is opened read-only.
func Open(fs vfs.FS, dir string, o Options) (*DB, error) { return &DB{}, nil }

// Get appends the value of key to dst and reports whether there is one.
func (db *DB) Get(key, dst []byte) ([]byte, bool, error) { return nil, false, nil }

// GetFlushed is Get on what is flushed: what a crash now would leave, at least.
func (db *DB) GetFlushed(key, dst []byte) ([]byte, bool, error) { return nil, false, nil }

// NewIter returns an iterator on the keys in [from, to) as they are now; a nil to means the end. It must be closed.
func (db *DB) NewIter(from, to []byte) (*Iter, error) { return &Iter{}, nil }

// NewBatch returns an empty batch.
func (db *DB) NewBatch() *Batch { return &Batch{} }

// Apply applies the batch: readers see all of it or nothing. It waits while too much is unflushed. The batch is reset and may
// be used again when nil is returned.
func (db *DB) Apply(ctx context.Context, b *Batch) error { return nil }

// Flush returns when everything applied before the call would survive a crash.
func (db *DB) Flush(ctx context.Context) error { return nil }

// Checkpoint flushes, and makes a copy of the map in dir by links where the file system allows. dir must not exist.
func (db *DB) Checkpoint(ctx context.Context, dir string) error { return nil }

// Err returns nil, ErrDiskFull while the disk is full, or the cause that poisoned the DB (ErrFailed).
func (db *DB) Err() error { return nil }

// Metrics are figures of a DB at one moment.
type Metrics struct {
	CacheBytes      int64
	MemtableBytes   int64 // unflushed
	DiskBytes       int64
	WrittenBytes    int64 // by flushes and compactions since open
	Tables          int64
	Flushes         int64
	Compactions     int64
	Corruptions     int64
	BallastReleased bool
}

// Metrics returns figures.
func (db *DB) Metrics() Metrics { return Metrics{} }

// Close closes the map without flushing: as after a crash, what was not flushed is gone. Iterators that are open end with
// ErrClosed. It is idempotent.
func (db *DB) Close() error { return nil }

// Batch gathers changes. It holds them in memory. Keys and values may be reused after each call.
type Batch struct{}

// Set sets a value. ErrTooLarge is returned for values over MaxValueBytes and keys over MaxKeyBytes.
func (b *Batch) Set(key, value []byte) error { return nil }

// Delete deletes a key.
func (b *Batch) Delete(key []byte) error { return nil }

// DeleteRange deletes the keys in [from, to).
func (b *Batch) DeleteRange(from, to []byte) error { return nil }

// Len returns the size of the batch in bytes.
func (b *Batch) Len() int { return 0 }

// Empty reports whether the batch has no changes.
func (b *Batch) Empty() bool { return true }

// Reset empties the batch.
func (b *Batch) Reset() {}

// Close frees the batch's memory. It must not be used again.
func (b *Batch) Close() error { return nil }

// Iter iterates over keys in order. A new one is before the first key: First, SeekGE, Last or SeekLT place it.
type Iter struct{}

// First moves to the first key and reports whether there is one.
func (it *Iter) First() bool { return false }

// Last moves to the last key and reports whether there is one.
func (it *Iter) Last() bool { return false }

// SeekGE moves to the first key at or after key and reports whether there is one.
func (it *Iter) SeekGE(key []byte) bool { return false }

// SeekLT moves to the last key before key and reports whether there is one.
func (it *Iter) SeekLT(key []byte) bool { return false }

// Next moves to the next key and reports whether there is one.
func (it *Iter) Next() bool { return false }

// Prev moves to the previous key and reports whether there is one.
func (it *Iter) Prev() bool { return false }

// Key returns the current key, valid until the iterator moves or is closed.
func (it *Iter) Key() []byte { return nil }

// Value returns the current value, valid until the iterator moves or is closed.
func (it *Iter) Value() ([]byte, error) { return nil, nil }

// Err returns what ended the iteration early.
func (it *Iter) Err() error { return nil }

// Close frees the iterator. It returns Err.
func (it *Iter) Close() error { return nil }
