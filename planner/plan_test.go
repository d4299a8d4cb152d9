package planner

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/query/sql"
)

func TestParameters(t *testing.T) {
	c := testCatalog()
	noon := query.Nanos(time.Date(2026, 1, 1, 0, 1, 0, 0, time.UTC).UnixNano())
	for _, tt := range []struct {
		sql   string
		args  []query.Value
		named map[string]query.Value
		want  string // rows joined by spaces, or the error
	}{
		{"SELECT id FROM demo WHERE id = $1", []query.Value{query.Int(2)}, nil, "2"},
		{"SELECT id FROM demo WHERE zone = $2 AND id > $1", []query.Value{query.Int(2), query.Text("eu")}, nil, "3 6"},
		{"SELECT id FROM demo WHERE id > :min AND id < :max", nil, map[string]query.Value{"min": query.Int(2), "max": query.Int(5)}, "3 4"},
		{"SELECT id FROM demo WHERE _ts = $1", []query.Value{noon}, nil, "3 4"},
		{"SELECT id FROM demo WHERE _ts = $1", []query.Value{query.Text("2026-01-01T00:01:00Z")}, nil, "3 4"},
		{"SELECT id FROM demo WHERE id = $1", []query.Value{query.Null()}, nil, ""},
		{"SELECT id FROM demo LIMIT $1", []query.Value{query.Int(1)}, nil, "1"},
		{"SELECT id FROM demo WHERE id = $1", nil, nil, "1:32: no value for $1: 0 were given"},
		{"SELECT $1 + $3", []query.Value{query.Int(1), query.Int(2)}, nil, "1:13: no value for $3: 2 were given"},
		{"SELECT $2", []query.Value{query.Int(1), query.Int(2)}, nil, "1:1: a value was given for $1, which the statement does not have"},
		{"SELECT $1", []query.Value{query.Int(1), query.Int(2)}, nil, "1:1: 2 values were given, the statement has parameters up to $1"},
		{"SELECT :nam", nil, map[string]query.Value{"name": query.Int(2)}, "1:8: no value for :nam (hint: there is one for :name)"},
		{"SELECT :a", nil, map[string]query.Value{"a": query.Int(1), "b": query.Int(2)}, "1:1: the statement does not have :b"},
		{"SELECT id FROM demo WHERE _seq = $1", []query.Value{query.Text("x")}, nil, "1:27: cannot compare BIGINT with TEXT (hint: use CAST, or write the constant in the other type)"},
		{"SELECT id FROM demo WHERE _ts > $1", []query.Value{query.Text("soon")}, nil, "1:33: cannot cast text \"soon\" to TIMESTAMPTZ"},
	} {
		rows, err := runSQL(t.Context(), c, tt.sql, Options{Args: tt.args, Named: tt.named}, RunOptions{})
		got := strings.Join(rows, " ")
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s %v %v\n got %s\nwant %s", tt.sql, tt.args, tt.named, got, tt.want)
		}
	}
	if _, err := planSQL(t.Context(), c, "SELECT id FROM demo WHERE id = $3 AND name = :x LIMIT $1", Options{Unbound: true}); err != nil {
		t.Errorf("unbound: %v", err)
	}
}

