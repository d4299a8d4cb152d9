package planner

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/seed69692123/netdb/internal/payload"
	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/query/sql"
)

// memLog is a log kept in a slice: JSON payloads and their times.
type memLog struct {
	name     string
	payloads []string
	times    []int64
	late     int // the last so many rows are not in the catalogue until it is asked to be complete
	open     bool
	scans    []Request // of each Scan
	active   int       // scans not closed
}

func newLog(name string, payloads ...string) *memLog {
	l := &memLog{name: name, payloads: payloads}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range payloads {
		// Two events a frame: pairs share their time.
		l.times = append(l.times, start.Add(time.Duration(i/2)*time.Minute).UnixNano())
	}
	return l
}

func (l *memLog) Title() string { return "LogScan " + quoteTable(TableName{KindLog, l.name}) }

func (l *memLog) Columns() []Column {
	return []Column{
		{Name: "_seq", Type: vector.Int, Role: RoleSeq, InStar: true},
		{Name: "_ts", Type: vector.Time, Role: RoleTime, InStar: true},
		{Name: "_size", Type: vector.Int},
		{Name: "_kind", Type: vector.Int},
		{Name: "_payload", Type: vector.JSON, Role: RolePayload},
	}
}

func (l *memLog) Fields(_ context.Context, complete bool) (Catalogue, error) {
	n := len(l.payloads)
	if !complete {
		n -= l.late
	}
	c := Catalogue{Open: l.open || n == 0}
	seen := map[string]bool{}
	for _, p := range l.payloads[:n] {
		if !payload.HasFields(payload.JSON, []byte(p)) {
			continue
		}
		paths := [][]string{nil}
		payload.Walk(payload.JSON, []byte(p), func(node int32, name []byte, _ payload.Class) int32 {
			path := append(append([]string(nil), paths[node]...), string(name))
			if key := strings.Join(path, "\x00"); !seen[key] {
				seen[key] = true
				c.Fields = append(c.Fields, Field{Path: path})
			}
			paths = append(paths, path)
			return int32(len(paths) - 1)
		})
	}
	return c, nil
}

func (l *memLog) rows(r Range) (from, to int) {
	to = len(l.payloads)
	for from < to && !(r.Seq.Contains(int64(from)) && r.Time.Contains(l.times[from])) {
		from++
	}
	for to > from && !(r.Seq.Contains(int64(to-1)) && r.Time.Contains(l.times[to-1])) {
		to--
	}
	return from, to
}

func (l *memLog) Estimate(_ context.Context, r Range) (Estimate, error) {
	from, to := l.rows(r)
	return Estimate{Rows: int64(to - from), Exact: true}, nil
}

func (l *memLog) Scan(_ context.Context, r Request) (Iterator, error) {
	l.scans = append(l.scans, r)
	l.active++
	it := &memLogScan{l: l, req: r}
	it.from, it.to = l.rows(r.Range)
	var paths [][]string
	for _, o := range r.Outputs {
		it.batch.Cols = append(it.batch.Cols, &vector.Vector{})
		if o.Column < 0 {
			paths = append(paths, o.Path)
		}
	}
	it.sel = payload.NewSelector(paths)
	it.found = make([]payload.Value, len(paths))
	return it, nil
}

type memLogScan struct {
	l        *memLog
	req      Request
	from, to int
	read     int64
	sel      *payload.Selector
	found    []payload.Value
	batch    vector.Batch
	closed   bool
}

func (it *memLogScan) ScanStats() ScanStats { return ScanStats{RowsRead: it.read} }

func (it *memLogScan) Close() error {
	if !it.closed {
		it.closed = true
		it.l.active--
	}
	return nil
}

func (it *memLogScan) Next(ctx context.Context) (*vector.Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if it.from >= it.to || it.req.Limit > 0 && it.read >= it.req.Limit {
		return nil, nil
	}
	cols := it.l.Columns()
	for k, o := range it.req.Outputs {
		t := vector.Any
		if o.Column >= 0 {
			t = cols[o.Column].Type
		}
		it.batch.Cols[k].Reset(t)
	}
	it.batch.N, it.batch.Sel = 0, nil
	for it.batch.N < it.req.BatchRows && it.from < it.to {
		i := it.from
		if it.req.Reverse {
			it.to--
			i = it.to
		} else {
			it.from++
		}
		p := []byte(it.l.payloads[i])
		it.sel.Find(payload.JSON, p, it.found)
		f := 0
		for k, o := range it.req.Outputs {
			v := it.batch.Cols[k]
			if o.Column < 0 {
				appendPayload(v, &it.found[f])
				f++
				continue
			}
			switch cols[o.Column].Name {
			case "_seq":
				v.AppendInt(int64(i))
			case "_ts":
				v.AppendTime(it.l.times[i])
			case "_size":
				v.AppendInt(int64(len(p)))
			case "_kind":
				v.AppendInt(int64(i % 3))
			case "_payload":
				top := payload.Top(payload.JSON, p)
				appendPayload(v, &top)
			}
		}
		it.batch.N++
		it.read++
	}
	return &it.batch, nil
}

