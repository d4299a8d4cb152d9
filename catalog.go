package netdb

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/redex"
)

// catalog is what one query sees: every log at one cut, every fold in one state.
type catalog struct {
	db    *DB
	cut   redex.Cut
	unpin func() // lets compaction take what the cut needs

	mu     sync.Mutex             // of a catalog that several queries share
	states map[string]fold.Frozen // by fold name, taken when the fold is first read
	defs   *definitions           // taken when first asked for
}

var _ planner.ViewCatalog = (*catalog)(nil)

func (db *DB) newCatalog() *catalog {
	cut, unpin := db.store.PinCut()
	return &catalog{db: db, cut: cut, unpin: unpin, states: map[string]fold.Frozen{}}
}

// models are the folds that a query opens by itself when their log exists: name of the table and of the log.
var models = map[string]string{"tasks": "cortex/tasks", "memories": "cortex/memories"}

// Tables implements planner.Catalog.
func (c *catalog) Tables(ctx context.Context) ([]planner.TableName, error) {
	var out []planner.TableName
	for _, name := range systemTables {
		out = append(out, planner.TableName{Kind: planner.KindSystem, Name: name})
	}
	defs, err := c.definitions(ctx)
	if err != nil {
		return nil, err
	}
	for name := range defs.views {
		out = append(out, planner.TableName{Kind: planner.KindView, Name: name})
	}
	seen := map[string]bool{}
	for _, f := range c.db.Folds() {
		state, err := c.state(f)
		if err != nil {
			return nil, err
		}
		for _, t := range state.Tables() {
			seen[t.Name()] = true
			out = append(out, planner.TableName{Kind: planner.KindFold, Name: t.Name()})
		}
	}
	for table, log := range models {
		if _, err := c.db.store.Log(log); err == nil && !seen[table] {
			out = append(out, planner.TableName{Kind: planner.KindFold, Name: table})
		}
	}
	for info, err := range c.db.store.Logs("") {
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if info.Created <= c.cut.Time {
			out = append(out, planner.TableName{Kind: planner.KindLog, Name: info.Name})
		}
	}
	return out, nil
}

// Has implements planner.Catalog.
func (c *catalog) Has(ctx context.Context, t planner.TableName) (bool, error) {
	switch t.Kind {
	case planner.KindSystem:
		return slices.Contains(systemTables, t.Name), nil
	case planner.KindView:
		defs, err := c.definitions(ctx)
		if err != nil {
			return false, err
		}
		_, ok := defs.views[t.Name]
		return ok, nil
	case planner.KindFold:
		for _, f := range c.db.Folds() {
			state, err := c.state(f)
			if err != nil {
				return false, err
			}
			for _, of := range state.Tables() {
				if of.Name() == t.Name {
					return true, nil
				}
			}
		}
		log, ok := models[t.Name]
		if !ok {
			return false, nil
		}
		_, err := c.db.store.Log(log)
		return err == nil, nil
	case planner.KindLog:
		log, err := c.db.store.Log(t.Name)
		switch {
		case errors.Is(err, redex.ErrNoLog), errors.Is(err, redex.ErrName):
			return false, nil
		case err != nil:
			return false, err
		}
		return log.Info().Created <= c.cut.Time, nil
	}
	return false, nil
}

// Table implements planner.Catalog.
func (c *catalog) Table(ctx context.Context, t planner.TableName) (planner.Source, error) {
	switch t.Kind {
	case planner.KindSystem:
		if s, err := c.systemTable(ctx, t.Name); s != nil || err != nil {
			return s, err
		}
	case planner.KindFold:
		if s, err := c.foldTable(ctx, t.Name); s != nil || err != nil {
			return s, err
		}
	case planner.KindLog:
		log, err := c.db.store.Log(t.Name)
		switch {
		case errors.Is(err, redex.ErrNoLog), errors.Is(err, redex.ErrName):
			return nil, nil
		case err != nil:
			return nil, err
		}
		s, err := c.db.fields.Source(ctx, log, c.cut)
		if err != nil {
			return nil, err
		}
		defs, err := c.definitions(ctx)
		if err != nil {
			return nil, err
		}
		s.SetIndexes(c.db.indexesOf(ctx, t.Name, defs))
		if c.db.o.Lineage != nil {
			return &lineageLog{Source: s, log: t.Name, of: c.db.o.Lineage}, nil
		}
		return s, nil
	}
	return nil, nil
}

func (c *catalog) foldTable(ctx context.Context, name string) (planner.Source, error) {
	f, err := c.db.foldOf(ctx, name)
	if f == nil || err != nil {
		return nil, err
	}
	state, err := c.state(f)
	if err != nil {
		return nil, err
	}
	for _, t := range state.Tables() {
		if t.Name() == name {
			return &foldSource{state: state, table: t}, nil
		}
	}
	return nil, nil
}

// state returns the state in which this query sees a fold.
func (c *catalog) state(f fold.Instance) (fold.Frozen, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.states[f.Name()]; s != nil {
		return s, nil
	}
	s, err := f.Frozen()
	if err == nil {
		c.states[f.Name()] = s
	}
	return s, err
}

// foldOf returns the fold that has a table of that name, or nil. It opens the models when their logs exist.
func (db *DB) foldOf(ctx context.Context, table string) (fold.Instance, error) {
	db.foldMu.Lock()
	f, err := db.foldTableLocked(table)
	db.foldMu.Unlock()
	if !errors.Is(err, errNoTable) {
		return f, err
	}
	log, ok := models[table]
	if !ok {
		return nil, nil
	}
	if _, err := db.store.Log(log); err != nil {
		return nil, nil //nolint:nilerr // no log of the model: no table
	}
	switch table {
	case "tasks":
		m, err := db.Tasks(ctx)
		if err != nil {
			return nil, err
		}
		return m.Fold(), nil
	default:
		m, err := db.Memories(ctx)
		if err != nil {
			return nil, err
		}
		return m.Fold(), nil
	}
}
