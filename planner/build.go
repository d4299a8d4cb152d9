package planner

import (
	"context"
	"slices"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/spill"
	"github.com/seed69692123/netdb/planner/vector"
)

// RunOptions say how a plan is run. The zero value is the default of each field. Answers do not depend on them.
type RunOptions struct {
	// BatchRows is the greatest number of rows in a batch; 0 means 2,048.
	BatchRows int
	// Threads is the number of goroutines a scan may use; 0 means 1.
	Threads int
	// Columns says whether rows of logs are read by column.
	Columns ColumnUse
	// MemoryBytes is the memory the query's operators may hold together; 0 or less is without a limit.
	MemoryBytes int64
	// Spill is where sorts, groups and joins put the rows for which that is not enough; nil ends the query there.
	Spill *spill.Dir
	// GiveWay, when set, is called now and then while the query runs, to let more urgent work have the processor. It is safe for concurrent use.
	GiveWay func()
}

// builder makes operators from a plan.
type builder struct {
	plan   *Plan
	opts   RunOptions
	env    *exec.Env
	timed  bool
	ops    []exec.Operator // by node number, when timed
	kept   map[*keepNode]*exec.Kept
	keys   map[*scanNode][]KeyHint         // of joins above a scan
	tables map[*joinNode]*exec.JoinTable   // build sides that several goroutines share
	part   func(n *scanNode) exec.Operator // when set, what scans a part of the table that several goroutines read
}

// build returns the operator of a node, whose batches have the columns n.outputs().
func (b *builder) build(n node) exec.Operator {
	op := b.operator(n)
	if !b.timed {
		return op
	}
	op = &exec.Timed{Operator: op}
	if sum, ok := b.ops[n.common().id].(*opSum); ok {
		return &summed{op, sum}
	}
	b.ops[n.common().id] = op
	return op
}

// place returns x with column numbers replaced by positions in the batches of an input.
func place(x exec.Expr, outputs []int) exec.Expr {
	if x == nil {
		return nil
	}
	return exec.Rewrite(x, func(e exec.Expr) exec.Expr {
		if c, ok := e.(*exec.Col); ok {
			p := *c
			if p.Index = slices.Index(outputs, c.Index); p.Index < 0 {
				panic("planner: column " + c.Name + " is not in the input")
			}
			return &p
		}
		return e
	})
}

func placeAll(xs []exec.Expr, outputs []int) []exec.Expr {
	out := make([]exec.Expr, len(xs))
	for i, x := range xs {
		out[i] = place(x, outputs)
	}
	return out
}

// positions returns where columns are in the batches of an input; nil for nil.
func positions(ids, outputs []int) []int {
	if ids == nil {
		return nil
	}
	at := make([]int, len(ids))
	for i, id := range ids {
		at[i] = slices.Index(outputs, id)
	}
	return at
}

func (b *builder) types(ids []int) []vector.Type {
	out := make([]vector.Type, len(ids))
	for i, id := range ids {
		out[i] = b.plan.cols[id].typ
	}
	return out
}

