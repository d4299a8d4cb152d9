package logscan

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/redex"
)

// The static columns, in the order of Columns.
const (
	colSeq = iota
	colTime
	colSize
	colOrigin
	colKind
	colEncoding
	colKey
	colPayload
	colBytes
	numColumns
)

// Source is a log as a table at one cut. It is safe for concurrent use.
type Source struct {
	log        *redex.Log
	fields     *fields
	catalogues *Catalogues
	bounds     redex.Bounds // at the cut
	indexes    []Index
	sparse     bool // compaction by key took events of the log, or may do so while it is read
}

var _ planner.Source = (*Source)(nil)

// Title names the log as EXPLAIN shows it.
func (s *Source) Title() string { return fmt.Sprintf("LogScan %q", s.log.Name()) }

// Log returns the log that is read.
func (s *Source) Log() *redex.Log { return s.log }

// Bounds returns the sequences that can be read at the cut.
func (s *Source) Bounds() redex.Bounds { return s.bounds }

// Columns returns the log's own columns.
func (s *Source) Columns() []planner.Column { return Columns() }

// Columns returns the own columns of every log.
func Columns() []planner.Column {
	return []planner.Column{
		colSeq:      {Name: "_seq", Type: vector.Int, Role: planner.RoleSeq, InStar: true, NotNull: true},
		colTime:     {Name: "_ts", Type: vector.Time, Role: planner.RoleTime, InStar: true, NotNull: true},
		colSize:     {Name: "_size", Type: vector.Int, NotNull: true},
		colOrigin:   {Name: "_origin", Type: vector.Text, NotNull: true},
		colKind:     {Name: "_kind", Type: vector.Int, NotNull: true},
		colEncoding: {Name: "_encoding", Type: vector.Text, NotNull: true},
		colKey:      {Name: "_key", Type: vector.Any},
		colPayload:  {Name: "_payload", Type: vector.JSON, Role: planner.RolePayload},
		colBytes:    {Name: "_bytes", Type: vector.Blob, NotNull: true},
	}
}

// Fields returns the field catalogue. With complete set, the rows of the cut that it has not taken in are walked first. A log
// without rows at the cut is open, and so is one whose paths do not fit MaxPaths, MaxLevels and MaxNameBytes.
func (s *Source) Fields(ctx context.Context, complete bool) (planner.Catalogue, error) {
	if complete {
		if err := s.catalogues.walk(ctx, s.fields, s.log, s.bounds.Next); err != nil {
			return planner.Catalogue{}, fmt.Errorf("field catalogue of %q: %w", s.log.Name(), err)
		}
	}
	c := s.fields.catalogue()
	c.Open = c.Open || s.bounds.Len() == 0
	c.Fields = withDeclared(c.Fields, s.log.Options().Fields)
	return c, nil
}

// Estimate returns the number of rows of a range: exact, but for a log that is compacted by key.
func (s *Source) Estimate(ctx context.Context, r planner.Range) (planner.Estimate, error) {
	from, to, err := s.sequences(ctx, r)
	if err != nil {
		return planner.Estimate{}, err
	}
	return planner.Estimate{Rows: int64(to - from), Exact: !s.sparse}, nil
}

// sequences returns the sequences [from, to) of a range at the cut.
func (s *Source) sequences(ctx context.Context, r planner.Range) (from, to redex.Seq, err error) {
	from, to = s.bounds.Floor, s.bounds.Next
	if r.Seq.Empty() || r.Time.Empty() {
		return from, from, nil
	}
	lo, hi := r.Seq.Bounds()
	from = max(from, redex.Seq(max(lo, 0)))
	if hi != math.MaxInt64 {
		to = min(to, redex.Seq(max(hi, 0)))
	}
	if from >= to {
		return from, from, nil
	}
	early, late := r.Time.Bounds()
	if early != math.MinInt64 {
		seq, err := s.log.SeekTime(ctx, early)
		if err != nil {
			return 0, 0, err
		}
		from = max(from, seq)
	}
	if late != math.MaxInt64 {
		seq, err := s.log.SeekTime(ctx, late)
		if err != nil {
			return 0, 0, err
		}
		to = min(to, seq)
	}
	return from, max(from, to), nil
}

