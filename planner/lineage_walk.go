package planner

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"github.com/seed69692123/netdb/planner/vector"
)

// lineageNode is an event that was found.
type lineageNode struct {
	log   int32 // in names
	from  int32 // the node it was found from; -1: none
	seq   int64
	depth int64
}

// eventKey is an event.
type eventKey struct {
	log int32
	seq int64
}

// lineageWalk finds the events of a lineage, breadth first: nodes are in the order in which they are found, so those of one depth stand
// together.
type lineageWalk struct {
	l     *lineageSource
	req   Request
	hold  func(bytes int64) error
	stats ScanStats

	names   []string // of logs; the first are those of the source
	byName  map[string]int32
	sources []Source // of names, as far as they were asked for; nil: there is no such log
	asked   []bool

	nodes []lineageNode
	index map[eventKey]int32
	// edges are, node by node, where the search went on from it, in the order of the links: [edgeEnd[i-1], edgeEnd[i]) of node i.
	edges    []int32
	edgeEnd  []int
	links    []Link
	children []childEdge // of a search forward, by parent
}

// childEdge says that an event names a parent.
type childEdge struct{ parent, child eventKey }

const (
	nodeBytes  = 24 + 48 // with its place in the index
	childBytes = 32
	// levelPart is how many nodes are read at once to find their parents.
	levelPart = 4096
	// nearEvents is how far apart events may be that one scan reads.
	nearEvents = 32
)

// bytes is what the walk holds.
func (w *lineageWalk) bytes() int64 {
	return int64(cap(w.nodes)*nodeBytes + cap(w.edges)*4 + cap(w.edgeEnd)*8 + cap(w.children)*childBytes + len(w.names)*64)
}

// walk finds all events.
func (w *lineageWalk) walk(ctx context.Context) error {
	l := w.l
	w.byName, w.index = map[string]int32{}, map[eventKey]int32{}
	for i, name := range l.names {
		w.byName[name] = int32(i)
	}
	w.names, w.sources = slices.Clone(l.names), slices.Clone(l.sources)
	w.asked = make([]bool, len(w.names))
	for i := range w.asked {
		w.asked[i] = true
	}
	w.add(eventKey{0, l.start.Seq}, -1, 0)
	if l.forward && l.depth != 0 {
		if err := w.readChildren(ctx); err != nil {
			return err
		}
	}
	for lo := 0; lo < len(w.nodes) && (l.depth < 0 || w.nodes[lo].depth < l.depth); {
		hi := lo
		for hi < len(w.nodes) && hi-lo < levelPart && w.nodes[hi].depth == w.nodes[lo].depth {
			hi++
		}
		var err error
		if l.forward {
			err = w.forward(ctx, lo, hi)
		} else {
			err = w.back(ctx, lo, hi)
		}
		if err != nil {
			return err
		}
		lo = hi
	}
	w.children = nil
	if !l.stop {
		if err := w.findCycle(ctx); err != nil {
			return err
		}
	}
	w.edges, w.edgeEnd, w.index = nil, nil, nil
	return w.hold(w.bytes())
}

// add returns the node of an event, which is new if it was not found before.
func (w *lineageWalk) add(k eventKey, from int32, depth int64) int32 {
	if i, ok := w.index[k]; ok {
		return i
	}
	i := int32(len(w.nodes))
	w.nodes = append(w.nodes, lineageNode{log: k.log, from: from, seq: k.seq, depth: depth})
	w.index[k] = i
	return i
}

// log returns the number of a log's name.
func (w *lineageWalk) log(name string) int32 {
	if i, ok := w.byName[name]; ok {
		return i
	}
	i := int32(len(w.names))
	w.names, w.sources, w.asked = append(w.names, name), append(w.sources, nil), append(w.asked, w.l.alone)
	w.byName[name] = i
	return i
}

// source returns the log of a number at the query's cut, nil if there is none.
func (w *lineageWalk) source(ctx context.Context, log int32) (Source, error) {
	if !w.asked[log] {
		s, err := w.l.cat.Table(ctx, TableName{Kind: KindLog, Name: w.names[log]})
		if err != nil {
			return nil, err
		}
		w.sources[log], w.asked[log] = s, true
	}
	return w.sources[log], nil
}

// quoted is a log's name as JSON.
func (w *lineageWalk) quoted(log int32) []byte {
	b, _ := json.Marshal(w.names[log]) // a text
	return b
}

