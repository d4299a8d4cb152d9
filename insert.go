package netdb

import (
	"context"
	"errors"
	"fmt"
	"unsafe"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex"
)

// Result is what a statement appended to a log.
type Result struct {
	Log   string // empty when the statement was no INSERT
	Count int64  // events
	// First and Last are the sequences of the events; in a transaction, where they are not known yet, and without events they are 0.
	First, Last redex.Seq
	// Token is that of the last event, for Statement.After and Wait; zero as First and Last are.
	Token fold.WriteToken
	// Time is when the events arrived, in Unix nanoseconds.
	Time int64
}

// Exec runs a statement and drops its rows, as is natural for INSERT. Its arguments are those of Query.
//
// An INSERT is one batch: all its events are appended as one frame or none. One whose events were placed and whose durability
// could not be awaited is a redex.InDoubtError, which has their position; any other error says that nothing was appended, but that
// a log which was to be made may be there, empty.
func (db *DB) Exec(ctx context.Context, sql string, args ...any) (Result, error) {
	return db.exec(ctx, Statement{SQL: sql, Args: args})
}

func (db *DB) exec(ctx context.Context, s Statement) (Result, error) {
	rows, err := db.Do(ctx, s)
	if err != nil {
		return Result{}, err
	}
	return rows.drain()
}

// Exec is DB.Exec of the statement with these arguments.
func (s *Stmt) Exec(ctx context.Context, args ...any) (Result, error) {
	rows, err := s.Do(ctx, Statement{Args: args})
	if err != nil {
		return Result{}, err
	}
	return rows.drain()
}

// drain reads to the end.
func (r *Rows) drain() (Result, error) {
	for {
		if b, err := r.NextBatch(); b == nil || err != nil {
			return r.result, err
		}
	}
}

// gathered is the events of an INSERT before they are appended.
type gathered struct {
	name    string
	log     *redex.Log // nil: to be made, when there are events
	entries []redex.Entry
	bytes   int64  // of payloads and keys
	held    int64  // memory
	block   []byte // what is left of the last piece of memory
}

// entryBytes is what an entry takes beside its payload and key.
const entryBytes = int64(unsafe.Sizeof(redex.Entry{}))

// blockBytes is the memory that is taken at once for small payloads.
const blockBytes = 64 << 10

// add takes a copy of an entry.
func (g *gathered) add(e redex.Entry) {
	e.Payload = g.copy(e.Payload)
	if e.Key = g.copy(e.Key); len(e.Key) == 0 {
		e.Key = nil // an empty key is none
	}
	g.bytes += int64(len(e.Payload) + len(e.Key))
	before := cap(g.entries)
	g.entries = append(g.entries, e)
	g.held += int64(cap(g.entries)-before) * entryBytes
}

func (g *gathered) copy(p []byte) []byte {
	if len(p) > len(g.block) {
		n := max(len(p), min(blockBytes, 2*len(p)+int(g.bytes)))
		g.block = make([]byte, n)
		g.held += int64(n)
	}
	out := g.block[:len(p):len(p)]
	copy(out, p)
	g.block = g.block[len(p):]
	return out
}

// gather runs the rows of an INSERT. others is what a transaction has gathered before.
func (db *DB) gather(ctx context.Context, plan *planner.Plan, run planner.RunOptions, text string, others *gathered) (g *gathered, err error) {
	ins := plan.Insert()
	g = &gathered{name: ins.Log}
	if err := db.insertable(ins, g); err != nil {
		return nil, doing(fmt.Sprintf("insert into %q", ins.Log), err)
	}
	rows, err := planner.Run(ctx, plan, run)
	if err != nil {
		return nil, err
	}
	defer func() {
		if cerr := rows.Close(); err == nil {
			err = cerr
		}
	}()
	enc := newRowEncoder(ins.Targets, db.o.Origin)
	limit := db.store.MaxBatchBytes()
	for {
		b, err := rows.Next(ctx)
		if err != nil {
			return nil, err
		}
		if b == nil {
			return g, nil
		}
		for k := range b.Rows() {
			e, err := enc.entry(b.Cols, b.Row(k))
			if qe, ok := err.(*query.Error); ok {
				return nil, qe.In(text)
			}
			if err != nil {
				return nil, doing(fmt.Sprintf("insert into %q", ins.Log), err)
			}
			g.add(e)
			if others.bytes+g.bytes > limit {
				return nil, doing(fmt.Sprintf("insert into %q", ins.Log), fmt.Errorf("%w: over %d bytes", redex.ErrBatchTooLarge, limit))
			}
		}
		if err := rows.Hold(others.held + g.held); err != nil {
			return nil, err
		}
	}
}

