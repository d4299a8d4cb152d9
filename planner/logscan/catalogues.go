package logscan

import (
	"context"
	"errors"
	"sync"

	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/redex"
)

// Limits of a field catalogue. A log with more is open: any name is accepted there.
const (
	MaxPaths     = 4096
	MaxLevels    = 16   // names in a path
	MaxNameBytes = 1024 // of one name
)

// maxLoaded is how many catalogues are kept in memory before those that are saved are let go.
const maxLoaded = 4096

// saveEvery is after how many rows a walk saves what it has.
const saveEvery = 1 << 16

// Catalogues keeps the field catalogues of a store's logs. It is safe for concurrent use.
type Catalogues struct {
	store   *redex.Store
	views   *redex.Views
	columns *columns

	shredAhead bool // see ShredAhead

	mu     sync.Mutex
	loaded map[redex.LogID]*fields
}

// New returns the catalogues of a store. Nothing is read until a log is asked for.
func New(store *redex.Store) *Catalogues {
	return &Catalogues{
		store: store, views: store.Views("fields"), columns: newColumns(store.Columns(), columnCacheBytes), loaded: map[redex.LogID]*fields{},
	}
}

// columnCacheBytes is how much memory chunks of columns take that are kept between scans: directories, dictionaries, pages.
const columnCacheBytes = 96 << 20

// Close lets go of the column files that are kept open. No scan is under way.
func (c *Catalogues) Close() { c.columns.close() }

// Source returns a log as a table at a cut.
func (c *Catalogues) Source(ctx context.Context, l *redex.Log, cut redex.Cut) (*Source, error) {
	b, err := l.BoundsAt(ctx, cut)
	if err != nil {
		return nil, err
	}
	f, err := c.fields(l)
	if err != nil {
		return nil, err
	}
	sparse := l.Options().Compaction.ByKey || l.Info().Compacted
	return &Source{log: l, fields: f, catalogues: c, bounds: b, sparse: sparse}, nil
}

// fields returns the catalogue of a log, read from the views the first time.
func (c *Catalogues) fields(l *redex.Log) (*fields, error) {
	c.mu.Lock()
	f := c.loaded[l.ID()]
	c.mu.Unlock()
	if f != nil {
		return f, nil
	}
	f, err := c.load(l)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if first := c.loaded[l.ID()]; first != nil {
		return first, nil
	}
	if len(c.loaded) >= maxLoaded {
		c.letGoLocked()
	}
	c.loaded[l.ID()] = f
	return f, nil
}

// letGoLocked drops what is saved and not in use from memory.
func (c *Catalogues) letGoLocked() {
	for id, f := range c.loaded {
		if !f.tryWalk() {
			continue
		}
		f.mu.Lock()
		if !f.dirtyLocked() {
			f.detached = true // a Source may still use it; it is not saved any more
			delete(c.loaded, id)
		}
		f.mu.Unlock()
		f.endWalk()
	}
}

// Faults says how many payloads of a log have no fields although their encoding could have them.
type Faults struct {
	Malformed int64 // not well-formed in their encoding
	NoObject  int64 // well-formed, but the top is no object
	// Upto is the first sequence not yet looked at.
	Upto redex.Seq
}

