package netdb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/internal/snapfile"
	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/redex"
)

// ErrPattern is returned for a pattern of logs that is malformed or, in a snapshot, matches none.
var ErrPattern = errors.New("netdb: bad pattern of logs")

// SnapshotOptions say what a snapshot holds besides the folds' state.
type SnapshotOptions struct {
	// Logs are patterns (planner.MatchLog) of the names of logs whose events are held; "**" is every log. The others are held by name only: after a restore they are empty and go on at the sequence
	// they had reached.
	Logs []string
}

// SnapshotInfo says what a snapshot holds.
type SnapshotInfo struct {
	Store   redex.StoreID
	Epoch   redex.Epoch // of the store when the snapshot was made
	Cut     redex.Cut
	Made    time.Time
	Logs    int
	Folds   int
	Events  int64    // of the logs held with their events
	Skipped []string // folds whose state cannot be written; after a restore they are folded anew
}

// Snapshot writes the state of every open fold, and the logs asked for, to w, all at one cut. What it covers is durable when
// it returns. It does not hold up appends, and folds only until they have reached the cut. A stopped fold is an error
// (fold.ErrFoldStopped), as is a log that is deleted meanwhile.
func (db *DB) Snapshot(ctx context.Context, w io.Writer, o SnapshotOptions) (SnapshotInfo, error) {
	if err := db.check(ctx); err != nil {
		return SnapshotInfo{}, err
	}
	for _, p := range o.Logs {
		if _, err := path.Match(p, ""); err != nil || p == "" {
			return SnapshotInfo{}, doing("snapshot", fmt.Errorf("%w: %q", ErrPattern, p))
		}
	}
	defer db.store.PauseRetention()()
	unpin := func() {}
	defer func() { unpin() }()
	pinned := func() (c redex.Cut) {
		unpin()
		c, unpin = db.store.PinCut()
		return c
	}
	cut, states, err := fold.AtCut(ctx, pinned, db.Folds()...)
	if err != nil {
		return SnapshotInfo{}, doing("snapshot", err)
	}
	if err := db.store.SyncTo(ctx, cut.Ordinal); err != nil {
		return SnapshotInfo{}, doing("snapshot", err)
	}
	s := snapshot{db: db, cut: cut, options: o}
	if err := s.plan(ctx); err != nil {
		return SnapshotInfo{}, doing("snapshot", err)
	}
	if err := s.write(ctx, w, states); err != nil {
		return SnapshotInfo{}, doing("snapshot", err)
	}
	return s.info, nil
}

// snapshot is one in the making.
type snapshot struct {
	db      *DB
	cut     redex.Cut
	options SnapshotOptions
	logs    []snapshotLog // in name order
	info    SnapshotInfo
}

// plan lists the logs that existed at the cut, once, so that all sections agree whatever happens meanwhile.
func (s *snapshot) plan(ctx context.Context) error {
	unmet := map[string]bool{}
	for _, p := range s.options.Logs {
		unmet[p] = p != "**"
	}
	for info, err := range s.db.store.Logs("") {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if info.Created > s.cut.Time {
			continue
		}
		l, err := s.describe(ctx, info)
		if err != nil {
			return fmt.Errorf("log %q: %w", info.Name, err)
		}
		for _, p := range s.options.Logs {
			if planner.MatchLog(p, l.Name) {
				l.Held, unmet[p] = true, false
			}
		}
		l.Held = l.Held || l.Name == SchemaLog // views and indexes go with every snapshot
		if l.Held {
			s.info.Events += int64(l.Next - l.Floor)
		}
		s.logs = append(s.logs, l)
	}
	for _, p := range s.options.Logs {
		if unmet[p] {
			return fmt.Errorf("%w: %q matches no log", ErrPattern, p)
		}
	}
	s.info.Logs = len(s.logs)
	s.info.Store, s.info.Epoch, s.info.Cut, s.info.Made = s.db.store.ID(), s.db.store.Epoch(), s.cut, time.Now().UTC()
	return nil
}

