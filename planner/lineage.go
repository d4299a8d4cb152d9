package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/seed69692123/netdb/planner/vector"
)

// Link names an event.
type Link struct {
	Log string
	Seq int64
}

// ParentSource is a log of which the application says what the parents of an event are.
type ParentSource interface {
	Source
	// ParentColumns are the static columns that Parents looks at.
	ParentColumns() []int
	// Parents appends the parents of the event in row i of a batch of these columns.
	Parents(b *vector.Batch, i int, dst []Link) ([]Link, error)
}

// ErrCycle is returned when an event is its own ancestor. The error is a *CycleError.
var ErrCycle = errors.New("query: lineage has a cycle")

// CycleError names the events of a cycle, each the next one's child (of a search forward, its parent), and the last the first one's.
type CycleError struct{ Events []Link }

func (e *CycleError) Error() string {
	const most = 8
	var b strings.Builder
	b.WriteString(ErrCycle.Error() + ": ")
	for i, l := range e.Events {
		if i == most {
			fmt.Fprintf(&b, "%d more, ", len(e.Events)-most)
			break
		}
		fmt.Fprintf(&b, "%q %d, ", clip(l.Log), l.Seq)
	}
	fmt.Fprintf(&b, "%q %d", clip(e.Events[0].Log), e.Events[0].Seq)
	return b.String()
}

// Is reports whether target is ErrCycle.
func (e *CycleError) Is(target error) bool { return target == ErrCycle }

// lineageSource is an event and its ancestors, or its descendants, as a table: each once, at its least distance, nearest first and
// otherwise in the order in which their children name them, or (descendants) in the order of logs and sequences.
type lineageSource struct {
	cat     Catalog
	start   Link
	forward bool
	depth   int64    // -1: no bound
	path    []string // of the field with the parents; nil: the source says
	stop    bool     // at cycles
	alone   bool     // other logs are not looked at
	names   []string // of sources: the log of the start, then those of a pattern
	sources []Source
	rng     Range
}

// Title names the search as EXPLAIN shows it.
func (l *lineageSource) Title() string {
	direction := "back"
	if l.forward {
		direction = "forward"
	}
	bound := ""
	if l.depth >= 0 {
		bound = " depth<=" + strconv.FormatInt(l.depth, 10)
	}
	return fmt.Sprintf("Lineage %q %d %s%s", l.start.Log, l.start.Seq, direction, bound)
}

// Columns are those of the search, then those of a log. None has an order.
func (l *lineageSource) Columns() []Column {
	cols := slices.Clone(lineageColumns[:])
	for _, c := range l.sources[0].Columns() {
		if c.Role == RoleSeq {
			continue // it stands before
		}
		if c.Role != RolePayload {
			c.Role = RoleNone
		}
		cols = append(cols, c)
	}
	return cols
}

// own returns which column of a log column i is.
func (l *lineageSource) own(i int) int {
	if i -= len(lineageColumns); i >= seqColumn(l.sources[0]) {
		i++
	}
	return i
}

// Fields are those of all logs.
func (l *lineageSource) Fields(ctx context.Context, complete bool) (Catalogue, error) {
	p := patternSource{names: l.names, sources: l.sources}
	return p.Fields(ctx, complete)
}

// Estimate guesses.
func (l *lineageSource) Estimate(context.Context, Range) (Estimate, error) {
	if l.depth >= 0 {
		return Estimate{Rows: 1 + min(l.depth, 50)*2}, nil
	}
	return Estimate{Rows: 100}, nil
}

// Scan starts a search.
func (l *lineageSource) Scan(_ context.Context, r Request) (Iterator, error) {
	it := &lineageIterator{w: lineageWalk{l: l, req: r, hold: r.Hold}}
	if it.w.hold == nil {
		it.w.hold = func(int64) error { return nil }
	}
	for range r.Outputs {
		it.out.Cols = append(it.out.Cols, &vector.Vector{})
	}
	it.rows = r.BatchRows
	if it.rows <= 0 {
		it.rows = vector.MaxRows
	}
	it.events.Outputs = []Output{{Column: seqColumn(l.sources[0])}}
	all := l.Columns()
	for k, o := range r.Outputs {
		switch {
		case o.Column < 0:
		case o.Column == lineageFound:
			it.found = true
			continue
		case o.Column == lineagePath:
			it.paths = true
			continue
		case o.Column < len(lineageColumns):
			continue
		}
		if o.Column < 0 || all[o.Column].Type.Dynamic() || all[o.Column].Type == vector.Blob {
			it.rows = min(it.rows, wideRows)
		}
		if o.Column >= 0 {
			o.Column = l.own(o.Column)
		}
		it.events.Outputs, it.from = append(it.events.Outputs, o), append(it.from, k)
	}
	it.found = it.found || len(it.from) > 0
	return it, nil
}

// wideRows is how many events are held at once whose values may be large.
const wideRows = 64

