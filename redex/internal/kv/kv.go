package kv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// MaxValueBytes is the longest value, and MaxKeyBytes the longest key.
const (
	MaxValueBytes = 32 << 10
	MaxKeyBytes   = 4 << 10
)

// Options configure a DB. The zero value is the default of each field.
type Options struct {
	ReadOnly      bool                // nothing is written, not even a lock; the directory must not be written by anybody meanwhile
	MustExist     bool                // a directory without a map is damage; implied by ReadOnly
	CacheBytes    int64               // of the block cache; 0 means 8 MiB
	MemtableBytes int64               // of one memtable; writes wait while more than four are unflushed; 0 means 4 MiB
	BallastBytes  int64               // of the file that is given up for the manifest when the disk is full; 0 means 2 MiB, negative none
	Logger        *slog.Logger        // nil discards
	OnCorruption  func(*CorruptError) // called once per damaged place found, from any goroutine; must not call the DB
	OnFailure     func(error)         // called once, when the DB is poisoned, from any goroutine; must not call the DB; Close may be the cause, see there

	manifestBytes int64 // at which a manifest is replaced by a new one; 0 means 1 MiB
}

// DB is an open map.
type DB struct {
	p     *pebble.DB
	fs    *guardFS
	state *state
	o     Options

	compactions *scheduler

	applied atomic.Uint64 // batches
	flushed atomic.Uint64 // batches known to survive a crash
	unseen  atomic.Int64  // bytes applied since Apply last looked at the memtables

	lastFigures atomic.Pointer[pebble.Metrics]
	ask         func() (<-chan *pebble.Metrics, error) // askFigures, which tests replace

	flushMu sync.Mutex
	asked   uint64          // batches that the last flush that was asked for covers
	done    <-chan struct{} // closed when that is done

	mu     sync.RWMutex // held for reading by every operation, for writing by Close
	closed bool

	iterMu sync.Mutex
	iters  map[*Iter]struct{}
}

// Open opens the map in dir, and creates it unless it must exist. ErrLocked is returned when dir is open already, a CorruptError
// when the map cannot be opened for damage, or is not there and must be.
func Open(fs vfs.FS, dir string, o Options) (db *DB, err error) {
	if o.CacheBytes == 0 {
		o.CacheBytes = 8 << 20
	}
	if o.MemtableBytes == 0 {
		o.MemtableBytes = 4 << 20
	}
	if o.BallastBytes == 0 {
		o.BallastBytes = 2 << 20
	}
	if o.manifestBytes == 0 {
		o.manifestBytes = 1 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	db = &DB{state: newState(o), o: o, iters: map[*Iter]struct{}{}}
	db.compactions = newScheduler(db.state)
	db.lastFigures.Store(&pebble.Metrics{})
	db.ask = db.askFigures
	db.fs = newGuardFS(fs, dir, o, db.state)
	opts := db.pebbleOptions()
	// Pebble frees what it holds and panics on when it finds something impossible in its files.
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, &CorruptError{Path: dir, Err: fmt.Errorf("open: %v", r)}
		}
	}()
	db.p, err = pebble.Open(dir, opts)
	if err != nil {
		db.state.close()
		return nil, db.openError(dir, err)
	}
	db.state.open()
	if err := db.state.failure(); err != nil {
		return nil, errors.Join(db.openError(dir, err), db.Close())
	}
	if _, err := db.figures(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if !o.ReadOnly {
		db.fs.ballast.start()
		db.compactions.start()
	}
	return db, nil
}

func (db *DB) openError(dir string, err error) error {
	if c := corrupt(err); c != nil {
		if c.Path == "" {
			c.Path = dir
		}
		return c
	}
	if noRoom(err) {
		return fmt.Errorf("kv: open %s: %w: %w", dir, ErrDiskFull, err)
	}
	if db.fs.locked.Load() {
		return fmt.Errorf("%w: %s: %w", ErrLocked, dir, err)
	}
	// Pebble has no type for a table that has another length than the manifest says, nor for files without their markers.
	if errors.Is(err, pebble.ErrDBDoesNotExist) || errors.Is(err, pebble.ErrDBNotPristine) || strings.Contains(err.Error(), "object size mismatch") ||
		db.o.MustExist && strings.HasPrefix(err.Error(), "pebble: ") && !db.fs.ours(err) { // an OPTIONS file, which has no checksum, that says nonsense
		return &CorruptError{Path: dir, Err: err}
	}
	if errors.Is(err, os.ErrNotExist) {
		if _, e := db.fs.Stat(dir); e == nil { // the manifest names a table that is not there
			return &CorruptError{Path: dir, Err: err}
		}
	}
	return fmt.Errorf("kv: open %s: %w", dir, err)
}