// describe returns a log as it was at the cut.
func (s *snapshot) describe(ctx context.Context, info redex.LogInfo) (snapshotLog, error) {
	log, err := s.db.store.LogByID(info.ID)
	if err != nil {
		return snapshotLog{}, err
	}
	b, err := log.BoundsAt(ctx, s.cut)
	if err != nil {
		return snapshotLog{}, err
	}
	l := snapshotLog{
		ID: uint64(info.ID), Name: info.Name, Created: info.Created, Floor: uint64(b.Floor), Next: uint64(b.Next),
		Compacted: info.Compacted || info.Options.Compaction.ByKey,
	}
	l.setOptions(info.Options)
	if l.Last = log.Stats().LastTime; l.Last > s.cut.Time { // events came after the cut
		l.Last = 0
		if b.Len() > 0 {
			last, err := log.Read(ctx, b.Next-1)
			switch {
			case errors.Is(err, redex.ErrCompacted):
				l.Last = s.cut.Time // or earlier
			case err != nil:
				return snapshotLog{}, err
			default:
				l.Last = last.Time
			}
		}
	}
	return l, nil
}

func (s *snapshot) write(ctx context.Context, out io.Writer, states []fold.Frozen) error {
	w, err := snapfile.NewWriter(out)
	if err != nil {
		return err
	}
	if err := s.sections(ctx, w, states); err != nil {
		w.Abort() // what was written must not pass for a snapshot
		return err
	}
	return w.Close()
}

func (s *snapshot) sections(ctx context.Context, w *snapfile.Writer, states []fold.Frozen) error {
	if err := w.Section(sectionHeader, ""); err != nil {
		return err
	}
	enc := msgpack.NewEncoder(w)
	if err := enc.Encode(s.header(len(states))); err != nil {
		return err
	}
	if err := w.Section(sectionCatalog, ""); err != nil {
		return err
	}
	for i := range s.logs {
		if err := enc.Encode(&s.logs[i]); err != nil {
			return err
		}
	}
	slices.SortFunc(s.logs, func(a, b snapshotLog) int { return cmp.Compare(a.ID, b.ID) }) // a restore then makes few files
	for _, l := range s.logs {
		if !l.Held || l.Next == l.Floor {
			continue
		}
		if err := s.events(ctx, w, l); err != nil {
			return fmt.Errorf("log %q: %w", l.Name, err)
		}
	}
	for _, state := range states {
		if err := w.Section(sectionFold, state.Fold()); err != nil {
			return err
		}
		switch err := state.Export(w); {
		case errors.Is(err, fold.ErrNoCheckpoint):
			s.info.Skipped = append(s.info.Skipped, state.Fold())
		case err != nil:
			return fmt.Errorf("fold %q: %w", state.Fold(), err)
		default:
			s.info.Folds++
		}
	}
	return nil
}

func (s *snapshot) header(folds int) *snapshotHeader {
	h := &snapshotHeader{
		Store: s.info.Store[:], Epoch: uint64(s.info.Epoch), Ordinal: uint64(s.cut.Ordinal), Time: s.cut.Time,
		Made: s.info.Made.UnixNano(), Logs: s.info.Logs, Folds: folds, NextLog: uint64(s.db.store.NextLog()),
	}
	for _, e := range s.db.store.Epochs() {
		if e.First <= s.cut.Ordinal+1 {
			h.Epochs = append(h.Epochs, snapshotEpoch{uint64(e.Epoch), uint64(e.First)})
		}
	}
	return h
}

func (s *snapshot) events(ctx context.Context, w *snapfile.Writer, l snapshotLog) error {
	if err := w.Section(sectionEvents, l.Name); err != nil {
		return err
	}
	log, err := s.db.store.LogByID(redex.LogID(l.ID))
	if err != nil {
		return err
	}
	c := log.Cursor(redex.Seq(l.Floor), redex.Seq(l.Next))
	defer c.Close()
	enc := eventEncoder{next: redex.Seq(l.Floor)}
	for c.Next(ctx) {
		if err := enc.write(w, c.Event()); err != nil {
			return err
		}
	}
	return c.Err()
}
