package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be the child that measures.
func TestMain(m *testing.M) {
	if what := os.Getenv(childVariable); what != "" {
		if err := runChild(context.Background(), what, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// notYet are the queries that NetDB may still refuse. Whatever is refused must be named in the report.
const notYet = `^three exact percentiles$`

var cells = regexp.MustCompile(`^[0-9.]+( ±[0-9]+ %)?( / [0-9.]+)?$`)

// checkTable holds a table against what it should have: a row for each name, a figure in each cell but those that may be empty.
func checkTable(t *testing.T, report, title string, names []string, mayLack func(row, column string) bool) {
	t.Helper()
	_, table, ok := strings.Cut(report, "\n## "+title+"\n")
	if !ok {
		t.Errorf("no table %q", title)
		return
	}
	table, _, _ = strings.Cut(table, "\n## ")
	var head []string
	rows := map[string][]string{}
	for line := range strings.Lines(table) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") {
			continue
		}
		fields := strings.Split(strings.Trim(line, "|"), "|")
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		if head == nil {
			head = fields
			continue
		}
		rows[strings.TrimSuffix(fields[0], " ¹")] = fields[1:]
	}
	if len(rows) != len(names) {
		t.Errorf("%s: %d rows, not %d", title, len(rows), len(names))
	}
	for _, name := range names {
		if len(rows[name]) == 0 || len(rows[name]) != len(head)-1 {
			t.Errorf("%s: row %q is %q under %q", title, name, rows[name], head)
			continue
		}
		for i, cell := range rows[name] {
			if !cells.MatchString(cell) && !mayLack(name, head[i+1]) {
				t.Errorf("%s: %s, %s: %q", title, name, head[i+1], cell)
			}
		}
	}
}

func namesOf(queries []query, keep func(q query) bool) (names []string) {
	for _, q := range queries {
		if keep(q) {
			names = append(names, q.name)
		}
	}
	return names
}

// TestReport measures every section over generated events, and checks that there is a figure for every query and system.
func TestReport(t *testing.T) {
	var out, progress bytes.Buffer
	if err := run(t.Context(), []string{"-generate", "800", "-repeat", "1", "-budget", "50ms"}, &out, &progress); err != nil {
		t.Fatal(err)
	}
	if progress.Len() > 0 {
		t.Errorf("progress is no terminal, and was given %q", &progress)
	}
	report := out.String()
	if strings.Contains(report, "different answer") {
		t.Error("answers differ")
	}
	if !strings.Contains(report, "generated: NOT the real events") {
		t.Error("the report does not say that events were generated")
	}
	systems := []string{ours, duck, lite}
	if !duckDB {
		systems = []string{ours, lite}
		if !strings.Contains(report, "Not measured: duckdb.") {
			t.Error("the report does not say that DuckDB is missing")
		}
	}
	refused := regexp.MustCompile(notYet)
	mayLack := func(row, column string) bool {
		if !refused.MatchString(row) {
			return false
		}
		if column == ours+" ms" {
			return strings.Contains(report, "- not yet: "+row+", netdb: `")
		}
		return column == lite+" ms" || strings.Contains(column, " / ")
	}
	all := namesOf(suite(), func(query) bool { return true })
	never := func(string, string) bool { return false }
	checkTable(t, report, "Queries over sealed events", all, mayLack)
	var prepared []string
	for _, s := range smalls() {
		prepared = append(prepared, s.q.name)
	}
	checkTable(t, report, "Prepared statements", prepared, never)
	checkTable(t, report, "On disk", systems, never)
	checkTable(t, report, "Import of both logs into NetDB", []string{"queryable", "sealed", "sealed and scanned"}, never)
	checkTable(t, report, "A process of its own", systems, never)
	checkTable(t, report, "One odd value in 1,000, against the clean log", namesOf(suite(), func(q query) bool { return q.odd }), never)
	checkTable(t, report, "Queries over hot events, against DuckDB over lines of JSON", all, mayLack)
	if t.Failed() {
		t.Log(report)
	}
}

// TestSample compares the answers of all systems over the sample of real events.
func TestSample(t *testing.T) {
	from := []string{"-generate", "1500"}
	if e, err := findEvents("", 0); err != nil {
		t.Logf("MISSING: %v; generated events take their place", err)
	} else {
		from = []string{"-data", filepath.Join(e.dir, "sample")}
	}
	var out, progress bytes.Buffer
	if err := run(t.Context(), append(from, "-sections", "suite", "-repeat", "1", "-cpu", "-least"), &out, &progress); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if strings.Contains(out.String(), "different answer") {
		t.Error(out.String())
	}
	for _, want := range []string{"The shortest of up to 1 runs", "**processor time**"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report does not say %q", want)
		}
	}
}