func (db *DB) pebbleOptions() *pebble.Options {
	o := &pebble.Options{
		FS:                          db.fs,
		ReadOnly:                    db.o.ReadOnly,
		ErrorIfNotExists:            db.o.ReadOnly || db.o.MustExist,
		DisableWAL:                  true,
		NoSyncOnClose:               true, // tables are synced when they are complete; one that failed need not be
		CacheSize:                   db.o.CacheBytes,
		MemTableSize:                uint64(db.o.MemtableBytes),
		MemTableStopWritesThreshold: 1 << 20, // Apply waits by itself: Pebble's wait does not end when the DB fails or closes
		L0StopWritesThreshold:       1 << 30,
		L0CompactionThreshold:       2,
		MaxOpenFiles:                256,
		MaxManifestFileSize:         db.o.manifestBytes,
		FormatMajorVersion:          pebble.FormatTableFormatV6,
		Logger:                      logger{db.state},
		EventListener: &pebble.EventListener{
			BackgroundError: db.state.backgroundError,
			DataCorruption:  db.state.dataCorruption,
			FlushEnd:        func(i pebble.FlushInfo) { db.state.flushEnd(i.Err) },
			CompactionEnd: func(i pebble.CompactionInfo) {
				db.compactions.compactionEnd(i.Err)
				db.state.changed()
			},
		},
	}
	o.Experimental.CompactionScheduler = db.compactions
	o.CompactionConcurrencyRange = func() (int, int) { return 1, 1 }
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return o
}

// enter begins an operation; leave ends it.
func (db *DB) enter() error {
	db.mu.RLock()
	if db.closed {
		db.mu.RUnlock()
		return ErrClosed
	}
	return nil
}

func (db *DB) leave() { db.mu.RUnlock() }

// readError makes an error of a read the package's own.
func (db *DB) readError(op string, err error) error {
	if c := corrupt(err); c != nil {
		db.state.reportCorruption(c)
		return c
	}
	return fmt.Errorf("kv: %s: %w", op, err)
}

// Get appends the value of key to dst and reports whether there is one.
func (db *DB) Get(key, dst []byte) ([]byte, bool, error) {
	if err := db.enter(); err != nil {
		return dst, false, err
	}
	defer db.leave()
	v, c, err := db.p.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return dst, false, nil
	}
	if err != nil {
		return dst, false, db.readError("get", err)
	}
	dst = append(dst, v...)
	if err := c.Close(); err != nil {
		return dst, false, db.readError("get", err)
	}
	return dst, true, nil
}

// GetFlushed is Get on what is flushed: what a crash now would leave, at least.
func (db *DB) GetFlushed(key, dst []byte) (_ []byte, ok bool, err error) {
	if err := db.enter(); err != nil {
		return dst, false, err
	}
	defer db.leave()
	it, err := db.p.NewIter(&pebble.IterOptions{OnlyReadGuaranteedDurable: true, LowerBound: key, UpperBound: append(key[:len(key):len(key)], 0)})
	if err != nil {
		return dst, false, db.readError("get", err)
	}
	defer func() {
		if e := it.Close(); e != nil && err == nil {
			ok, err = false, db.readError("get", e)
		}
		if e := db.state.failure(); e != nil {
			ok, err = false, e // the table may be in a manifest whose sync failed
		}
	}()
	if !it.First() {
		return dst, false, nil
	}
	v, err := it.ValueAndErr()
	if err != nil {
		return dst, false, db.readError("get", err)
	}
	return append(dst, v...), true, nil
}

// Checkpoint flushes, and makes a copy of the map in dir, by links where the file system allows. dir must not exist and not lie
// in the map's directory; it and its parents are synced. After an error dir is removed. While the manifest waits for room, because
// the disk is full, it waits with it.
func (db *DB) Checkpoint(ctx context.Context, dir string) (err error) {
	if db.fs.inside(dir) {
		return fmt.Errorf("kv: checkpoint %s: inside of the map's directory", dir)
	}
	if err := db.Flush(ctx); err != nil {
		return err
	}
	if err := db.enter(); err != nil {
		return err
	}
	defer db.leave()
	defer func() {
		// Pebble panics when the sync of a directory fails; it holds no lock then.
		if r := recover(); r != nil {
			e, ok := r.(error)
			if !ok || !db.fs.ours(e) {
				panic(r)
			}
			err = fmt.Errorf("kv: checkpoint %s: %w", dir, e)
			err = errors.Join(err, db.fs.FS.RemoveAll(dir))
		}
	}()
	if err := db.p.Checkpoint(dir); err != nil {
		if noRoom(err) {
			err = fmt.Errorf("%w: %w", ErrDiskFull, err)
		}
		return fmt.Errorf("kv: checkpoint %s: %w", dir, err)
	}
	return db.state.failure()
}

// Err returns nil, ErrDiskFull while the disk is full, or the cause that poisoned the DB (ErrFailed). While the disk is full
// Apply goes on until memory is used up.
func (db *DB) Err() error {
	if err := db.state.failure(); err != nil {
		return err
	}
	if db.diskFull() {
		return ErrDiskFull
	}
	return nil
}

// diskFull reports whether there is no room for a flush, or for the ballast that has to be there first.
func (db *DB) diskFull() bool { return db.state.diskFull() || !db.fs.ballast.whole() }

// Close closes the map without flushing: as after a crash, what was not flushed is gone. Iterators that are open end with
// ErrClosed. When the manifest waits for room on a full disk, that ends with a failed write. It is idempotent.
func (db *DB) Close() error {
	db.state.close()
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return nil
	}
	db.closed = true
	db.iterMu.Lock()
	open := make([]*Iter, 0, len(db.iters))
	for it := range db.iters {
		open = append(open, it)
	}
	db.iterMu.Unlock()
	var errs []error
	for _, it := range open {
		errs = append(errs, it.end())
	}
	if err := db.p.Close(); err != nil {
		errs = append(errs, fmt.Errorf("kv: close: %w", err))
	}
	db.fs.ballast.wait()
	return errors.Join(errs...)
}
