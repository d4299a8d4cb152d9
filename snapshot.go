package netdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/internal/snapfile"
	"github.com/seed69692123/netdb/redex"
)

// ErrPattern is returned for a pattern of logs that is malformed or, in a snapshot, matches none.
var ErrPattern = errors.New("netdb: bad pattern of logs")

// SnapshotOptions say what a snapshot holds besides the folds' state.
type SnapshotOptions struct {
	// Logs are patterns of the names of logs whose events are held: as in path.Match, and "**" at the end matches any rest,
	// so "**" alone is every log. The others are held by name only: after a restore they are empty and go on at the sequence
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
		if _, err := path.Match(strings.TrimSuffix(p, "**"), ""); err != nil {
			return SnapshotInfo{}, fmt.Errorf("%w: %q: %w", ErrPattern, p, err)
		}
	}
	cut, states, err := fold.AtCut(ctx, db.store.Cut, db.Folds()...)
	if err != nil {
		return SnapshotInfo{}, fmt.Errorf("netdb: snapshot: %w", err)
	}
	if err := db.store.SyncTo(ctx, cut.Ordinal); err != nil {
		return SnapshotInfo{}, fmt.Errorf("netdb: snapshot: %w", err)
	}
	s := snapshot{db: db, cut: cut, options: o}
	if err := s.plan(ctx); err != nil {
		return SnapshotInfo{}, fmt.Errorf("netdb: snapshot: %w", err)
	}
	if err := s.write(ctx, w, states); err != nil {
		return SnapshotInfo{}, fmt.Errorf("netdb: snapshot: %w", err)
	}
	return s.info, nil
}

// snapshot is one in the making.
type snapshot struct {
	db      *DB
	cut     redex.Cut
	options SnapshotOptions
	unmet   map[string]bool // patterns that matched no log
	info    SnapshotInfo
}

// plan counts what the snapshot will hold.
func (s *snapshot) plan(ctx context.Context) error {
	s.unmet = map[string]bool{}
	for _, p := range s.options.Logs {
		s.unmet[p] = p != "**"
	}
	for l, err := range s.logs(ctx) {
		if err != nil {
			return err
		}
		s.info.Logs++
		if l.Held {
			s.info.Events += int64(l.Next - l.Floor)
		}
	}
	for p, unmet := range s.unmet {
		if unmet {
			return fmt.Errorf("%w: %q matches no log", ErrPattern, p)
		}
	}
	s.info.Store, s.info.Epoch, s.info.Cut, s.info.Made = s.db.store.ID(), s.db.store.Epoch(), s.cut, time.Now().UTC()
	return nil
}

// logs yields the logs that existed at the cut, in name order.
func (s *snapshot) logs(ctx context.Context) func(func(snapshotLog, error) bool) {
	return func(yield func(snapshotLog, error) bool) {
		for info, err := range s.db.store.Logs("") {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(snapshotLog{}, err)
				return
			}
			if info.Created > s.cut.Time {
				continue
			}
			l, err := s.describe(ctx, info)
			if err != nil {
				yield(snapshotLog{}, fmt.Errorf("log %q: %w", info.Name, err))
				return
			}
			if !yield(l, nil) {
				return
			}
		}
	}
}

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
		Held: s.held(info.Name), CheckJSON: info.Options.CheckJSON,
	}
	if b.Len() > 0 {
		last, err := log.Read(ctx, b.Next-1)
		if err != nil {
			return snapshotLog{}, err
		}
		l.Last = last.Time
	}
	return l, nil
}

func (s *snapshot) held(name string) bool {
	held := false
	for _, p := range s.options.Logs {
		if matchLog(p, name) {
			held = true
			s.unmet[p] = false
		}
	}
	return held
}

// matchLog reports whether a pattern names a log; the pattern is well-formed.
func matchLog(pattern, name string) bool {
	stem, deep := strings.CutSuffix(pattern, "**")
	if !deep {
		ok, _ := path.Match(pattern, name)
		return ok
	}
	n := strings.Count(stem, "/")
	for i := 0; i <= len(name); i++ { // the stem matches a beginning of the name that has as many segments
		if strings.Count(name[:i], "/") != n {
			continue
		}
		if ok, _ := path.Match(stem, name[:i]); ok {
			return true
		}
	}
	return false
}

func (s *snapshot) write(ctx context.Context, out io.Writer, states []fold.Frozen) error {
	w, err := snapfile.NewWriter(out)
	if err != nil {
		return err
	}
	err = s.sections(ctx, w, states)
	return errors.Join(err, w.Close())
}

func (s *snapshot) sections(ctx context.Context, w *snapfile.Writer, states []fold.Frozen) error {
	if err := w.Section(sectionHeader, ""); err != nil {
		return err
	}
	enc := msgpack.NewEncoder(w)
	id := s.info.Store
	if err := enc.Encode(&snapshotHeader{
		Store: id[:], Epoch: uint64(s.info.Epoch), Ordinal: uint64(s.cut.Ordinal), Time: s.cut.Time,
		Made: s.info.Made.UnixNano(), Logs: s.info.Logs, Folds: len(states),
	}); err != nil {
		return err
	}
	if err := w.Section(sectionCatalog, ""); err != nil {
		return err
	}
	for l, err := range s.logs(ctx) {
		if err != nil {
			return err
		}
		if err := enc.Encode(&l); err != nil {
			return err
		}
	}
	for l, err := range s.logs(ctx) {
		if err != nil {
			return err
		}
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