// TestMissing checks that the error says what is missing, and where it was looked for.
func TestMissing(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "commits.jsonl"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, args := range [][]string{{"-data", dir}, nil} {
		t.Setenv(dataVariable, dir)
		err := run(t.Context(), args, &out, &out)
		if !errors.Is(err, errNoData) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%q: %v", args, err)
		}
	}
}

// TestKept checks that stores are used again for the same events only.
func TestKept(t *testing.T) {
	dir := t.TempDir()
	when := func(generate, reload string) time.Time {
		t.Helper()
		var out bytes.Buffer
		if err := run(t.Context(), []string{"-generate", generate, "-keep", dir, "-systems", "sqlite", "-queries", "^point$", "-reload", reload}, &out, &out); err != nil {
			t.Fatal(err)
		}
		i, err := os.Stat(filepath.Join(dir, lite, "source"))
		if err != nil {
			t.Fatal(err)
		}
		return i.ModTime()
	}
	first := when("900", "^$")
	if again := when("900", "^$"); !again.Equal(first) {
		t.Error("imported again")
	}
	reloaded := when("900", "sqlite")
	if reloaded.Equal(first) {
		t.Error("not imported again although told to")
	}
	if others := when("901", "^$"); others.Equal(reloaded) {
		t.Error("the store of other events was used")
	}
}

func TestDiffer(t *testing.T) {
	rows := func(r ...[]any) [][]any { return r }
	row := func(v ...any) []any { return v }
	for i, c := range []struct {
		a, b    [][]any
		ordered bool
		same    bool
	}{
		{rows(row(int64(1), "x")), rows(row(int64(1), "x")), true, true},
		{rows(row(int64(1))), rows(row(int64(2))), true, false},
		{rows(row(int64(1)), row(int64(2))), rows(row(int64(2)), row(int64(1))), false, true},
		{rows(row(int64(1)), row(int64(2))), rows(row(int64(2)), row(int64(1))), true, false},
		{rows(row(int64(1)), row(int64(1))), rows(row(int64(1))), false, false},
		{rows(row(nil)), rows(row(int64(0))), false, false},
		{rows(row(nil)), rows(row("")), false, false},
		{rows(row("1")), rows(row(int64(1))), false, false},
		{rows(row(1.0)), rows(row(1 + 1e-10)), false, true},
		{rows(row(1.0)), rows(row(1 + 1e-8)), false, false},
		{rows(row(int64(4_000_000_000_000_000_001))), rows(row(int64(4_000_000_000_000_000_002))), false, false}, // integers are exact
		{rows(row(int64(7))), rows(row(7.0)), false, true},
		{rows(row(int64(10), 0.1), row(int64(10_000_001), 0.2)), rows(row(10_000_001.0, 0.2), row(10.0, 0.1)), false, true},
		{rows(row(0.1+0.2, "a"), row(0.3, "b")), rows(row(0.3, "b"), row(0.3, "a")), false, true},
		{rows(row(int64(1), int64(2))), rows(row(int64(1))), false, false},
	} {
		if got := differ(c.a, c.b, c.ordered); (got == "") != c.same {
			t.Errorf("%d: %q", i, got)
		}
	}
}

// fixed is a system that always answers the same.
type fixed struct {
	answer [][]any
	err    error
}