// back adds the parents of the nodes lo <= i < hi.
func (w *lineageWalk) back(ctx context.Context, lo, hi int) error {
	type span struct{ from, to int }
	parents := make([]span, hi-lo)
	w.links = w.links[:0]
	req := w.parentsRequest()
	if err := w.fetch(ctx, lo, w.nodes[lo:hi], req, func(node int, b *vector.Batch, row int) error {
		from := len(w.links)
		if err := w.parents(w.nodes[node].log, b, row); err != nil {
			return err
		}
		parents[node-lo] = span{from, len(w.links)}
		return w.holdLinks()
	}); err != nil {
		return err
	}
	for i := lo; i < hi; i++ {
		p := parents[i-lo]
		for _, link := range w.links[p.from:p.to] {
			w.edge(i, eventKey{w.log(link.Log), link.Seq})
		}
		if err := w.endEdges(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

func (w *lineageWalk) holdLinks() error { return w.hold(w.bytes() + int64(cap(w.links))*24) }

// edge goes from node i to an event.
func (w *lineageWalk) edge(i int, to eventKey) {
	w.edges = append(w.edges, w.add(to, int32(i), w.nodes[i].depth+1))
}

func (w *lineageWalk) endEdges(ctx context.Context, i int) error {
	w.edgeEnd = append(w.edgeEnd, len(w.edges))
	if i%1024 == 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return w.holdLinks()
}

// parentsRequest asks for what the parents of an event are read from: its sequence comes first.
func (w *lineageWalk) parentsRequest() Request {
	base := w.l.sources[0]
	r := Request{Outputs: []Output{{Column: seqColumn(base)}}}
	if w.l.path != nil {
		r.Outputs = append(r.Outputs, Output{Column: -1, Path: w.l.path})
		return r
	}
	for _, c := range base.(ParentSource).ParentColumns() {
		r.Outputs = append(r.Outputs, Output{Column: c})
	}
	return r
}

// parents appends the links of the event in a row, whose sequence stands before what they are read from.
func (w *lineageWalk) parents(log int32, b *vector.Batch, row int) (err error) {
	if w.l.path == nil {
		event := vector.Batch{Cols: b.Cols[1:], N: b.N, Sel: b.Sel}
		s, ok := w.sources[log].(ParentSource)
		if !ok {
			return nil
		}
		w.links, err = s.Parents(&event, row, w.links)
		return err
	}
	v := b.Cols[1]
	link := Link{Log: w.names[log]}
	switch c := v.Class(row); c {
	case vector.ClassInt:
		link.Seq = v.Int(row)
	case vector.ClassFloat:
		x := v.Float(row)
		if link.Seq = int64(x); x < 0 || x >= 1<<63 || float64(link.Seq) != x {
			return nil
		}
	case vector.ClassArray, vector.ClassObject:
		return w.jsonParents(link.Log, v.Bytes(row))
	default:
		return nil
	}
	if link.Seq >= 0 {
		w.links = append(w.links, link)
	}
	return nil
}

// jsonParents appends the links of an array of sequences and of objects {"log": name, "seq": n}, or of one such object. What is
// neither is no link.
func (w *lineageWalk) jsonParents(log string, text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	depth, key := 0, ""
	inner := 0 // the depth at which members of a link stand
	link, hasSeq := Link{}, false
	for {
		tok, err := d.Token()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return nil //nolint:nilerr // what was read up to there are links; a payload that is not well-formed has no fields at all
		}
		switch t := tok.(type) {
		case json.Delim:
			switch t {
			case '{', '[':
				if depth++; t == '{' && inner == 0 && depth <= 2 {
					inner, link, hasSeq, key = depth, Link{Log: log}, false, ""
				} else if inner > 0 && depth == inner+1 {
					key = ""
				}
			default:
				if depth == inner {
					if hasSeq {
						w.links = append(w.links, link)
						if err := w.holdLinks(); err != nil {
							return err
						}
					}
					inner = 0
				}
				depth--
			}
			continue
		case string:
			switch {
			case inner == 0 || depth != inner:
			case key == "":
				key = t
				continue
			case key == "log":
				link.Log = t
			}
		case json.Number:
			n, err := t.Int64()
			switch ok := err == nil && n >= 0; {
			case ok && inner > 0 && depth == inner && key == "seq":
				link.Seq, hasSeq = n, true
			case ok && inner == 0 && depth == 1:
				w.links = append(w.links, Link{Log: log, Seq: n})
				if err := w.holdLinks(); err != nil {
					return err
				}
			}
		}
		if depth == inner {
			key = ""
		}
	}
}

// fetch reads the events of nodes that exist, of which the first has a number, and calls f with each.
func (w *lineageWalk) fetch(ctx context.Context, first int, nodes []lineageNode, req Request, f func(node int, b *vector.Batch, row int) error) error {
	order := make([]int32, len(nodes))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		x, y := &nodes[a], &nodes[b]
		return cmp.Or(cmp.Compare(x.log, y.log), cmp.Compare(x.seq, y.seq))
	})
	for at := 0; at < len(order); {
		end := at + 1
		log := nodes[order[at]].log
		for end < len(order) && nodes[order[end]].log == log && nodes[order[end]].seq-nodes[order[end-1]].seq <= nearEvents {
			end++
		}
		run := order[at:end]
		at = end
		src, err := w.source(ctx, log)
		if err != nil {
			return err
		}
		if src == nil {
			continue
		}
		r := req
		from, _ := rangeOf(vector.Ge, nodes[run[0]].seq)
		to, _ := rangeOf(vector.Le, nodes[run[len(run)-1]].seq)
		r.Range = w.l.rng
		r.Range.Seq = r.Range.Seq.Intersect(from).Intersect(to)
		k := 0
		if err := w.scan(ctx, src, r, func(b *vector.Batch, row int) error {
			seq := b.Cols[0].Int(row)
			for k < len(run) && nodes[run[k]].seq < seq {
				k++
			}
			if k == len(run) || nodes[run[k]].seq != seq {
				return nil
			}
			return f(first+int(run[k]), b, row)
		}); err != nil {
			return err
		}
	}
	return nil
}

