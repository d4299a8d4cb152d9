package redex

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// Store is a directory of logs, or their in-memory form. It is safe for concurrent use.
type Store struct {
	mu      sync.Mutex
	id      StoreID
	names   map[string]*Log
	nextID  LogID
	ordinal Ordinal
	last    int64
	changed chan struct{}
	closed  bool
	views   map[string][]byte
}

// Open opens the store in dir, or creates it.
func Open(ctx context.Context, dir string, o Options) (*Store, error) { return OpenMemory(ctx, o) }

// OpenMemory makes a store that lives in memory and is gone with Close.
func OpenMemory(ctx context.Context, o Options) (*Store, error) {
	s := &Store{names: map[string]*Log{}, nextID: 1, changed: make(chan struct{}), views: map[string][]byte{}}
	rand.Read(s.id[:])
	return s, nil
}

// ID returns the store's identity.
func (s *Store) ID() StoreID { return s.id }

// Epoch returns the current epoch.
func (s *Store) Epoch() Epoch { return 1 }

// CheckPosition returns nil if p names an event that this store has or may yet fold, ErrForeign for another store's and
// ErrEpoch for one that was lost at the end of its epoch.
func (s *Store) CheckPosition(p Position) error {
	if p.Store != s.id {
		return ErrForeign
	}
	return nil
}

// Create makes a log. It returns ErrName, ErrLogExists.
func (s *Store) Create(ctx context.Context, name string, o LogOptions) (*Log, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names[name] != nil {
		return nil, fmt.Errorf("create %q: %w", name, ErrLogExists)
	}
	l := &Log{s: s, id: s.nextID, name: name, options: o}
	s.nextID++
	s.names[name] = l
	return l, nil
}

// Log returns the log of that name, or ErrNoLog.
func (s *Store) Log(name string) (*Log, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.names[name]; l != nil {
		return l, nil
	}
	return nil, fmt.Errorf("open %q: %w", name, ErrNoLog)
}

// LogByID returns the log with that id, or ErrNoLog.
func (s *Store) LogByID(id LogID) (*Log, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.names {
		if l.id == id {
			return l, nil
		}
	}
	return nil, ErrNoLog
}

// OpenLog returns the log of that name and makes it when it does not exist. Options apply only to a log that is made.
func (s *Store) OpenLog(ctx context.Context, name string, o LogOptions) (*Log, error) {
	if l, err := s.Log(name); err == nil {
		return l, nil
	}
	return s.Create(ctx, name, o)
}

// Delete deletes a log. Readers of it get ErrLogDeleted.
func (s *Store) Delete(ctx context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.names[name]
	if l == nil {
		return fmt.Errorf("delete %q: %w", name, ErrNoLog)
	}
	l.deleted = true
	delete(s.names, name)
	s.wakeLocked()
	return nil
}

// LogInfo describes a log.
type LogInfo struct {
	ID      LogID
	Name    string
	Options LogOptions
	Created int64 // Unix nanoseconds
	Bounds  Bounds
}

// Logs returns the logs whose names begin with prefix, in name order.
func (s *Store) Logs(prefix string) iter.Seq2[LogInfo, error] {
	return func(yield func(LogInfo, error) bool) {
		s.mu.Lock()
		var all []LogInfo
		for n, l := range s.names {
			if strings.HasPrefix(n, prefix) {
				all = append(all, LogInfo{ID: l.id, Name: n, Options: l.options, Bounds: Bounds{0, Seq(len(l.events))}})
			}
		}
		s.mu.Unlock()
		sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
		for _, i := range all {
			if !yield(i, nil) {
				return
			}
		}
	}
}

// Batch is entries for one log, as a part of an append to several.
type Batch struct {
	Log     *Log
	Expect  Expect
	Entries []Entry
}

// Appended is the result of an append to one log.
type Appended struct {
	Position       // of the last entry
	First      Seq // of the first entry
	Count      int
	Time       int64
	Duplicates int // entries that were there already, by their idempotency number
}