func (f fixed) text(query) string                                   { return "q" }
func (f fixed) run(context.Context, string) error                   { return f.err }
func (f fixed) rows(context.Context, string) (r [][]any, err error) { return f.answer, f.err }
func (f fixed) Close() error                                        { return nil }
func (f fixed) prepare(context.Context, string) (func(context.Context, ...any) error, func() error, error) {
	return nil, nil, f.err
}

// TestContest checks who is held against whom, and that a wrong answer and a missing one are told.
func TestContest(t *testing.T) {
	one, two := fixed{answer: [][]any{{int64(1)}}}, fixed{answer: [][]any{{int64(2)}}}
	none := fixed{err: errors.New("no such function")}
	for _, c := range []struct {
		ours, duck, lite system
		wrong            string // systems whose answers differ
	}{
		{one, one, one, ""},
		{two, one, one, ours},
		{one, one, two, lite},
		{one, two, one, ours + " " + lite},
		{none, one, one, ""},
		{one, none, two, ours}, // SQLite is the reference where DuckDB has no answer
		{one, none, none, ""},
	} {
		m := &match{open: map[string]system{}}
		m.add(ours, c.ours)
		m.add(duck, c.duck)
		m.add(lite, c.lite)
		p := &plan{progress: new(bytes.Buffer), budget: time.Hour}
		results, err := p.contest(t.Context(), m, []query{{name: "the query"}}, 3)
		if err != nil {
			t.Fatal(err)
		}
		var wrong []string
		for _, name := range m.names {
			a := results[0].of[name]
			if a.wrong != "" {
				wrong = append(wrong, name)
			}
			if want := map[bool]int{true: 3}[a.err == nil]; len(a.times) != want {
				t.Errorf("%s was timed %d times, not %d", name, len(a.times), want)
			}
		}
		if got := strings.Join(wrong, " "); got != c.wrong {
			t.Errorf("%v: wrong are %q, not %q", c, got, c.wrong)
		}
		var out bytes.Buffer
		if err := writeResults(&out, "title", m.names, results); errors.Is(err, errWrong) != (c.wrong != "") {
			t.Errorf("%v: %v", c, err)
		}
		if got := strings.Contains(out.String(), "- not yet: the query, netdb: `no such function`"); got != (c.ours.run(t.Context(), "") != nil) {
			t.Errorf("%v: %s", c, &out)
		}
		if got := strings.Count(out.String(), "**different answer**"); got != len(wrong) {
			t.Errorf("%v: %d different answers in %s", c, got, &out)
		}
	}
}

// TestSuite checks that queries can be told apart by name, and that those are real that others refer to.
func TestSuite(t *testing.T) {
	known := map[string]bool{}
	for _, q := range suite() {
		if known[q.name] {
			t.Errorf("two queries are named %q", q.name)
		}
		known[q.name] = true
		if text := (facts{}).fill(q.text + q.duck + q.lite); strings.ContainsAny(text, "{}") {
			t.Errorf("%s: a fact that there is not, in %s", q.name, text)
		}
	}
	if len(known) < 30 || !known[firstQuery] {
		t.Errorf("%d queries, first %t", len(known), known[firstQuery])
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("NetDB's answers to %d queries", len(known)); !strings.Contains(string(readme), want) {
		t.Errorf("the README does not say %q", want)
	}
}

func TestGeometric(t *testing.T) {
	if got := geometric([]ratio{{"a", 0.5}, {"b", 8}}); math.Abs(got-2) > 1e-12 {
		t.Errorf("got %v", got)
	}
}

// TestOdd checks which values become odd, and that nothing else of a line changes.
func TestOdd(t *testing.T) {
	for in, want := range map[string]string{
		`{"seq":500,"ins":12,"del":3}`:       `{"seq":500,"ins":"many","del":3}`,
		`{"seq":1500,"path":"a","ins":null}`: `{"seq":1500,"path":"a","ins":"many"}`,
		`{"seq":501,"ins":12}`:               `{"seq":501,"ins":12}`,
	} {
		got, err := makeOdd([]byte(in))
		if err != nil || string(got) != want {
			t.Errorf("%s became %s, %v", in, got, err)
		}
	}
	if _, err := makeOdd([]byte(`{"seq":500}`)); err == nil {
		t.Error("a line without the member")
	}
}
