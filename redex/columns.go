package redex

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ChunkEvents is how many sequences a chunk of columns covers: chunk n those of [n × ChunkEvents, (n + 1) × ChunkEvents).
const ChunkEvents = 1 << 16

// TailEvents is how many events of a chunk that is not whole are worth a column file.
const TailEvents = 1 << 11

// Columns is the store's directory of column files: of each chunk of a log at most one, with content that whoever queries makes and
// understands (see sealed.ColumnBuilder). That of a log's last chunk, its tail, may be of the chunk's first events only: it is replaced when
// there are more. They are derived from the events, so nothing is lost with one: they are not synced, not part
// of backups and checkpoints, and gone after a repair. What Columns knows is when a chunk is no longer what its events are: after
// redaction, compaction by key, retention and deletion. It is safe for concurrent use.
type Columns struct {
	s     *Store
	dir   string
	owner uint64

	mu     sync.Mutex
	listed bool
	files  map[LogID]map[uint64]bool // chunks that there are files of, and whether those are known to be of all events
	edits  map[LogID]uint64          // of logs of which events were changed since the store was opened
	edit   uint64                    // the newest of them
	due    map[LogID]struct{}        // logs of which a chunk became whole
	tails  map[LogID]struct{}        // logs of which one that is not became longer
	wake   chan struct{}             // of capacity 1
	making uint64                    // numbers of files being written
}

func newColumns(s *Store, dir string, owner uint64) *Columns {
	return &Columns{s: s, dir: dir, owner: owner, files: map[LogID]map[uint64]bool{}, edits: map[LogID]uint64{}, due: map[LogID]struct{}{}, tails: map[LogID]struct{}{}, wake: make(chan struct{}, 1)}
}

// Columns returns the store's column files.
func (s *Store) Columns() *Columns { return s.columns }

// Owner is what a column file must name as its owner (see sealed.WriterOptions).
func (c *Columns) Owner() uint64 { return c.owner }

// ColumnFile is an open column file.
type ColumnFile struct {
	io.ReaderAt
	Size int64
	io.Closer
}

const columnSuffix = ".cols"

func columnFileName(id LogID, chunk uint64) string {
	return fmt.Sprintf("%d-%08d%s", id, chunk, columnSuffix)
}

func parseColumnFileName(name string) (id LogID, chunk uint64, ok bool) {
	log, rest, ok := strings.Cut(strings.TrimSuffix(name, columnSuffix), "-")
	if !ok || !strings.HasSuffix(name, columnSuffix) {
		return 0, 0, false
	}
	a, errA := strconv.ParseUint(log, 10, 64)
	b, errB := strconv.ParseUint(rest, 10, 64)
	return LogID(a), b, errA == nil && errB == nil && columnFileName(LogID(a), b) == name
}

// listLocked reads the directory, once, and removes what was left half written, or everything when events were found damaged.
func (c *Columns) listLocked() error {
	if c.listed {
		return nil
	}
	names, err := c.s.fs.List(c.dir)
	if isNotExist(err) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("redex: list column files: %w", err)
	}
	lost := len(c.s.recovery.Damage) > 0 // sequences of events that files have may be given again
	for _, name := range names {
		id, chunk, ok := parseColumnFileName(name)
		switch {
		case ok && !lost:
			c.noteLocked(id, chunk, true)
		case (ok || strings.HasSuffix(name, columnSuffix+".new")) && !c.s.o.ReadOnly:
			err = errors.Join(err, c.s.fs.Remove(c.s.fs.PathJoin(c.dir, name)))
		}
	}
	for _, files := range c.files {
		files[slices.Max(slices.Collect(maps.Keys(files)))] = false // it may be of a tail
	}
	c.listed = err == nil
	return err
}

func (c *Columns) noteLocked(id LogID, chunk uint64, whole bool) {
	if c.files[id] == nil {
		c.files[id] = map[uint64]bool{}
	}
	c.files[id][chunk] = whole
}