// Faults returns the counts of a log, of all rows that have been taken in; with complete set the others are taken in first.
func (c *Catalogues) Faults(ctx context.Context, l *redex.Log, complete bool) (Faults, error) {
	f, err := c.fields(l)
	if err != nil {
		return Faults{}, err
	}
	if complete {
		if err := c.walk(ctx, f, l, l.Bounds().Next); err != nil {
			return Faults{}, err
		}
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	return Faults{f.malformed, f.noObject, f.walked}, nil
}

// Catalogue returns the field catalogue of a log, after taking in every row there is.
func (c *Catalogues) Catalogue(ctx context.Context, l *redex.Log) (planner.Catalogue, error) {
	f, err := c.fields(l)
	if err != nil {
		return planner.Catalogue{}, err
	}
	if err := c.walk(ctx, f, l, l.Bounds().Next); err != nil {
		return planner.Catalogue{}, err
	}
	return f.catalogue(), nil
}

// walk takes in the rows of a log up to a sequence. It waits for another walk of the same log.
func (c *Catalogues) walk(ctx context.Context, f *fields, l *redex.Log, to redex.Seq) error {
	if f.position() >= to {
		return nil
	}
	if err := f.beginWalk(ctx); err != nil {
		return err
	}
	held := true
	defer func() {
		if held {
			f.endWalk()
		}
	}()
	for f.position() < to {
		var took bool
		var err error
		if took, held, err = c.walkByChunk(ctx, f, l); err != nil {
			return err
		} else if took {
			continue
		}
		end := (f.position()/redex.ChunkEvents + 1) * redex.ChunkEvents
		err = c.walkOn(ctx, f, l, min(to, end))
		var damage *redex.CorruptionError
		switch {
		case err == nil:
		case errors.As(err, &damage):
			if damage.Seq < to {
				f.reached(damage.Seq) // compaction may have taken what lies before
			}
			f.skip() // the rest of the log is there; what reads the row itself reports the damage
		case errors.Is(err, redex.ErrRangeLost) && f.position() < l.Bounds().Floor:
			// Retention was quicker: go on at the new floor.
		default:
			return err
		}
	}
	if f.unsaved() >= saveEvery/16 {
		c.saveSoon(ctx, f)
	}
	return nil
}

// walkOn takes in the rows of a log up to a sequence, as far as they can be read. The caller has the walk.
func (c *Catalogues) walkOn(ctx context.Context, f *fields, l *redex.Log, to redex.Seq) (err error) {
	cur := l.Cursor(max(f.position(), min(l.Bounds().Floor, to)), to)
	defer func() { err = errors.Join(err, cur.Close()) }()
	for n := 1; cur.Next(ctx); n++ {
		pace := paceOf(ctx, cur.Event())
		if f.take(cur.Event(), pace); pace.Over() {
			return ctx.Err()
		}
		if n%saveEvery == 0 {
			c.saveSoon(ctx, f)
		}
	}
	if err := cur.Err(); err != nil {
		return err
	}
	f.reached(to)
	return nil
}

// saveSoon saves what a reader has taken in. A failure does not fail the reader: the rows are taken in again later, and Save
// reports what is wrong with the store.
func (c *Catalogues) saveSoon(ctx context.Context, f *fields) {
	_ = c.save(ctx, f)
}

// Save writes what catalogues have taken in since they were saved last, and forgets those of logs that were deleted. A store
// that cannot be written is no error.
func (c *Catalogues) Save(ctx context.Context) error {
	c.mu.Lock()
	all := make([]*fields, 0, len(c.loaded))
	for _, f := range c.loaded {
		all = append(all, f)
	}
	c.mu.Unlock()
	var errs []error
	for _, f := range all {
		if err := f.beginWalk(ctx); err != nil {
			return err
		}
		if _, err := c.store.LogByID(f.id); errors.Is(err, redex.ErrLogDeleted) || errors.Is(err, redex.ErrNoLog) {
			errs = append(errs, c.Forget(ctx, f.id))
		} else {
			errs = append(errs, c.save(ctx, f))
		}
		f.endWalk()
	}
	return errors.Join(errs...)
}

// Forget drops the catalogue of a log that was deleted.
func (c *Catalogues) Forget(ctx context.Context, id redex.LogID) error {
	c.mu.Lock()
	f := c.loaded[id]
	delete(c.loaded, id)
	c.mu.Unlock()
	if f != nil {
		f.mu.Lock()
		f.detached = true
		f.mu.Unlock()
	}
	var b redex.ViewBatch
	for _, kind := range viewKinds {
		b.DeleteRange(viewKey(kind, id, 0), viewKey(kind, id+1, 0))
	}
	return ignoreReadOnly(c.views.Commit(ctx, &b, 0))
}

func ignoreReadOnly(err error) error {
	if errors.Is(err, redex.ErrReadOnly) {
		return nil
	}
	return err
}
