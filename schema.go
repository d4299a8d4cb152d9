package netdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/query"
	qsql "github.com/seed69692123/netdb/query/sql"
	"github.com/seed69692123/netdb/redex"
)

// SchemaLog is the log in which the definitions of views and indexes are events: see docs/format/schema.md. It is made with the
// first one. Whoever deletes it deletes them.
const SchemaLog = "netdb/schema"

// Limits of definitions.
const (
	MaxViews          = 1000      // of a database
	MaxViewBytes      = 256 << 10 // of a view's query, with `*` written out
	maxDefinitionName = 255
)

// schemaVersion is the newest form of a definition.
const schemaVersion = 1

// Conditions of statements that define something.
var (
	ErrViewExists = errors.New("netdb: there is a view of that name")           // CREATE VIEW without OR REPLACE or IF NOT EXISTS
	ErrNoView     = errors.New("netdb: there is no view of that name")          // DROP VIEW without IF EXISTS
	ErrDefinition = errors.New("netdb: a definition is too large or malformed") // a name, a view's query, or one that was stored
	ErrTooMany    = errors.New("netdb: too many definitions")                   // more than MaxViews or MaxIndexes
)

// definition is the payload of an event of the schema log. Its key is "view/NAME" or "index/NAME"; a tombstone removes it.
type definition struct {
	Version int      `json:"version"`
	Columns []string `json:"columns,omitempty"` // of a view
	Query   string   `json:"query,omitempty"`
	Log     string   `json:"log,omitempty"` // of an index
	Path    []string `json:"path,omitempty"`
}

const (
	viewKey  = "view/"
	indexKey = "index/"
)

// viewEntry is a view, or why what is stored of it is none.
type viewEntry struct {
	view *planner.View
	err  error
}

// definitions are the views and indexes as of some moment. They do not change.
type definitions struct {
	views   map[string]viewEntry
	indexes map[string]indexDefinition
}

// schema keeps the newest definitions in memory: it follows the schema log.
type schema struct {
	statement sync.Mutex // one statement that defines something at a time

	mu   sync.Mutex
	log  redex.LogID
	next redex.Seq // of the log: where it goes on
	now  *definitions
}

// definitions returns what is defined now.
func (db *DB) definitions(ctx context.Context) (*definitions, error) {
	log, err := db.store.Log(SchemaLog)
	if errors.Is(err, redex.ErrNoLog) {
		return &definitions{}, nil
	}
	if err != nil {
		return nil, doing("read the schema", err)
	}
	s := &db.schema
	s.mu.Lock()
	defer s.mu.Unlock()
	if log.ID() != s.log || s.now == nil {
		s.log, s.next, s.now = log.ID(), 0, &definitions{}
	}
	b := log.Bounds()
	if s.next >= b.Next {
		return s.now, nil
	}
	d := &definitions{views: maps.Clone(s.now.views), indexes: maps.Clone(s.now.indexes)}
	if d.views == nil {
		d.views, d.indexes = map[string]viewEntry{}, map[string]indexDefinition{}
	}
	cur := log.Cursor(max(s.next, b.Floor), b.Next)
	for cur.Next(ctx) {
		d.take(cur.Event())
	}
	if err := errors.Join(cur.Err(), cur.Close()); err != nil {
		return nil, doing("read the schema", err)
	}
	s.next, s.now = b.Next, d
	return d, nil
}

// take puts an event in. One that cannot be read is an error only of what it defines.
func (d *definitions) take(ev *redex.Event) {
	key := string(ev.Key)
	if name, ok := strings.CutPrefix(key, viewKey); ok {
		if ev.Tombstone {
			delete(d.views, name)
			return
		}
		v, err := readView(name, ev)
		if err != nil {
			err = fmt.Errorf("%w: view %q: %w", ErrDefinition, name, err)
		}
		d.views[name] = viewEntry{v, err}
	}
	if name, ok := strings.CutPrefix(key, indexKey); ok {
		if ev.Tombstone {
			delete(d.indexes, name)
			return
		}
		x, err := readIndex(ev)
		if err != nil {
			x.err = fmt.Errorf("%w: index %q: %w", ErrDefinition, name, err)
		}
		x.seq = ev.Seq
		d.indexes[name] = x
	}
}

// readDefinition reads the payload of an event.
func readDefinition(ev *redex.Event) (d definition, err error) {
	switch {
	case ev.Redacted:
		return d, errors.New("it was redacted")
	case ev.Encoding != redex.JSON:
		return d, fmt.Errorf("its encoding is %v", ev.Encoding)
	}
	if err := json.Unmarshal(ev.Payload, &d); err != nil {
		return d, err
	}
	if d.Version < 1 || d.Version > schemaVersion {
		return d, fmt.Errorf("it is of version %d, which this program does not know", d.Version)
	}
	return d, nil
}

func readView(name string, ev *redex.Event) (*planner.View, error) {
	d, err := readDefinition(ev)
	if err != nil {
		return nil, err
	}
	if len(d.Query) > MaxViewBytes {
		return nil, fmt.Errorf("a query of %d bytes", len(d.Query))
	}
	stmt, err := qsql.Parse(d.Query, qsql.Options{})
	if err != nil {
		return nil, err
	}
	q, ok := stmt.(*query.Query)
	if !ok || len(d.Columns) == 0 {
		return nil, errors.New("it is no query with columns")
	}
	return &planner.View{Name: name, Columns: d.Columns, Query: q}, nil
}

// define appends what a statement defines: nil removes it. It returns when that is durable.
func (db *DB) define(ctx context.Context, key string, d *definition) error {
	e := redex.Entry{Encoding: redex.JSON, Key: []byte(key), Tombstone: d == nil, Payload: []byte("{}")}
	if d != nil {
		d.Version = schemaVersion
		var err error
		if e.Payload, err = json.Marshal(d); err != nil {
			return err
		}
	}
	log, err := db.store.OpenLog(ctx, SchemaLog, redex.LogOptions{Compaction: redex.Compaction{ByKey: true}})
	if err != nil {
		return err
	}
	_, err = log.Append(ctx, e, redex.AppendOptions{Durable: redex.DurableYes})
	return err
}

// View implements planner.ViewCatalog.
func (c *catalog) View(ctx context.Context, name string) (*planner.View, error) {
	d, err := c.definitions(ctx)
	if err != nil {
		return nil, err
	}
	e := d.views[name]
	return e.view, e.err
}

// definitions returns those that the query sees.
func (c *catalog) definitions(ctx context.Context) (*definitions, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.defs == nil {
		d, err := c.db.definitions(ctx)
		if err != nil {
			return nil, err
		}
		c.defs = d
	}
	return c.defs, nil
}