// scan calls f with each row of a scan.
func (w *lineageWalk) scan(ctx context.Context, src Source, r Request, f func(b *vector.Batch, row int) error) (err error) {
	if r.Range.Seq.Empty() || r.Range.Time.Empty() {
		return nil
	}
	r.BatchRows, r.Columns = w.req.BatchRows, w.req.Columns
	r.Threads = max(r.Threads, 1)
	it, err := src.Scan(ctx, r)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, it.Close())
		if s, ok := it.(StatsIterator); ok {
			st := s.ScanStats()
			w.stats.RowsRead += st.RowsRead
			w.stats.BytesRead += st.BytesRead
		}
	}()
	for {
		b, err := it.Next(ctx)
		if err != nil || b == nil {
			return err
		}
		for k := range b.Rows() {
			if err := f(b, b.Row(k)); err != nil {
				return err
			}
		}
	}
}

// readChildren reads who names whom as a parent, in one scan of each log.
func (w *lineageWalk) readChildren(ctx context.Context) error {
	for log := range w.l.sources {
		req := w.parentsRequest()
		req.Range, req.Threads = w.l.rng, w.req.Threads
		if err := w.scan(ctx, w.sources[log], req, func(b *vector.Batch, row int) error {
			w.links = w.links[:0]
			if err := w.parents(int32(log), b, row); err != nil {
				return err
			}
			child := eventKey{int32(log), b.Cols[0].Int(row)}
			for _, p := range w.links {
				w.children = append(w.children, childEdge{eventKey{w.log(p.Log), p.Seq}, child})
			}
			if len(w.links) == 0 {
				return nil
			}
			return w.holdLinks()
		}); err != nil {
			return err
		}
	}
	steps := 0
	var over error
	slices.SortFunc(w.children, func(a, b childEdge) int {
		if steps++; steps%(1<<16) == 0 {
			over = ctx.Err()
		}
		if over != nil {
			return 0 // so that it comes to its end
		}
		return compareEdges(a, b)
	})
	return ctx.Err()
}

func compareKeys(a, b eventKey) int {
	return cmp.Or(cmp.Compare(a.log, b.log), cmp.Compare(a.seq, b.seq))
}

func compareEdges(a, b childEdge) int {
	return cmp.Or(compareKeys(a.parent, b.parent), compareKeys(a.child, b.child))
}

// forward adds the children of the nodes lo <= i < hi.
func (w *lineageWalk) forward(ctx context.Context, lo, hi int) error {
	for i := lo; i < hi; i++ {
		n := w.nodes[i]
		key := eventKey{n.log, n.seq}
		at, _ := slices.BinarySearchFunc(w.children, key, func(e childEdge, k eventKey) int { return compareKeys(e.parent, k) })
		for ; at < len(w.children) && w.children[at].parent == key; at++ {
			w.edge(i, w.children[at].child)
		}
		if err := w.endEdges(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// findCycle looks for a way from a node to itself, depth first, the nodes and edges in their order.
func (w *lineageWalk) findCycle(ctx context.Context) error {
	const (
		open = 1 // on the way that is being followed
		done = 2
	)
	state := make([]byte, len(w.nodes))
	next := make([]int, len(w.nodes)) // the edge to follow
	for i := range w.edgeEnd {
		if i > 0 {
			next[i] = w.edgeEnd[i-1]
		}
	}
	if err := w.hold(w.bytes() + int64(len(w.nodes))*17); err != nil {
		return err
	}
	var way []int32
	for steps, first := 0, 0; first < len(w.edgeEnd); first++ {
		if state[first] != 0 {
			continue
		}
		way = append(way[:0], int32(first))
		state[first] = open
		for len(way) > 0 {
			if steps++; steps%(1<<14) == 0 {
				if err := ctx.Err(); err != nil {
					return err
				}
			}
			i := way[len(way)-1]
			if int(i) >= len(w.edgeEnd) || next[i] == w.edgeEnd[i] {
				state[i] = done
				way = way[:len(way)-1]
				continue
			}
			to := w.edges[next[i]]
			next[i]++
			switch state[to] {
			case 0:
				state[to] = open
				way = append(way, to)
			case open:
				e := &CycleError{}
				for _, at := range way[slices.Index(way, to):] {
					e.Events = append(e.Events, Link{w.names[w.nodes[at].log], w.nodes[at].seq})
				}
				return e
			}
		}
	}
	return nil
}