// Scan starts a scan.
func (s *Source) Scan(ctx context.Context, r planner.Request) (planner.Iterator, error) {
	from, to, err := s.sequences(ctx, r.Range)
	if err != nil {
		return nil, fmt.Errorf("scan of %q: %w", s.log.Name(), err)
	}
	rows := r.BatchRows
	if rows <= 0 || rows > vector.MaxRows {
		rows = vector.MaxRows
	}
	rows = min(rows, max(1, maxBatchBytes/cellBytes/max(1, len(r.Outputs))))
	if r.Limit > 0 && redex.Seq(r.Limit) < to-from && !s.sparse {
		if r.Reverse {
			from = to - redex.Seq(r.Limit)
		} else {
			to = from + redex.Seq(r.Limit)
		}
	}
	all := span{from, to}
	if r.Within != (planner.Range{}) {
		if all.from, all.to, err = s.sequences(ctx, r.Within); err != nil {
			return nil, fmt.Errorf("scan of %q: %w", s.log.Name(), err)
		}
	}
	if r.Limit > 0 { // what was read for the first rows is not worth making chunks
		all.to = all.from
	}
	p := newProjection(r.Outputs)
	p.columns, p.once = r.Columns, r.Once && !r.Reverse
	if !r.Reverse && r.Limit == 0 {
		p.keys = r.Keys
	}
	spans := addSpan(nil, from, to)
	var st planner.ScanStats
	found, err := s.candidates(ctx, &r, from, to)
	switch {
	case err != nil:
	case found != nil:
		spans = found.spans
		all.to = all.from // a few rows of many are not worth making chunks
	case r.Columns != planner.ColumnsNever:
		spans, st, err = s.spans(&r, from, to)
	}
	if err != nil {
		return nil, fmt.Errorf("scan of %q: %w", s.log.Name(), err)
	}
	left := rowsOf(spans)
	if left <= fewRows && r.Columns == planner.ColumnsAuto {
		p.columns = planner.ColumnsNever
	}
	if st.RowsSkipped = s.bounds.Len() - left; r.Within != (planner.Range{}) { // who divided the scan counts what is outside
		st = planner.ScanStats{RowsSkipped: int64(to-from) - left}
	}
	switch {
	case r.Reverse:
		return newBackward(s, p, spans, all, rows, st), nil
	case r.Threads > 1 && left > max(int64(rows), worthThreads):
		return newParallel(s, p, spans, all, rows, min(r.Threads, maxThreads), st), nil
	}
	return newForward(s, p, spans, all, rows, st), nil
}

// Divide divides a scan into parts of a chunk, or of fewer rows when there are not many chunks, but not of few batches.
func (s *Source) Divide(ctx context.Context, r planner.Request) (parts []planner.Interval, st planner.ScanStats, err error) {
	from, to, err := s.sequences(ctx, r.Range)
	if err == nil {
		var found *candidates
		if found, err = s.candidates(ctx, &r, from, to); found != nil { // few rows: one part
			st.RowsSkipped = s.bounds.Len() - int64(to-from)
			return []planner.Interval{{From: int64(from), To: int64(to), Bounded: true}}, st, nil
		}
	}
	spans := addSpan(nil, from, to)
	if err == nil && r.Columns != planner.ColumnsNever {
		spans, st, err = s.spans(&r, from, to)
	}
	if err != nil {
		return nil, st, fmt.Errorf("scan of %q: %w", s.log.Name(), err)
	}
	width := redex.Seq(max(r.BatchRows, 1) * partBatches)
	if r.Once || rowsOf(spans) >= partChunks*redex.ChunkEvents {
		width = redex.ChunkEvents
	}
	n := width
	for _, sp := range stripesOf(spans, width) {
		if n < width && n+(sp.to-sp.from) <= width {
			n += sp.to - sp.from
			parts[len(parts)-1].To = int64(sp.to)
			continue
		}
		parts = append(parts, planner.Interval{From: int64(sp.from), To: int64(sp.to), Bounded: true})
		n = sp.to - sp.from
	}
	st.RowsSkipped = s.bounds.Len()
	for _, p := range parts {
		st.RowsSkipped -= p.To - p.From
	}
	return parts, st, nil
}

const (
	partBatches = 8 // of a part, at least
	partChunks  = 8 // from so many on, each is a part
)

// fewRows is the number of rows that are read sooner than a block of each column is decoded.
const fewRows = 8

// worthThreads is the number of rows up to which one thread is as fast as several.
const worthThreads = 2 * pageEvents

// withDeclared adds the paths that a log's options declare and no event has had, behind those seen. Objects on the way are
// declared with them.
func withDeclared(fields []planner.Field, declared [][]string) []planner.Field {
	if len(declared) == 0 {
		return fields
	}
	key := func(path []string) string { return fmt.Sprintf("%q", path) }
	seen := make(map[string]bool, len(fields))
	for _, f := range fields {
		seen[key(f.Path)] = true
	}
	fields = slices.Clone(fields) // the catalogue's own is shared
	for _, path := range declared {
		for n := 1; n <= len(path); n++ {
			if k := key(path[:n]); !seen[k] {
				seen[k] = true
				fields = append(fields, planner.Field{Path: path[:n:n], Type: vector.Any})
			}
		}
	}
	return fields
}