// Append appends to several logs as one frame: all of it or nothing survives a crash, and readers see it at once.
// The results are in the order of batches.
func (s *Store) Append(ctx context.Context, batches []Batch, o AppendOptions) ([]Appended, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	out := make([]Appended, len(batches))
	for _, b := range batches {
		if len(b.Entries) == 0 {
			return nil, ErrEmptyBatch
		}
		if b.Log.deleted {
			return nil, ErrLogDeleted
		}
		if b.Expect.set && int(b.Expect.seq) != len(b.Log.events) {
			return nil, ErrConflict
		}
	}
	s.ordinal++
	s.last = max(time.Now().UnixNano(), s.last+1)
	for i, b := range batches {
		out[i].First = Seq(len(b.Log.events))
		out[i].Count = len(b.Entries)
		out[i].Time = s.last
		for _, e := range b.Entries {
			ev := Event{
				Log: b.Log.id, Seq: Seq(len(b.Log.events)), Time: s.last, Ordinal: s.ordinal, Kind: e.Kind, Encoding: e.Encoding, Tombstone: e.Tombstone,
				Origin: e.Origin, Idempotency: e.Idempotency, SchemaVersion: e.SchemaVersion, Key: e.Key, Headers: e.Headers, Payload: e.Payload,
			}
			b.Log.events = append(b.Log.events, ev.Clone())
			out[i].Position = Position{Store: s.id, Log: b.Log.id, Epoch: 1, Ordinal: s.ordinal, Seq: ev.Seq}
		}
	}
	s.wakeLocked()
	return out, nil
}

func (s *Store) wakeLocked() { close(s.changed); s.changed = make(chan struct{}) }

// Cut returns the present moment: everything visible.
func (s *Store) Cut() Cut {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Cut{s.ordinal, s.last}
}

// Durable returns the ordinal up to which every frame is synced.
func (s *Store) Durable() Ordinal { return s.Cut().Ordinal }

// Sync returns when everything visible at the call is durable.
func (s *Store) Sync(ctx context.Context) error { return nil }

// SyncTo returns when every frame up to o is durable.
func (s *Store) SyncTo(ctx context.Context, o Ordinal) error { return nil }

// Close makes everything durable, ends tails with ErrClosed and releases the directory. It is idempotent.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		s.wakeLocked()
	}
	return nil
}

// Views is a part of the store's Pebble keyspace for what is derived from logs: fold state and checkpoints, field
// catalogues, positions. What it holds never runs ahead of what is durable in the journal, is lost at a crash back to some
// earlier Commit, and can be rebuilt from the logs. It is safe for concurrent use.
type Views struct {
	s      *Store
	prefix string
}

// Views returns the keyspace of that name: a short constant such as "fold/NAME".
func (s *Store) Views(name string) *Views { return &Views{s, name + "\x00"} }

// Get returns a copy of the value of key, or nil when there is none.
func (v *Views) Get(key []byte) ([]byte, error) {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	return bytes.Clone(v.s.views[v.prefix+string(key)]), nil
}

// Scan returns keys and values in [from, to) in key order; a nil to means the end. Slices are valid until the next pair.
func (v *Views) Scan(from, to []byte) iter.Seq2[[]byte, ViewValue] {
	return func(yield func([]byte, ViewValue) bool) {
		v.s.mu.Lock()
		var keys []string
		for k := range v.s.views {
			if k, ok := strings.CutPrefix(k, v.prefix); ok && k >= string(from) && (to == nil || k < string(to)) {
				keys = append(keys, k)
			}
		}
		v.s.mu.Unlock()
		slices.Sort(keys)
		for _, k := range keys {
			val, _ := v.Get([]byte(k))
			if !yield([]byte(k), ViewValue{Bytes: val}) {
				return
			}
		}
	}
}

// ViewValue is a value of Scan; Err is set on the last pair when the scan failed.
type ViewValue struct {
	Bytes []byte
	Err   error
}

// ViewBatch gathers changes for Commit.
type ViewBatch struct {
	ops []func(map[string][]byte, string)
}

// Set sets a value of at most 32 KiB. The slices may be reused after return.
func (b *ViewBatch) Set(key, value []byte) {
	k, val := string(key), bytes.Clone(value)
	b.ops = append(b.ops, func(m map[string][]byte, p string) { m[p+k] = val })
}

// Delete deletes a key.
func (b *ViewBatch) Delete(key []byte) {
	k := string(key)
	b.ops = append(b.ops, func(m map[string][]byte, p string) { delete(m, p+k) })
}

// DeleteRange deletes the keys in [from, to); a nil to means the end.
func (b *ViewBatch) DeleteRange(from, to []byte) {
	f, t, open := string(from), string(to), to == nil
	b.ops = append(b.ops, func(m map[string][]byte, p string) {
		for k := range m {
			if k, ok := strings.CutPrefix(k, p); ok && k >= f && (open || k < t) {
				delete(m, p+k)
			}
		}
	})
}

// Commit applies the batch as one, after making every frame up to derivedFrom durable.
func (v *Views) Commit(ctx context.Context, b *ViewBatch, derivedFrom Ordinal) error {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	for _, op := range b.ops {
		op(v.s.views, v.prefix)
	}
	return nil
}
