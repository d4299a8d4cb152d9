package netdb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/planner/logscan"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex"
	"github.com/seed69692123/netdb/redex/index"
)

// MaxIndexes is how many indexes a database has at most.
const MaxIndexes = 256

// indexEvery is how long an event waits for others before an index takes them in: each time makes the journal durable. Queries look
// at what is not taken in yet themselves.
const indexEvery = time.Second

// Conditions of statements on indexes.
var (
	ErrIndexExists = errors.New("netdb: there is an index of that name") // CREATE INDEX without IF NOT EXISTS
	ErrNoIndex     = errors.New("netdb: there is no index of that name") // DROP INDEX without IF EXISTS
)

// indexDefinition is an index as it stands in the schema log.
type indexDefinition struct {
	log  string
	path []string
	seq  redex.Seq // of the event that defines it: what is stored of it has its name from that
	err  error     // the definition cannot be read
}

func readIndex(ev *redex.Event) (indexDefinition, error) {
	d, err := readDefinition(ev)
	if err == nil && (redex.CheckName(d.Log) != nil || len(d.Path) == 0 || len(d.Path) > logscan.MaxLevels) {
		err = errors.New("it is no path of a log")
	}
	return indexDefinition{log: d.Log, path: d.Path}, err
}

// place is the name of the index in package index.
func (d *indexDefinition) place() string { return fmt.Sprintf("sql/%d", d.seq) }

// version tells what is stored apart from that of other definitions in the same place.
func (d *indexDefinition) version() string {
	return fmt.Sprintf("%d %.100s", logscan.IndexVersion, planner.PathText(d.path))
}

// indexes are the open indexes, by name.
type indexes struct {
	mu     sync.Mutex
	open   map[string]*openIndex
	closed bool
}

// openIndex is an index that was opened, or why it was not. It implements logscan.Index.
type openIndex struct {
	name string
	def  indexDefinition
	id   redex.LogID // of the log: one that is made again is another, which idx learns a little later
	idx  *index.Index
	err  error
}

var _ logscan.Index = (*openIndex)(nil)

// openIndexes opens those that are defined; what goes wrong shows in netdb.indexes.
func (db *DB) openIndexes(ctx context.Context) {
	d, err := db.definitions(ctx)
	if err != nil {
		if l := db.o.Store.Logger; l != nil {
			l.Error("the indexes were not opened", "err", err)
		}
		return
	}
	for name := range d.indexes {
		db.openIndex(ctx, name, d)
	}
}

// openIndex returns an index that is defined, and opens it if it is not and its log exists.
func (db *DB) openIndex(ctx context.Context, name string, d *definitions) *openIndex {
	def := d.indexes[name]
	db.indexes.mu.Lock()
	defer db.indexes.mu.Unlock()
	x := db.indexes.open[name]
	log, err := db.store.Log(def.log)
	switch {
	case def.err != nil:
		return &openIndex{name: name, def: def, err: def.err}
	case err != nil:
		return &openIndex{name: name, def: def, err: err}
	case x != nil && x.def.seq == def.seq && x.id == log.ID() && x.idx != nil && !errors.Is(x.idx.Err(), redex.ErrLogDeleted):
		return x
	case db.indexes.closed:
		return &openIndex{name: name, def: def, err: ErrClosed}
	}
	if x != nil && x.idx != nil {
		if err := x.idx.Close(); err != nil {
			return &openIndex{name: name, def: def, err: err}
		}
	}
	x = &openIndex{name: name, def: def, id: log.ID()}
	keys := logscan.NewIndexer(def.path)
	var key, entry []byte
	x.idx, x.err = index.Open(ctx, db.store, index.Definition{
		Name: def.place(), Log: log.Name(), Version: def.version(),
		Project: func(ev *redex.Event, ops *index.Ops) error {
			if key = keys.Key(key[:0], ev); len(key) > 0 {
				entry = logscan.IndexEntry(entry[:0], ev.Seq)
				ops.Insert(key, entry)
			}
			return nil
		},
		Options: index.Options{AcceptLost: true, Every: indexEvery, EventOf: logscan.EntryEvent, Logger: db.o.Store.Logger},
	})
	if db.indexes.open == nil {
		db.indexes.open = map[string]*openIndex{}
	}
	db.indexes.open[name] = x
	return x
}

// closeIndexes closes all.
func (db *DB) closeIndexes() error {
	db.indexes.mu.Lock()
	defer db.indexes.mu.Unlock()
	db.indexes.closed = true
	var errs []error
	for _, x := range db.indexes.open {
		if x.idx != nil {
			errs = append(errs, x.idx.Close())
		}
	}
	return errors.Join(errs...)
}

// indexesOf returns the open indexes of a log.
func (db *DB) indexesOf(ctx context.Context, log string, d *definitions) (out []logscan.Index) {
	for _, name := range slices.Sorted(maps.Keys(d.indexes)) {
		if d.indexes[name].log == log {
			if x := db.openIndex(ctx, name, d); x.idx != nil {
				out = append(out, x)
			}
		}
	}
	return out
}

// Name implements logscan.Index.
func (x *openIndex) Name() string { return x.name }

// Path implements logscan.Index.
func (x *openIndex) Path() []string { return x.def.path }

// Upto implements logscan.Index.
func (x *openIndex) Upto(ctx context.Context) (redex.Seq, []redex.Bounds, bool) {
	s := x.idx.Stats()
	if s.Skipped > 0 || errors.Is(s.Err, index.ErrClosed) || errors.Is(s.Err, redex.ErrLogDeleted) {
		return 0, nil, false
	}
	var unseen []redex.Bounds
	if s.Lost > 0 {
		for l, err := range x.idx.Lost(ctx) {
			if err != nil {
				return 0, nil, false
			}
			unseen = append(unseen, redex.Bounds{Floor: l.From, Next: l.To})
		}
	}
	return s.Next, unseen, true
}