func seqColumn(s Source) int {
	return slices.IndexFunc(s.Columns(), func(c Column) bool { return c.Role == RoleSeq })
}

// lineageIterator searches when it is first asked for rows, and then reads the events of what was found.
type lineageIterator struct {
	w      lineageWalk
	walked bool
	err    error
	at     int // nodes that were given out
	rows   int
	found  bool    // whether events exist is asked for
	paths  bool    // paths are
	events Request // of their columns: the sequence first
	from   []int   // outputs that the others are
	kept   []vector.Vector
	path   []byte
	out    vector.Batch
}

// ScanStats returns what was read.
func (it *lineageIterator) ScanStats() ScanStats { return it.w.stats }

// Close ends the search.
func (it *lineageIterator) Close() error {
	nodes := it.w.nodes
	it.w.nodes, it.w.index, it.w.edges, it.w.children = nil, nil, nil, nil
	it.at = len(nodes)
	return it.w.hold(0)
}

// Next returns the next events.
func (it *lineageIterator) Next(ctx context.Context) (*vector.Batch, error) {
	if !it.walked {
		it.walked = true
		it.err = it.w.walk(ctx)
	}
	if it.err == nil {
		it.err = ctx.Err()
	}
	nodes := it.w.nodes
	if it.err != nil || it.at >= len(nodes) {
		return nil, it.err
	}
	first := it.at
	some := nodes[first:min(len(nodes), first+it.rows)]
	if it.paths {
		some = some[:fewPaths(some)]
	}
	it.at += len(some)
	idx := make([]int32, len(some))
	for i := range idx {
		idx[i] = -1
	}
	if it.found {
		if it.err = it.read(ctx, first, some, idx); it.err != nil {
			return nil, it.err
		}
	}
	for k, o := range it.w.req.Outputs {
		if o.Column < 0 || o.Column >= len(lineageColumns) {
			continue
		}
		v := it.out.Cols[k]
		v.Reset(lineageColumns[o.Column].Type)
		for i := range some {
			n := &some[i]
			switch o.Column {
			case lineageLog:
				v.AppendText([]byte(it.w.names[n.log]))
			case lineageSeq:
				v.AppendInt(n.seq)
			case lineageDepth:
				v.AppendInt(n.depth)
			case lineagePath:
				it.path = it.w.appendPath(it.path[:0], first+i)
				v.AppendBytes(vector.ClassArray, it.path)
			case lineageFound:
				v.AppendBool(idx[i] >= 0)
			}
		}
	}
	if it.paths {
		if it.err = it.w.hold(it.w.bytes() + int64(cap(it.path))*3); it.err != nil {
			return nil, it.err
		}
	}
	for k, o := range it.from {
		it.out.Cols[o].Gather(&it.kept[k+1], idx)
	}
	it.out.N, it.out.Sel = len(some), nil
	return &it.out, nil
}

// fewPaths is how many of the nodes have paths of about 1 MiB together, at least one.
func fewPaths(nodes []lineageNode) int {
	left := int64(1 << 20)
	for i, n := range nodes {
		if left -= n.depth * 8; left < 0 {
			return max(i, 1)
		}
	}
	return len(nodes)
}

// read reads the events of nodes, and says which row of kept each is.
func (it *lineageIterator) read(ctx context.Context, first int, some []lineageNode, idx []int32) error {
	cols := it.w.l.sources[0].Columns()
	it.kept = make([]vector.Vector, len(it.events.Outputs))
	for k, o := range it.events.Outputs {
		t := vector.Any
		if o.Column >= 0 {
			t = cols[o.Column].Type
		}
		it.kept[k].Reset(t)
	}
	return it.w.fetch(ctx, first, some, it.events, func(node int, b *vector.Batch, row int) error {
		idx[node-first] = int32(it.kept[0].Len)
		held := int64(0)
		for k := range it.kept {
			it.kept[k].AppendFrom(b.Cols[k], row)
			held += it.kept[k].MemoryBytes()
		}
		return it.w.hold(it.w.bytes() + held)
	})
}

// appendPath writes the way from the start to a node as a JSON array: sequences, and of other logs than the start's objects.
func (w *lineageWalk) appendPath(dst []byte, i int) []byte {
	var way []int32
	for at := int32(i); at >= 0; at = w.nodes[at].from {
		way = append(way, at)
	}
	dst = append(dst, '[')
	for k, at := range slices.Backward(way) {
		n := w.nodes[at]
		if n.log == 0 {
			dst = strconv.AppendInt(dst, n.seq, 10)
		} else {
			dst = append(dst, `{"log":`...)
			dst = append(dst, w.quoted(n.log)...)
			dst = append(dst, `,"seq":`...)
			dst = strconv.AppendInt(dst, n.seq, 10)
			dst = append(dst, '}')
		}
		if k > 0 {
			dst = append(dst, ',')
		}
	}
	return append(dst, ']')
}
