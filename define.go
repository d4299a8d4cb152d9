package netdb

import (
	"context"
	"fmt"

	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex"
)

// defines reports whether a statement defines something.
func defines(s query.Stmt) bool {
	switch s.(type) {
	case *query.CreateView, *query.CreateIndex, *query.Drop:
		return true
	}
	return false
}

// runDefinition runs a statement that defines something. What it did is durable when it returns.
func (db *DB) runDefinition(ctx context.Context, s query.Stmt, o planner.Options) error {
	if len(o.Args) > 0 || len(o.Named) > 0 {
		return fmt.Errorf("netdb: %w", query.Errorf(s, query.CodeUnknownParam, "the statement has no parameters").In(o.Text))
	}
	name, kind := "", planner.KindView
	var err error
	what := "create view %q"
	switch s := s.(type) {
	case *query.CreateView:
		name, err = planner.DefinedName(s.Name, planner.KindView, o.Text)
	case *query.CreateIndex:
		what, kind = "create index %q", planner.KindSystem
		name, err = db.indexName(ctx, s, o)
	case *query.Drop:
		what = "drop view %q"
		if s.Kind == query.DropIndex {
			what, kind = "drop index %q", planner.KindSystem
		}
		name, err = planner.DefinedName(s.Name, kind, o.Text)
	}
	if err != nil {
		return err
	}
	what = fmt.Sprintf(what, name)
	if db.o.Store.ReadOnly {
		return doing(what, redex.ErrReadOnly)
	}
	if len(name) > maxDefinitionName {
		return doing(what, fmt.Errorf("%w: a name of %d bytes, at most %d", ErrDefinition, len(name), maxDefinitionName))
	}
	db.schema.statement.Lock()
	defer db.schema.statement.Unlock()
	d, err := db.definitions(ctx)
	if err != nil {
		return err
	}
	switch s := s.(type) {
	case *query.CreateView:
		err = db.createView(ctx, d, name, s, o)
	case *query.CreateIndex:
		err = db.createIndex(ctx, d, name, s, o)
	case *query.Drop:
		if kind == planner.KindView {
			err = db.dropView(ctx, d, name, s.IfExists)
		} else {
			err = db.dropIndex(ctx, d, name, s.IfExists)
		}
	}
	if _, ok := err.(*query.Error); ok { //nolint:errorlint // one that has its place as it is
		return err
	}
	return doing(what, err)
}

func (db *DB) createView(ctx context.Context, d *definitions, name string, s *query.CreateView, o planner.Options) error {
	_, there := d.views[name]
	switch {
	case there && s.IfNotExists:
		return nil
	case there && !s.Replace:
		return ErrViewExists
	case !there && len(d.views) >= MaxViews:
		return fmt.Errorf("%w: %d views", ErrTooMany, MaxViews)
	}
	cat := db.newCatalog()
	defer cat.unpin()
	cat.defs = d
	v, err := planner.MakeView(ctx, cat, s, o)
	if err != nil {
		return err
	}
	text := v.Query.String()
	if len(text) > MaxViewBytes {
		return fmt.Errorf("%w: the query has %d bytes when `*` is written out, at most %d", ErrDefinition, len(text), MaxViewBytes)
	}
	return db.define(ctx, viewKey+name, &definition{Columns: v.Columns, Query: text})
}

func (db *DB) dropView(ctx context.Context, d *definitions, name string, ifExists bool) error {
	if _, there := d.views[name]; !there {
		if ifExists {
			return nil
		}
		return ErrNoView
	}
	return db.define(ctx, viewKey+name, nil)
}

// nothing is the answer of a statement that gives no rows.
type nothing struct{}

func (nothing) Next(context.Context) (*vector.Batch, error) { return nil, nil }
func (nothing) Close() error                                { return nil }
