package planner

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/query/sql"
)

// TestFunctionExamples runs the example of every function, alone and over a column of several equal rows.
func TestFunctionExamples(t *testing.T) {
	check := func(name, example, want string) {
		t.Helper()
		if example == "" {
			t.Errorf("%s has no example", name)
			return
		}
		rows, err := runSQL(t.Context(), memCatalog{}, "SELECT "+example+" AS x", Options{Zone: time.UTC}, RunOptions{})
		if err != nil {
			t.Errorf("%s: %s: %v", name, example, err)
			return
		}
		if got := strings.Join(rows, "\n"); got != want {
			t.Errorf("%s: %s gives %s, not %s", name, example, got, want)
		}
		if slices.Contains([]string{"json", "json_valid", "like_escape", "ilike_escape", "time_bucket", "now", "current_date"}, name) {
			return // they want constants, or their example has none
		}
		text := overColumns(t, example)
		rows, err = runSQL(t.Context(), memCatalog{}, text, Options{Zone: time.UTC}, RunOptions{})
		if err != nil {
			t.Errorf("%s: %s: %v", name, text, err)
			return
		}
		if len(rows) != 3 || rows[0] != want || rows[1] != want || rows[2] != want {
			t.Errorf("%s: %s gives %s, not %s", name, text, rows, want)
		}
	}
	n := 0
	for _, f := range exec.Functions() {
		check(f.Name, f.Example, f.Answer)
		n++
		if !strings.Contains(f.Doc, ": ") {
			t.Errorf("%s: %q has no form and meaning", f.Name, f.Doc)
		}
	}
	for _, f := range exec.Forms() {
		check(f.Name, f.Example, f.Answer)
		n++
	}
	t.Logf("%d functions", n)
}

// overColumns returns a statement that computes an expression three times, with columns in the place of its constants.
func overColumns(t *testing.T, example string) string {
	t.Helper()
	const head = "SELECT "
	stmts, err := sql.Parse(head+example, sql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var row, names []string
	text, at := head, len(head)
	query.Walk(stmts, func(n query.Node) bool {
		l := n.At()
		src := (head + example)[l.Pos:l.End]
		switch n := n.(type) {
		case *query.Literal:
			if n.Value.IsNull() {
				return true
			}
			if s := n.Value.Text(); n.Value.Kind() == query.KindText && strings.ContainsAny(s[:min(1, len(s))], "{[") && json.Valid([]byte(s)) {
				src = "JSON " + src
			}
		case *query.Cast: // TIMESTAMP '…'
			if _, ok := n.Expr.(*query.Literal); !ok {
				return true
			}
		default:
			return true
		}
		name := fmt.Sprintf("c%d", len(row))
		text += (head + example)[at:l.Pos] + name
		at = l.End
		row, names = append(row, src), append(names, name)
		return false
	})
	text += (head + example)[at:]
	if len(row) == 0 {
		return text + " AS x FROM (VALUES (1), (2), (3)) t(k)"
	}
	r := "(" + strings.Join(row, ", ") + ")"
	return text + " AS x FROM (VALUES " + r + ", " + r + ", " + r + ") t(" + strings.Join(names, ", ") + ")"
}

// TestFunctionNames asserts that no name is given twice.
func TestFunctionNames(t *testing.T) {
	seen := map[string]string{}
	for _, f := range exec.Functions() {
		for _, name := range append([]string{f.Name}, f.Aliases...) {
			if other := seen[name]; other != "" {
				t.Errorf("%s names both %s and %s", name, other, f.Name)
			}
			if exec.FindAggregate(name) != nil {
				t.Errorf("%s is an aggregate too", name)
			}
			seen[name] = f.Name
		}
	}
}

// TestFunctionDocs asserts that docs/sql.md has the functions of the table; with -update it writes them.
func TestFunctionDocs(t *testing.T) {
	const file, begin, end = "../docs/sql.md", "<!-- functions: written by go test ./planner -run FunctionDocs -update -->\n\n", "\n<!-- end of functions -->"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(b), begin)
	got, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatal("docs/sql.md has no place for the functions")
	}
	want := exec.DocumentFunctions()
	if got == want {
		return
	}
	if !*update {
		t.Fatalf("docs/sql.md differs; go test ./planner -run FunctionDocs -update writes it\n%s", cmp.Diff(got, want))
	}
	if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestShowFunctions: every function that a statement can call is shown, those in FROM too.
func TestShowFunctions(t *testing.T) {
	rows, err := runSQL(t.Context(), testCatalog(), "SHOW FUNCTIONS", Options{}, RunOptions{})
	if err != nil {
		t.Fatal(err)
	}
	shown := strings.Join(rows, "\n") + "\n"
	for _, name := range []string{"tumble", "hop", "session", "lineage", "logs", "unnest", "generate_series", "range"} {
		if !strings.Contains(shown, name+"|table|"+name+"(") {
			t.Errorf("%s is not shown", name)
		}
	}
	for _, f := range exec.Forms() {
		for _, name := range append([]string{f.Name}, f.Aliases...) {
			if !strings.Contains(shown, name+"|scalar|") {
				t.Errorf("%s is not shown", name)
			}
		}
	}
}