func appendPayload(v *vector.Vector, x *payload.Value) {
	switch x.Class {
	case payload.Null:
		v.AppendExplicitNull()
	case payload.Bool:
		v.AppendBool(x.Bits != 0)
	case payload.Int:
		v.AppendInt(x.Int())
	case payload.Float:
		v.AppendFloat(x.Float())
	case payload.Big:
		v.AppendBytes(vector.ClassBig, x.AppendBytes(nil))
	case payload.Text:
		v.AppendText(x.AppendBytes(nil))
	case payload.Array:
		v.AppendBytes(vector.ClassArray, x.AppendBytes(nil))
	case payload.Object:
		v.AppendBytes(vector.ClassObject, x.AppendBytes(nil))
	default:
		v.AppendNull()
	}
}

// memTable is a fold or system table of static columns.
type memTable struct {
	name string
	kind TableKind
	cols []Column
	rows [][]query.Value
}

func (t *memTable) Title() string { return "FoldScan " + t.name }
func (t *memTable) Columns() []Column {
	return t.cols
}

func (t *memTable) Fields(context.Context, bool) (Catalogue, error) { return Catalogue{}, nil }
func (t *memTable) Position() string                                { return "7" }
func (t *memTable) Estimate(context.Context, Range) (Estimate, error) {
	return Estimate{Rows: int64(len(t.rows)), Exact: true}, nil
}

func (t *memTable) Scan(_ context.Context, r Request) (Iterator, error) {
	return &memTableScan{t: t, req: r}, nil
}

type memTableScan struct {
	t   *memTable
	req Request
	at  int
}

func (s *memTableScan) Close() error { return nil }
func (s *memTableScan) Next(ctx context.Context) (*vector.Batch, error) {
	if err := ctx.Err(); err != nil || s.at == len(s.t.rows) {
		return nil, err
	}
	b := &vector.Batch{}
	for _, o := range s.req.Outputs {
		b.Cols = append(b.Cols, vector.New(s.t.cols[o.Column].Type, 0))
	}
	for ; b.N < s.req.BatchRows && s.at < len(s.t.rows); s.at++ {
		for k, o := range s.req.Outputs {
			exec.AppendValue(b.Cols[k], s.t.rows[s.at][o.Column])
		}
		b.N++
	}
	return b, nil
}

// memCatalog is a catalog of such tables.
type memCatalog map[TableName]Source

func (c memCatalog) Tables(context.Context) ([]TableName, error) {
	var out []TableName
	for t := range c {
		out = append(out, t)
	}
	return out, nil
}

func (c memCatalog) Has(_ context.Context, t TableName) (bool, error) {
	_, ok := c[t]
	return ok, nil
}

func (c memCatalog) Table(_ context.Context, t TableName) (Source, error) {
	s, ok := c[t]
	if !ok {
		return nil, nil
	}
	return s, nil
}

func (c memCatalog) log(l *memLog) *memLog {
	c[TableName{KindLog, l.name}] = l
	return l
}

func (c memCatalog) table(t *memTable) { c[TableName{t.kind, t.name}] = t }

// testNow is the time of now() in tests.
func testNow() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// planSQL parses and plans.
func planSQL(ctx context.Context, c Catalog, text string, o Options) (*Plan, error) {
	stmt, err := sql.Parse(text, sql.Options{})
	if err != nil {
		return nil, err
	}
	o.Text = text
	if o.Now.IsZero() {
		o.Now = testNow()
	}
	return Make(ctx, c, stmt, o)
}

// runSQL returns the rows of a statement, cells separated by |.
func runSQL(ctx context.Context, c Catalog, text string, o Options, ro RunOptions) ([]string, error) {
	p, err := planSQL(ctx, c, text, o)
	if err != nil {
		return nil, err
	}
	return runPlan(ctx, p, ro)
}

func runPlan(ctx context.Context, p *Plan, ro RunOptions) ([]string, error) {
	r, err := Run(ctx, p, ro)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []string
	for {
		b, err := r.Next(ctx)
		if err != nil || b == nil {
			return out, err
		}
		for k := range b.Rows() {
			cells := make([]string, len(b.Cols))
			for i, v := range b.Cols {
				cells[i] = exec.ValueAt(v, b.Row(k)).String()
			}
			out = append(out, strings.Join(cells, "|"))
		}
	}
}

func mustRun(t *testing.T, c Catalog, text string) []string {
	t.Helper()
	rows, err := runSQL(t.Context(), c, text, Options{}, RunOptions{})
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	return rows
}
