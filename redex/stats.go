package redex

import (
	"fmt"

	"github.com/seed69692123/netdb/redex/internal/kv"
	"github.com/seed69692123/netdb/redex/journal"
)

// Metrics are figures of a store at one moment. Counters are since Open.
type Metrics struct {
	Journal journal.Stats
	Catalog kv.Metrics

	Appends       int64 // frames of events
	SealPasses    int64
	Rewrites      int64 // of runs: merging, moving, compaction by key, redaction
	SealError     error // why the last pass failed, or nil
	Sealed        Ordinal
	UnsealedBytes int64
	HotBytes      int64 // memory of the index of events not yet sealed
	DirtyLogs     int   // logs with changes the catalog lacks
	LogsInMemory  int
	OpenFiles     int
	BlockBytes    int64 // memory of cached blocks of row files
	BlockHits     int64
	BlockMisses   int64
}

// Metrics returns figures. It never waits for a disk.
func (s *Store) Metrics() Metrics {
	m := Metrics{
		Journal: s.j.Stats(), Catalog: s.kv.Metrics(),
		SealPasses: s.passes.Load(), Rewrites: s.rewrites.Load(), SealError: s.seal.err(),
		Sealed: Ordinal(s.seal.ordinal.Load()), HotBytes: s.seal.hotBytes.Load(),
	}
	s.mu.Lock()
	m.Appends, m.UnsealedBytes, m.DirtyLogs = s.appends, s.unsealed, len(s.dirty)
	s.mu.Unlock()
	s.reg.Lock()
	m.LogsInMemory = len(s.reg.logs)
	s.reg.Unlock()
	s.rows.mu.Lock()
	m.OpenFiles = len(s.rows.open)
	s.rows.mu.Unlock()
	m.BlockBytes, m.BlockHits, m.BlockMisses = s.rows.blocks.figures()
	return m
}

// LogStats are figures of a log at one moment.
type LogStats struct {
	Bounds      Bounds
	LastTime    int64 // of the newest event ever; 0 when there was none
	HotEvents   int64 // in the journal only
	RowEvents   int64 // rows of the catalog
	Runs        int64 // in row files
	RawBytes    int64 // payload, key and header bytes of the events in runs
	StoredBytes int64 // bytes of the runs
	RowBytes    int64 // bytes of the rows
	Tails       int   // that wait for an event
}

// Stats returns figures of the log, all of one moment.
func (l *Log) Stats() LogStats {
	s := l.s
	s.mu.Lock() // so that all there is in the index is visible
	defer s.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.boundsLocked(Ordinal(s.visible.Load()))
	st := LogStats{
		Bounds: b, LastTime: l.sealed.lastTime, HotEvents: int64(b.Next - max(l.sealed.next, b.Floor)), RowEvents: int64(l.sealed.next - l.sealed.rowsFrom),
		Runs: l.sealed.runs, RawBytes: l.sealed.rawBytes, StoredBytes: l.sealed.storedBytes, RowBytes: l.sealed.rowsBytes,
		Tails: len(l.waiting),
	}
	if len(l.hot.chunks) > 0 {
		st.LastTime = l.hot.time
	}
	return st
}

// String describes the log without taking a lock.
func (l *Log) String() string { return fmt.Sprintf("log %q (%d)", l.Name(), l.id) }