// Edits returns a number that changes whenever events of the log are changed, or taken away other than by retention. What was derived
// from events is what they are while the number is the same as before they were read.
func (c *Columns) Edits(l *Log) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.edits[l.id]
}

// Masked reports whether redacted events of the chunk still have their payloads on disk. There is no column file of it meanwhile.
func (c *Columns) Masked(l *Log, chunk uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.maskAll {
		return true
	}
	i, _ := slices.BinarySearch(l.masked, Seq(chunk)*ChunkEvents)
	return i < len(l.masked) && uint64(l.masked[i])/ChunkEvents == chunk
}

// SealedTo returns the sequence up to which the log is in row files, or in the catalog: events below it do not change but as Edits
// tells. Column files are of these.
func (c *Columns) SealedTo(l *Log) Seq {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sealed.next
}

// sealedTo notes that a log is in row files up to a sequence.
func (c *Columns) sealedTo(id LogID, from, to Seq) {
	whole, tail := from/ChunkEvents < to/ChunkEvents, from < to && to%ChunkEvents >= TailEvents
	if !whole && !tail {
		return
	}
	c.mu.Lock()
	if whole {
		c.due[id] = struct{}{}
	}
	if tail {
		c.tails[id] = struct{}{}
	}
	c.mu.Unlock()
	c.wakeUp()
}

// Missed notes that there was no column file of the tail of a log when somebody wanted one: TakeTails returns the log.
func (c *Columns) Missed(l *Log) {
	if c.SealedTo(l)%ChunkEvents < TailEvents {
		return
	}
	c.mu.Lock()
	c.tails[l.id] = struct{}{}
	c.mu.Unlock()
	c.wakeUp()
}

func (c *Columns) wakeUp() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Grown receives when sealing has completed chunks of logs since TakeWhole was called, or made tails longer since TakeTails was: chunks of which
// a column file can be made.
func (c *Columns) Grown() <-chan struct{} { return c.wake }

// TakeWhole returns the logs of which sealing has completed chunks since the last call.
func (c *Columns) TakeWhole() []LogID { return c.take(c.due) }

// TakeTails returns the logs of which sealing has made the last chunk longer since the last call, or a file of it was missed, if it has
// TailEvents or more.
func (c *Columns) TakeTails() []LogID { return c.take(c.tails) }

func (c *Columns) take(from map[LogID]struct{}) []LogID {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := slices.Sorted(maps.Keys(from))
	clear(from)
	return ids
}

// HasWhole reports whether there is a column file of a chunk and it is known to be of all its events.
func (c *Columns) HasWhole(l *Log, chunk uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listLocked() != nil {
		return false
	}
	return c.files[l.id][chunk]
}