// insertable finds the log of an INSERT, or says why there cannot be one.
func (db *DB) insertable(ins *planner.Insert, g *gathered) (err error) {
	switch {
	case db.o.Store.ReadOnly:
		return redex.ErrReadOnly
	case ins.New:
		return redex.CheckName(ins.Log)
	}
	g.log, err = db.store.Log(ins.Log)
	return err
}

// appendGathered appends the events of INSERTs as one batch, and returns a result for each log in the order of its first INSERT.
// With redex.ErrInDoubt the results are valid.
func (db *DB) appendGathered(ctx context.Context, gs []*gathered, d redex.Durability) ([]Result, error) {
	var results []Result
	var batches []redex.Batch
	at := map[string]int{}
	for _, g := range gs {
		if len(g.entries) == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, doing(fmt.Sprintf("insert into %q", g.name), err)
		}
		if g.log == nil {
			log, err := db.store.OpenLog(ctx, g.name, redex.LogOptions{})
			if err != nil {
				return nil, doing(fmt.Sprintf("insert into %q", g.name), err)
			}
			g.log = log
		}
		i, ok := at[g.name]
		if !ok || batches[i].Log != g.log {
			i = len(batches)
			at[g.name] = i
			batches = append(batches, redex.Batch{Log: g.log, Entries: g.entries})
			results = append(results, Result{Log: g.name})
		} else {
			batches[i].Entries = append(batches[i].Entries, g.entries...)
		}
	}
	if len(batches) == 0 {
		return nil, nil
	}
	done, err := db.store.Append(ctx, batches, redex.AppendOptions{Durable: d})
	for i, a := range done {
		r := &results[i]
		r.Count, r.First, r.Last, r.Token, r.Time = int64(a.Count), a.First, a.Seq, fold.TokenOf(a.Position), a.Time
	}
	if err != nil && done == nil {
		return nil, doing("insert", err)
	}
	return results, doing("insert", err)
}

// insert runs a planned INSERT.
func (s *Stmt) insert(ctx context.Context, unpin func(), plan *planner.Plan, run planner.RunOptions, o planner.Options, st Statement) (*Rows, error) {
	db := s.db
	ast, _ := s.ast.(*query.Insert)
	rows := &Rows{ctx: ctx, s: noRows{}, unpin: unpin, zone: db.o.Zone}
	if st.Tx != nil {
		g, err := st.Tx.insert(ctx, s, ast, plan, run)
		if err != nil {
			return nil, err
		}
		rows.result = Result{Log: g.name, Count: int64(len(g.entries))}
		return rows, nil
	}
	var back *returned
	var answer *planner.Plan
	if ast.Returning != nil {
		back = newReturned(plan.Insert())
		var err error
		if answer, err = back.plan(ctx, ast, o); err != nil {
			return nil, err
		}
	}
	g, err := db.gather(ctx, plan, run, s.text, &gathered{})
	if err != nil {
		return nil, err
	}
	unpin() // what the rows were made of is not needed any more
	rows.result.Log = g.name
	results, err := db.appendGathered(ctx, []*gathered{g}, st.Durable)
	if err != nil {
		return nil, err
	}
	if len(results) > 0 {
		rows.result = results[0]
	}
	if answer == nil {
		return rows, nil
	}
	back.entries, back.first, back.time = g.entries, rows.result.First, rows.result.Time
	if rows.s, err = planner.Run(ctx, answer, run); err != nil {
		return nil, err
	}
	if err := rows.setColumns(ctx, answer, st.SingleTypes); err != nil {
		return nil, errors.Join(err, rows.s.Close())
	}
	return rows, nil
}

// noRows is the stream of a statement without rows.
type noRows struct{}

func (noRows) Next(context.Context) (*vector.Batch, error) { return nil, nil }
func (noRows) Close() error                                { return nil }
