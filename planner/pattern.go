package planner

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/seed69692123/netdb/planner/vector"
)

// MatchLog reports whether a log's name matches a pattern: `*`, `?` and `[…]` match within a segment as in path.Match, and a
// segment `**` matches any number of segments. A malformed pattern matches nothing.
func MatchLog(pattern, name string) bool {
	return matchSegments(strings.Split(pattern, "/"), strings.Split(name, "/"))
}

// matchSegments takes time proportional to the product of the lengths: row i tells which prefixes of name the first i
// segments of the pattern match.
func matchSegments(pattern, name []string) bool {
	row := make([]bool, len(name)+1)
	row[0] = true
	for _, p := range pattern {
		next := make([]bool, len(name)+1)
		if p == "**" {
			seen := false
			for k := range next {
				seen = seen || row[k]
				next[k] = seen
			}
		} else {
			for k, seg := range name {
				if row[k] {
					ok, err := path.Match(p, seg)
					next[k+1] = ok && err == nil
				}
			}
		}
		row = next
	}
	return row[len(name)]
}

// patternSource is all logs of a pattern as one table, `_log` first. Rows come log by log in the order of names, and within
// a log in its own order, so the table as a whole is ordered neither by sequence nor by time: its columns have no role but
// the payload's.
type patternSource struct {
	pattern string
	names   []string
	sources []Source
}

func (p *patternSource) Title() string {
	return "LogScan logs('" + strings.ReplaceAll(p.pattern, "'", "''") + "')"
}

func (p *patternSource) Columns() []Column {
	cols := []Column{{Name: "_log", Type: vector.Text, InStar: true}}
	for _, c := range p.sources[0].Columns() {
		if c.Role != RolePayload {
			c.Role = RoleNone
		}
		cols = append(cols, c)
	}
	return cols
}

// Fields is the union of the catalogues, in the order of logs.
func (p *patternSource) Fields(ctx context.Context, complete bool) (Catalogue, error) {
	var all Catalogue
	at := map[string]int{}
	for _, s := range p.sources {
		c, err := s.Fields(ctx, complete)
		if err != nil {
			return Catalogue{}, err
		}
		all.Open = all.Open || c.Open
		for _, f := range c.Fields {
			key := strings.Join(f.Path, "\x00")
			i, ok := at[key]
			switch {
			case !ok:
				at[key] = len(all.Fields)
				all.Fields = append(all.Fields, f)
			case all.Fields[i].Type != f.Type || f.Types != nil:
				all.Fields[i] = all.Fields[i].with(f)
			}
		}
	}
	return all, nil
}

// with returns the field as it is where values of another log's field of that path stand beside its own.
func (f Field) with(o Field) Field {
	types := slices.Clone(f.types())
	for _, t := range o.types() {
		if !slices.Contains(types, t) {
			types = append(types, t)
		}
	}
	slices.Sort(types)
	f.Types, f.Type = types, vector.Any
	return f
}

// types are the types that values of the field have had.
func (f Field) types() []vector.Type {
	if f.Types == nil {
		return []vector.Type{f.Type}
	}
	return f.Types
}

func (p *patternSource) Estimate(ctx context.Context, r Range) (Estimate, error) {
	sum := Estimate{Exact: true}
	for _, s := range p.sources {
		e, err := s.Estimate(ctx, r)
		if err != nil {
			return Estimate{}, err
		}
		sum.Rows += e.Rows
		sum.Exact = sum.Exact && e.Exact
	}
	return sum, nil
}

func (p *patternSource) Scan(_ context.Context, r Request) (Iterator, error) {
	it := &patternIterator{p: p, req: r, at: -1}
	inner := r
	inner.Outputs, inner.Where = nil, nil // hints name outputs by position, which differs per log's scan
	for i, o := range r.Outputs {
		if o.Column == 0 {
			it.logCols = append(it.logCols, i)
			continue
		}
		if o.Column > 0 {
			o.Column--
		}
		inner.Outputs = append(inner.Outputs, o)
		it.from = append(it.from, i)
	}
	it.req = inner
	it.out.Cols = make([]*vector.Vector, len(r.Outputs))
	return it, nil
}

// patternIterator scans one log after the other.
type patternIterator struct {
	p       *patternSource
	req     Request
	logCols []int // outputs that are _log
	from    []int // from[k] is the output that column k of a log's batch becomes
	at      int
	cur     Iterator
	out     vector.Batch
	name    vector.Vector
	stats   ScanStats
}

func (it *patternIterator) Next(ctx context.Context) (*vector.Batch, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err // also between very many empty logs
		}
		if it.cur == nil {
			if it.at+1 >= len(it.p.sources) {
				return nil, nil
			}
			it.at++
			k := it.at
			if it.req.Reverse {
				k = len(it.p.sources) - 1 - k
			}
			cur, err := it.p.sources[k].Scan(ctx, it.req)
			if err != nil {
				return nil, err
			}
			it.cur = cur
			it.name.Reset(vector.Text)
			it.name.AppendText([]byte(it.p.names[k]))
			it.name.Const = true
		}
		in, err := it.cur.Next(ctx)
		if err != nil {
			return nil, err
		}
		if in == nil {
			if err := it.Close(); err != nil {
				return nil, err
			}
			continue
		}
		for k, i := range it.from {
			it.out.Cols[i] = in.Cols[k]
		}
		for _, i := range it.logCols {
			it.out.Cols[i] = &it.name
		}
		it.out.N, it.out.Sel = in.N, in.Sel
		return &it.out, nil
	}
}

func (it *patternIterator) Close() error {
	if it.cur == nil {
		return nil
	}
	cur := it.cur
	it.cur = nil
	err := cur.Close()
	if s, ok := cur.(StatsIterator); ok {
		st := s.ScanStats()
		it.stats.RowsRead += st.RowsRead
		it.stats.BytesRead += st.BytesRead
		it.stats.RowsSkipped += st.RowsSkipped
		it.stats.Chunks += st.Chunks
		it.stats.ChunksPruned += st.ChunksPruned
	}
	return err
}

func (it *patternIterator) ScanStats() ScanStats { return it.stats }