func TestResultColumns(t *testing.T) {
	c := testCatalog()
	p, err := planSQL(t.Context(), c, `SELECT ID, at.x, id AS id, count(*), sum(n), lower(name), 1 + 1, _payload->>'q', CAST(n AS BIGINT), 'a'
		FROM demo GROUP BY ALL`, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range p.Columns() {
		got = append(got, c.Name+" "+c.Type.String())
	}
	want := []string{
		"id ANY", "x ANY", "id ANY", "count(*) BIGINT", "sum(n) ANY", "lower(name) TEXT", "1 + 1 BIGINT", "_payload->>'q' TEXT",
		"CAST(n AS BIGINT) BIGINT", "'a' TEXT",
	}
	for i := range want {
		want[i] = strings.ReplaceAll(want[i], "_payload->>'q'", exprText(t, "_payload->>'q'"))
		want[i] = strings.ReplaceAll(want[i], "CAST(n AS BIGINT) ", exprText(t, "CAST(n AS BIGINT)")+" ")
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func exprText(t *testing.T, s string) string {
	t.Helper()
	e, err := sql.ParseExpr(s, sql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e.String()
}

// TestCatalogueGrows: rows the catalogue has not taken in are looked at before a name is called unknown, and a name that is in
// two tables is ambiguous even if one of them has it only in such rows.
func TestCatalogueGrows(t *testing.T) {
	c := memCatalog{}
	l := c.log(newLog("l", `{"a":1}`, `{"b":2}`))
	l.late = 1
	if got := mustRun(t, c, "SELECT b FROM l"); !slices.Equal(got, []string{"NULL", "2"}) {
		t.Error(got)
	}
	if got := mustRun(t, c, "SELECT * EXCLUDE (_ts) FROM l"); !slices.Equal(got, []string{"0|1|NULL", "1|NULL|2"}) {
		t.Error(got)
	}
	c.log(newLog("m", `{"b":1}`))
	if _, err := planSQL(t.Context(), c, "SELECT b FROM l, m", Options{}); err == nil || !strings.Contains(err.Error(), "ambiguous") {
		t.Error("got", err)
	}
}

// TestLongNames: a message shows the beginning of a name, however long it is.
func TestLongNames(t *testing.T) {
	c := memCatalog{}
	c.log(newLog("l", `{"a":1}`))
	for _, s := range []string{
		`SELECT "` + strings.Repeat("x", 1<<20) + `" FROM l`,
		`SELECT a` + strings.Repeat(".é", 3000) + ` FROM l`,
		`SELECT _` + strings.Repeat(".x", 3000) + ` FROM l`,
		`SELECT 1 FROM "` + strings.Repeat("é", 1<<20) + `"`,
	} {
		_, err := planSQL(t.Context(), c, s, Options{})
		e, ok := errors.AsType[*query.Error](err)
		if !ok || len(e.Msg)+len(e.Hint) > 1000 || !utf8.ValidString(e.Msg) {
			t.Errorf("%.40s: %.2000v", s, err)
		}
	}
}

// TestRequests looks at what reaches the source.
func TestRequests(t *testing.T) {
	for _, tt := range []struct {
		sql  string
		want string
	}{
		{"SELECT id FROM demo WHERE _seq = 4", "id seq[4,5)"},
		{"SELECT id FROM demo ORDER BY _seq DESC LIMIT 3 OFFSET 1", "id reverse limit 4"},
		{"SELECT id FROM demo WHERE zone = 'eu' AND n >= 2 LIMIT 3", "zone,n,id where zone 0 'eu' where n 5 2"},
		{"SELECT id FROM demo WHERE 1 / id > 0 AND zone = 'eu'", "id,zone"},
		{"SELECT count(*) FROM demo WHERE name IS NULL", "name"},
		{"SELECT 1 FROM demo", ""},
	} {
		c := testCatalog()
		mustRun(t, c, tt.sql)
		l := c[TableName{KindLog, "demo"}].(*memLog)
		if len(l.scans) != 1 {
			t.Fatalf("%s: %d scans", tt.sql, len(l.scans))
		}
		if got := requestText(l, l.scans[0]); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.sql, got, tt.want)
		}
	}
}

func requestText(l *memLog, r Request) string {
	name := func(o Output) string {
		if o.Column >= 0 {
			return l.Columns()[o.Column].Name
		}
		return PathText(o.Path)
	}
	var outs []string
	for _, o := range r.Outputs {
		outs = append(outs, name(o))
	}
	parts := []string{strings.Join(outs, ",")}
	if r.Range.Seq.Bounded {
		parts = append(parts, fmt.Sprintf("seq[%d,%d)", r.Range.Seq.From, r.Range.Seq.To))
	}
	if r.Reverse {
		parts = append(parts, "reverse")
	}
	if r.Limit > 0 {
		parts = append(parts, fmt.Sprintf("limit %d", r.Limit))
	}
	for _, h := range r.Where {
		parts = append(parts, fmt.Sprintf("where %s %d %s", name(r.Outputs[h.Output]), h.Op, h.Value.AppendSQL(nil)))
	}
	return strings.Join(parts, " ")
}

// endless is a source without end; after stop rows it cancels.
type endless struct {
	memTable
	stop   int
	cancel context.CancelFunc
	open   int
	// distinct: no value comes twice
	distinct bool
}

type endlessScan struct {
	e    *endless
	req  Request
	rows int
}

func (e *endless) Scan(_ context.Context, r Request) (Iterator, error) {
	e.open++
	return &endlessScan{e: e, req: r}, nil
}

func (s *endlessScan) Close() error {
	s.e.open--
	return nil
}

func (s *endlessScan) Next(ctx context.Context) (*vector.Batch, error) {
	b := &vector.Batch{N: vector.MaxRows}
	for range s.req.Outputs {
		v := vector.New(vector.Int, b.N)
		for i := range b.N {
			x := (s.rows + i) * 7919
			if !s.e.distinct {
				x %= 1000003
			}
			v.AppendInt(int64(x))
		}
		b.Cols = append(b.Cols, v)
	}
	s.rows += b.N
	if s.e.stop > 0 && s.rows >= s.e.stop {
		s.e.cancel()
	}
	return b, nil
}

// TestCancel cancels queries that would not end, at different depths.
func TestCancel(t *testing.T) {
	for _, text := range []string{
		"SELECT x FROM big WHERE x < 0",
		"SELECT count(x), sum(x) FROM big",
		"SELECT x, count(*) FROM big GROUP BY x",
		"SELECT x FROM big ORDER BY x",
		"SELECT x FROM big ORDER BY x LIMIT 10",
		"SELECT DISTINCT x % 10 FROM big WHERE x < 10",
		"SELECT a.x FROM big a JOIN big b ON a.x = b.x AND a.x + b.x < 0",
		"SELECT count(*) FROM (VALUES (1), (2)) v(y) LEFT JOIN big b ON b.x < v.y AND v.y < 0",
		"EXPLAIN ANALYZE SELECT count(*) FROM big WHERE x > 5",
	} {
		t.Run(text, func(t *testing.T) {
			// The machine may be busy: one of three times has to be quick.
			took := cancelOnce(t, text)
			for range 2 {
				if took > 50*time.Millisecond {
					took = min(took, cancelOnce(t, text))
				}
			}
			if took > 50*time.Millisecond {
				t.Errorf("returned %v after the cancel", took)
			}
		})
	}
}

// cancelOnce runs a statement that its source cancels, and returns how long it went on.
func cancelOnce(t *testing.T, text string) time.Duration {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	before := runtime.NumGoroutine()
	var cancelled time.Time
	e := &endless{memTable: memTable{name: "big", kind: KindFold, cols: []Column{{Name: "x", Type: vector.Int, InStar: true}}}, stop: 300_000}
	e.cancel = func() {
		if cancelled.IsZero() {
			cancelled = time.Now()
		}
		cancel()
	}
	_, err := runSQL(ctx, memCatalog{TableName{KindFold, "big"}: e}, text, Options{}, RunOptions{})
	took := time.Since(cancelled)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if e.open != 0 {
		t.Errorf("%d scans left open", e.open)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
	return took
}

// TestBudget: what operators keep is limited, given back at the end, and the error says which operator it was.
func TestBudget(t *testing.T) {
	var payloads []string
	for i := range 5000 {
		payloads = append(payloads, fmt.Sprintf(`{"i":%d,"t":"%050d"}`, i, i))
	}
	c := memCatalog{}
	c.log(newLog("l", payloads...))
	for _, tt := range []struct{ sql, operator string }{
		{"SELECT t, count(*) FROM l GROUP BY t", "aggregate"},
		{"SELECT count(DISTINCT t) FROM l", "aggregate"},
		{"SELECT string_agg(t, ',') FROM l", "aggregate"},
		{"SELECT t FROM l ORDER BY t", "sort"},
		{"SELECT DISTINCT t FROM l", "distinct"},
		{"SELECT a.t FROM l a JOIN l b ON a.t = b.t", "join"},
		{"SELECT a.t FROM l a LEFT JOIN l b ON a.t < b.t", "join"},
	} {
		p, err := planSQL(t.Context(), c, tt.sql, Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = runPlan(t.Context(), p, RunOptions{MemoryBytes: 100 << 10})
		be, ok := errors.AsType[*exec.BudgetError](err)
		if !ok || !errors.Is(err, exec.ErrBudget) || be.Operator != tt.operator || be.LimitBytes != 100<<10 {
			t.Errorf("%s: got %v", tt.sql, err)
		}
		r, b, err := p.start(t.Context(), RunOptions{}, false)
		if err != nil {
			t.Fatal(err)
		}
		for {
			batch, err := r.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if batch == nil || strings.Contains(tt.sql, "<") {
				break
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if used, peak := b.env.Budget.Used(), b.env.Budget.Peak(); used != 0 || peak < 100<<10 {
			t.Errorf("%s: %d bytes held at the end, %d at most", tt.sql, used, peak)
		}
	}
	// What functions make counts too. Of smaller results they make fewer at a time: see TestPeakMemory.
	for _, text := range []string{
		"SELECT repeat(t, 200000) FROM l",
		"SELECT t FROM l WHERE repeat(t, 200000) = 'x'",
		"SELECT count(*) FROM l WHERE repeat(t, 100000) || repeat(t, 50000) = 'x'",
		"SELECT repeat('x', 20000000)",
	} {
		if _, err := runSQL(t.Context(), c, text, Options{}, RunOptions{MemoryBytes: 6 << 20}); !errors.Is(err, exec.ErrBudget) {
			t.Errorf("%s: got %v", text, err)
		}
	}
	// A top-k sort keeps only what it needs.
	if _, err := runSQL(t.Context(), c, "SELECT t FROM l ORDER BY t DESC LIMIT 3", Options{}, RunOptions{MemoryBytes: 600 << 10, BatchRows: 64}); err != nil {
		t.Error(err)
	}
}

func TestAnalyze(t *testing.T) {
	c := testCatalog()
	rows := mustRun(t, c, "EXPLAIN ANALYZE SELECT zone, sum(n) FROM demo WHERE n < 100 GROUP BY zone")
	text := strings.Join(rows, "\n")
	for _, want := range []string{"act       9", "act       5", "other type 1", "◀", "rows 3", "plan ", "exec "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	rows = mustRun(t, c, "EXPLAIN (ANALYZE, FORMAT JSON) SELECT count(*) FROM demo WHERE n < 100")
	if text := strings.Join(rows, "\n"); !strings.Contains(text, `"other_type": 1`) || !strings.Contains(text, `"rows": 5`) {
		t.Error(text)
	}
	if _, err := runSQL(t.Context(), c, "EXPLAIN ANALYZE SELECT 1 / id FROM demo WHERE id - 1 = 0 OR 1 / (id - 1) > 0", Options{}, RunOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := runSQL(t.Context(), c, "EXPLAIN ANALYZE SELECT 1 / (id - 1) FROM demo", Options{}, RunOptions{}); !errors.Is(err, vector.ErrDivideByZero) {
		t.Error("got", err)
	}
}

// TestPlanIsShared runs one plan many times at once.
func TestPlanIsShared(t *testing.T) {
	c := memCatalog{}
	for n, s := range testCatalog() {
		if _, ok := s.(*memTable); ok {
			c[n] = s
		}
	}
	p, err := planSQL(t.Context(), c, "SELECT a.done, count(*), sum(b.price) FROM tasks a JOIN tasks b ON a.id <> b.id WHERE a.title LIKE '%e%' GROUP BY 1 ORDER BY 1", Options{})
	if err != nil {
		t.Fatal(err)
	}
	want, err := runPlan(t.Context(), p, RunOptions{})
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error)
	for range 8 {
		go func() {
			got, err := runPlan(t.Context(), p, RunOptions{BatchRows: 1})
			if err == nil && !slices.Equal(got, want) {
				err = fmt.Errorf("got %v, want %v", got, want)
			}
			errs <- err
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestMatchLog(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a/*", "a/b", true},
		{"a/*", "a/b/c", false},
		{"a/**", "a/b/c", true},
		{"a/**", "a", true},
		{"**", "x/y", true},
		{"**/c", "a/b/c", true},
		{"**/c", "a/b/d", false},
		{"a/**/d", "a/b/c/d", true},
		{"s?n*", "sensors", true},
		{"[ab]", "b", true},
		{"[", "[", false},
		{"**/**/**/x", strings.Repeat("y/", 2000) + "x", true},
	} {
		if got := MatchLog(tt.pattern, tt.name); got != tt.want {
			t.Errorf("%q %q: got %v", tt.pattern, tt.name, got)
		}
	}
}