func (b *builder) operator(n node) exec.Operator {
	switch n := n.(type) {
	case *scanNode:
		return b.scan(n)
	case *valuesNode:
		return &exec.Values{Rows: n.rows, Types: b.types(n.ids), Env: b.env}
	case *filterNode:
		return &exec.Filter{In: b.build(n.in), Preds: placeAll(n.preds, n.in.outputs()), Cols: positions(n.outs, n.in.outputs()), Env: b.env}
	case *projectNode:
		return &exec.Project{In: b.build(n.in), Exprs: placeAll(n.exprs, n.in.outputs()), Env: b.env}
	case *aggregateNode:
		if n.eager != nil {
			return b.eagerAggregate(n)
		}
		if op := b.parallelAggregate(n); op != nil {
			return op
		}
		return b.aggregate(n, b.build(n.in))
	case *distinctNode:
		op := &exec.Distinct{In: b.build(n.in), Env: b.env}
		for _, id := range n.cols {
			op.Cols = append(op.Cols, slices.Index(n.in.outputs(), id))
		}
		return op
	case *sortNode:
		outs := n.in.outputs()
		if n.ties {
			key := place(n.keys[0].Expr, outs).(*exec.Col)
			return &exec.TieOrder{In: b.build(n.in), Col: key.Index, Want: n.limit, Env: b.env}
		}
		op := &exec.Sort{In: b.build(n.in), Limit: n.limit, Env: b.env}
		for _, k := range n.keys {
			k.Expr = place(k.Expr, outs)
			op.Keys = append(op.Keys, k)
		}
		return op
	case *limitNode:
		return &exec.Limit{In: b.build(n.in), Count: n.count, Offset: n.offset}
	case *withNode:
		op := &exec.With{}
		last := len(n.ins) - 1
		for _, d := range n.ins[:last] {
			op.Used = append(op.Used, b.build(d))
		}
		op.Main = b.build(n.ins[last])
		return op
	case *defNode:
		a := &exec.Answer{In: b.build(n.in), Kind: n.kind, At: n.at, Env: b.env}
		if n.col >= 0 {
			a.Col, a.Type = slices.Index(n.in.outputs(), n.col), b.plan.cols[n.col].typ
		}
		b.env.Answers = append(b.env.Answers, a)
		return a
	case *keepNode:
		pick := &exec.Project{In: b.build(n.in), Env: b.env}
		for _, id := range n.ids {
			pick.Exprs = append(pick.Exprs, &exec.Col{Index: slices.Index(n.in.outputs(), id), T: b.plan.cols[id].typ})
		}
		k := &exec.Kept{In: pick, Types: b.types(n.ids), Env: b.env}
		b.kept[n] = k
		return k
	case *keptNode:
		op := &exec.KeptScan{Of: b.kept[n.of]}
		for _, id := range n.from {
			op.Cols = append(op.Cols, slices.Index(n.of.ids, id))
		}
		return op
	case *distinctOnNode:
		return &exec.DistinctOn{In: b.build(n.in), Keys: placeAll(n.keys, n.in.outputs()), Env: b.env}
	case *setNode:
		op := &exec.SetOp{Left: b.build(n.ins[0]), Right: b.build(n.ins[1]), Except: n.except, All: n.all, Types: b.types(n.ids), Env: b.env}
		for i, in := range n.ins {
			for _, id := range n.maps[i] {
				op.Maps[i] = append(op.Maps[i], slices.Index(in.outputs(), id))
			}
		}
		return op
	case *joinNode:
		return b.join(n)
	case *windowNode:
		return n.operator(b)
	case *endRowNode:
		return n.operator(b)
	case *unnestNode:
		return b.unnest(n)
	case *computeNode:
		outs := n.in.outputs()
		op := &exec.Project{In: b.build(n.in), Env: b.env}
		for i, id := range outs {
			op.Exprs = append(op.Exprs, &exec.Col{Index: i, Name: b.plan.cols[id].name, T: b.plan.cols[id].typ})
		}
		op.Exprs = append(op.Exprs, placeAll(n.exprs, outs)...)
		return op
	case *hopNode:
		return &exec.Hop{In: b.build(n.in), X: place(n.x, n.in.outputs()), Grid: n.grid, Ends: n.ends, Env: b.env}
	case *sessionNode:
		return b.session(n)
	case *unionNode:
		op := &exec.Union{}
		for i, in := range n.ins {
			op.Ins = append(op.Ins, b.build(in))
			positions := make([]int, len(n.maps[i]))
			for k, id := range n.maps[i] {
				positions[k] = slices.Index(in.outputs(), id)
			}
			op.Maps = append(op.Maps, positions)
		}
		return op
	}
	panic("planner: unknown node")
}

func (b *builder) aggregate(n *aggregateNode, in exec.Operator) *exec.HashAggregate {
	outs := n.in.outputs()
	op := &exec.HashAggregate{In: in, Keys: placeAll(n.keys, outs), Env: b.env}
	for _, a := range n.aggs {
		op.Aggs = append(op.Aggs, a.Map(func(x exec.Expr) exec.Expr { return place(x, outs) }))
	}
	return op
}

func (b *builder) request(n *scanNode) Request {
	req := n.request()
	req.Keys = b.keys[n]
	req.BatchRows, req.Threads, req.Columns = b.opts.BatchRows, max(b.opts.Threads, 1), b.opts.Columns
	if req.BatchRows <= 0 {
		req.BatchRows = vector.MaxRows
	}
	return req
}

func (b *builder) scan(n *scanNode) exec.Operator {
	if b.part != nil {
		return b.part(n)
	}
	req := b.request(n)
	if l, ok := n.source.(*lineageSource); ok {
		req.Hold = exec.Hold(b.env, l.Title())
	}
	return &exec.Scan{
		Start: func(ctx context.Context) (exec.Iterator, error) { return n.source.Scan(ctx, req) },
		Count: countScan,
	}
}

func countScan(it exec.Iterator) exec.Stats {
	if s, ok := it.(StatsIterator); ok {
		return s.ScanStats().counts()
	}
	return exec.Stats{}
}

func (s ScanStats) counts() exec.Stats {
	return exec.Stats{RowsRead: s.RowsRead, BytesRead: s.BytesRead, Skipped: s.RowsSkipped, Chunks: s.Chunks, Pruned: s.ChunksPruned, Keyed: s.RowsKeyed, KeyedChunks: s.ChunksKeyed}
}