// Entries implements logscan.Index.
func (x *openIndex) Entries(ctx context.Context, key []byte, prefix bool) iter.Seq2[[]byte, error] {
	if !prefix {
		return x.idx.Values(ctx, key)
	}
	return func(yield func([]byte, error) bool) {
		for e, err := range x.idx.Scan(ctx, index.Prefix(key)) {
			if !yield(e.Value, err) {
				return
			}
		}
	}
}

// indexName returns the name that CREATE INDEX gives: one made of the log and the path when it says none.
func (db *DB) indexName(ctx context.Context, s *query.CreateIndex, o planner.Options) (string, error) {
	if s.Name.Is() {
		return s.Name.Name, nil
	}
	cat := db.newCatalog()
	defer cat.unpin()
	log, path, err := planner.IndexTarget(ctx, cat, s, o)
	if err != nil {
		return "", err
	}
	word := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}
	name := strings.Map(word, log+"_"+strings.Join(path, "_"))
	return name[:min(len(name), maxDefinitionName)], nil
}

func (db *DB) createIndex(ctx context.Context, d *definitions, name string, s *query.CreateIndex, o planner.Options) error {
	_, there := d.indexes[name]
	switch {
	case there && s.IfNotExists:
		return nil
	case there:
		return ErrIndexExists
	case len(d.indexes) >= MaxIndexes:
		return fmt.Errorf("%w: %d indexes", ErrTooMany, MaxIndexes)
	}
	cat := db.newCatalog()
	defer cat.unpin()
	cat.defs = d
	log, path, err := planner.IndexTarget(ctx, cat, s, o)
	if err != nil {
		return err
	}
	if err := db.define(ctx, indexKey+name, &definition{Log: log, Path: path}); err != nil {
		return err
	}
	if d, err = db.definitions(ctx); err != nil {
		return err
	}
	return db.openIndex(ctx, name, d).err
}

// dropIndex removes what is stored of an index before its definition: a crash in between leaves one that is built anew, and never
// entries that belong to nothing.
func (db *DB) dropIndex(ctx context.Context, d *definitions, name string, ifExists bool) error {
	def, there := d.indexes[name]
	if !there {
		if ifExists {
			return nil
		}
		return ErrNoIndex
	}
	db.indexes.mu.Lock()
	x := db.indexes.open[name]
	delete(db.indexes.open, name)
	if x == nil {
		x = &openIndex{def: def}
	}
	var err error
	if x.idx != nil {
		err = x.idx.Close()
	}
	if err == nil {
		err = index.Drop(ctx, db.store, x.def.place())
	}
	if err == nil {
		err = db.define(ctx, indexKey+name, nil)
	}
	db.indexes.mu.Unlock()
	return err
}

// indexesTable is netdb.indexes: a row for each index.
func (db *DB) indexesTable(d *definitions) planner.Source {
	columns := []planner.Column{
		star("name", vector.Text), star("log", vector.Text), star("path", vector.Text), star("position", vector.Int),
		star("lag", vector.Int), star("keys", vector.Int), star("values", vector.Int), star("error", vector.Text),
	}
	return &rowSource{name: "indexes", columns: columns, rows: func(ctx context.Context, _ []bool, yield func([]cell, error) bool) {
		for _, name := range slices.Sorted(maps.Keys(d.indexes)) {
			x := db.openIndex(ctx, name, d)
			null := cell{null: true}
			row := []cell{textCell(name), textCell(x.def.log), textCell(planner.SQLPath(x.def.path)), null, null, null, null, null}
			err := x.err
			if x.idx != nil {
				s := x.idx.Stats()
				row[3], row[4], row[5], row[6] = intCell(int64(s.Next)), intCell(s.Lag.Events), intCell(s.Keys), intCell(s.Values)
				err = errors.Join(s.Err, s.CommitErr)
			}
			if err != nil {
				row[7] = textCell(err.Error())
			}
			if !yield(row, nil) {
				return
			}
		}
	}}
}

// viewsTable is netdb.views: a row for each view.
func viewsTable(d *definitions) planner.Source {
	columns := []planner.Column{star("name", vector.Text), star("columns", vector.Text), star("query", vector.Text), star("error", vector.Text)}
	return &rowSource{name: "views", columns: columns, rows: func(_ context.Context, _ []bool, yield func([]cell, error) bool) {
		for _, name := range slices.Sorted(maps.Keys(d.views)) {
			null := cell{null: true}
			row := []cell{textCell(name), null, null, null}
			if e := d.views[name]; e.err != nil {
				row[3] = textCell(e.err.Error())
			} else {
				var names []string
				for _, c := range e.view.Columns {
					names = append(names, planner.PathText([]string{c}))
				}
				row[1], row[2] = textCell(strings.Join(names, ", ")), textCell(e.view.Query.String())
			}
			if !yield(row, nil) {
				return
			}
		}
	}}
}

// CatchUpIndexes waits until the indexes have taken in what their logs hold now. Queries need not wait: they look at the rest
// themselves.
func (db *DB) CatchUpIndexes(ctx context.Context) error {
	if err := db.check(ctx); err != nil {
		return err
	}
	d, err := db.definitions(ctx)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(d.indexes)) {
		if x := db.openIndex(ctx, name, d); x.idx != nil {
			err = x.idx.CatchUp(ctx)
		} else {
			err = x.err
		}
		if err != nil {
			return doing(fmt.Sprintf("catch up index %q", name), err)
		}
	}
	return nil
}