// Open opens the column file of a chunk; nil when there is none. The caller closes it.
func (c *Columns) Open(l *Log, chunk uint64) (*ColumnFile, error) {
	c.mu.Lock()
	err := c.listLocked()
	_, there := c.files[l.id][chunk]
	c.mu.Unlock()
	if err != nil || !there || c.Masked(l, chunk) {
		return nil, err
	}
	f, err := c.s.fs.Open(c.path(l.id, chunk))
	if isNotExist(err) {
		return nil, nil // it was dropped meanwhile
	}
	if err != nil {
		return nil, fmt.Errorf("redex: open column file: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("redex: open column file: %w", err), f.Close())
	}
	return &ColumnFile{f, info.Size(), f}, nil
}

func (c *Columns) path(id LogID, chunk uint64) string {
	return c.s.fs.PathJoin(c.dir, columnFileName(id, chunk))
}

// Keep writes the column file of a chunk, up to a sequence, that was made from events read since Edits returned edits, and reports whether it was
// kept: not when the log was changed meanwhile, is deleted, or the store is read only.
func (c *Columns) Keep(ctx context.Context, l *Log, chunk uint64, to Seq, edits uint64, content []byte) (bool, error) {
	if c.s.o.ReadOnly || ctx.Err() != nil {
		return false, ctx.Err()
	}
	c.mu.Lock()
	err := c.listLocked()
	c.making++
	temp := fmt.Sprintf("%s.%d%s.new", c.path(l.id, chunk), c.making, columnSuffix)
	c.mu.Unlock()
	if err != nil {
		return false, err
	}
	if err := writeWhole(c.s.fs, temp, content); err != nil {
		return false, fmt.Errorf("redex: write column file: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.edits[l.id] != edits || c.Masked(l, chunk) || l.endErr() != nil {
		return false, c.s.fs.Remove(temp)
	}
	if err := c.s.fs.Rename(temp, c.path(l.id, chunk)); err != nil {
		return false, errors.Join(fmt.Errorf("redex: name column file: %w", err), c.s.fs.Remove(temp))
	}
	c.noteLocked(l.id, chunk, to == Seq(chunk+1)*ChunkEvents)
	return true, nil
}

func writeWhole(fs vfs.FS, path string, content []byte) error {
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(slices.Clone(content)) // Pebble's files in memory garble what was written, in programs with the race detector
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, fs.Remove(path))
	}
	return nil
}

// Drop removes the column file of a chunk, because it is damaged.
func (c *Columns) Drop(l *Log, chunk uint64) error {
	if c.s.o.ReadOnly {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropLocked(l.id, chunk)
}

func (c *Columns) dropLocked(id LogID, chunk uint64) error {
	if _, ok := c.files[id][chunk]; !ok {
		return nil
	}
	if err := c.s.fs.Remove(c.path(id, chunk)); err != nil && !isNotExist(err) {
		return fmt.Errorf("redex: remove column file: %w", err)
	}
	delete(c.files[id], chunk)
	return nil
}

// edited notes that events of [from, to) are changed: their column files go, and what is being made of them is not kept. It is called
// before the change can be seen, and again afterwards, so that nobody who read in between takes the old for the new.
func (c *Columns) edited(id LogID, from, to Seq) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.edit++
	c.edits[id] = c.edit
	if err := c.listLocked(); err != nil {
		return err
	}
	var errs []error
	for chunk := range c.files[id] {
		if Seq(chunk+1)*ChunkEvents > from && Seq(chunk)*ChunkEvents < to {
			errs = append(errs, c.dropLocked(id, chunk))
		}
	}
	return errors.Join(errs...)
}

// sweep removes the column files of logs that were deleted and of events below a floor.
func (c *Columns) sweep() error {
	c.mu.Lock()
	err := c.listLocked()
	ids := make([]LogID, 0, len(c.files))
	for id := range c.files {
		ids = append(ids, id)
	}
	c.mu.Unlock()
	errs := []error{err}
	for _, id := range ids {
		l, err := c.s.byID(id)
		if err != nil && !errors.Is(err, ErrLogDeleted) {
			errs = append(errs, err)
			continue
		}
		floor := maxSeq
		if err == nil && l != nil && !errors.Is(l.endErr(), ErrLogDeleted) {
			floor = l.Bounds().Floor
		}
		c.mu.Lock()
		for chunk := range c.files[id] {
			if Seq(chunk+1)*ChunkEvents <= floor {
				errs = append(errs, c.dropLocked(id, chunk))
			}
		}
		c.mu.Unlock()
	}
	return errors.Join(errs...)
}

// StoredBytes returns how many bytes the column files of a log take.
func (c *Columns) StoredBytes(l *Log) (n int64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.listLocked(); err != nil {
		return 0, err
	}
	for chunk := range c.files[l.id] {
		info, err := c.s.fs.Stat(c.path(l.id, chunk))
		if err != nil && !isNotExist(err) {
			return n, fmt.Errorf("redex: column file: %w", err)
		}
		if err == nil {
			n += info.Size()
		}
	}
	return n, nil
}
