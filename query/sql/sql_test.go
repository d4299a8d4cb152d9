package sql

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed69692123/netdb/query"
)

// The flag update writes the golden parts of testdata anew.
var update = flag.Bool("update", false, "write the golden files")

// example is a block of a file in testdata: a statement, a line ----, and what
// is made of it.
type example struct{ in, want string }

func readExamples(t testing.TB, name string) []example {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var list []example
	for block := range strings.SplitSeq(strings.TrimRight(string(text), "\n")+"\n", "\n\n") {
		in, want, ok := strings.Cut(block+"\n", "\n----\n")
		if !ok {
			t.Fatalf("%s: no ---- in %q", name, block)
		}
		list = append(list, example{in, strings.TrimRight(want, "\n")})
	}
	return list
}

// golden compares what each example of a file gives with what the file says.
func golden(t *testing.T, name string, f func(t *testing.T, in string) string) {
	var b strings.Builder
	for i, ex := range readExamples(t, name) {
		t.Run(ex.in, func(t *testing.T) {
			got := f(t, ex.in)
			if i > 0 {
				b.WriteString("\n")
			}
			b.WriteString(ex.in + "\n----\n" + got + "\n")
			if !*update && got != ex.want {
				t.Errorf("%s\n%s", ex.in, cmp.Diff(ex.want, got))
			}
		})
	}
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", name), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func detail(err error) string {
	e, ok := errors.AsType[*query.Error](err)
	if !ok {
		return err.Error()
	}
	return e.Detail()
}

// TestCanonical parses each statement, compares what it prints, and asserts that
// printing and encoding lose nothing and that every node knows its place.
func TestCanonical(t *testing.T) {
	for _, name := range []string{"standard.txt", "dialect.txt"} {
		golden(t, name, func(t *testing.T, in string) string {
			stmt, err := Parse(in, Options{})
			if err != nil {
				t.Fatal(detail(err))
			}
			roundTrip(t, stmt)
			checkSpans(t, in, stmt)
			return stmt.String()
		})
	}
}

// roundTrip asserts parse(print(x)) = x and decode(encode(x)) = x.
func roundTrip(t testing.TB, stmt query.Stmt) {
	t.Helper()
	printed := stmt.String()
	again, err := Parse(printed, Options{})
	if err != nil {
		t.Fatalf("%s\n%s", printed, detail(err))
	}
	if !query.SameTree(stmt, again) {
		t.Errorf("printed   %s\nread back %s", printed, again)
	}
	encoded := query.Encode(stmt)
	decoded, err := query.Decode(encoded)
	if err != nil {
		t.Fatalf("%s: %v", printed, err)
	}
	if got := decoded.String(); got != printed {
		t.Errorf("decoded %s\nwant    %s", got, printed)
	}
	if string(query.Encode(decoded)) != string(encoded) {
		t.Errorf("%s: encoding the decoded tree gives other bytes", printed)
	}
	if string(query.Encode(query.Clone(stmt))) != string(encoded) {
		t.Errorf("%s: the clone differs", printed)
	}
}

// checkSpans asserts that every node lies in the text. Children lie inside their
// parents, but for the few that the parser makes up or moves.
func checkSpans(t testing.TB, in string, stmt query.Stmt) {
	t.Helper()
	query.Walk(stmt, func(n query.Node) bool {
		at := n.At()
		if at.Pos < 0 || at.End > len(in) || at.Pos > at.End {
			t.Errorf("%s: %T at %v", in, n, at)
		}
		if _, made := n.(*query.Literal); !made && at.IsZero() && !strings.HasPrefix(strings.ToUpper(in), "FROM") {
			t.Errorf("%s: %T has no place", in, n)
		}
		return true
	})
}

// TestErrors compares the whole message, with the excerpt and the caret.
func TestErrors(t *testing.T) {
	golden(t, "broken.txt", func(t *testing.T, in string) string {
		stmt, err := Parse(in, Options{})
		if err == nil {
			t.Fatalf("no error: %s", stmt)
		}
		e, ok := errors.AsType[*query.Error](err)
		if !ok || e.Line == 0 || e.Code == "" || strings.ContainsRune(e.Error(), '\n') {
			t.Errorf("%#v", err)
		}
		return e.Detail()
	})
}

// TestErrorPlaces has the rows of the table of other parsers' errors, with what
// ours has to say.
func TestErrorPlaces(t *testing.T) {
	tests := []struct {
		in        string
		line, col int
		msg, hint string
	}{
		{"SELECT * FORM t", 1, 10, `expected end of statement, got "FORM"`, "did you mean FROM"},
		{"SELECT a, FROM t", 1, 11, `expected expression, got "FROM"`, "remove the trailing comma before FROM"},
		{"SELECT id, status, n FROM t LIMT 3", 1, 34, `expected end of statement, got "3"`, `did you mean LIMIT instead of "LIMT" at offset 28`},
		{"SELECT *\nFROM t\nWHERE a >< 3", 3, 10, `expected expression, got "<"`, ""},
		{"SELECT a FROM t WHERE a = 'abc", 1, 27, "unterminated string literal", "add a closing '"},
		{"SELECT abc FROM t WHERE (a>1", 1, 29, `expected ")", got end of input`, ""},
	}
	for _, tt := range tests {
		_, err := Parse(tt.in, Options{})
		e, ok := errors.AsType[*query.Error](err)
		if !ok {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if e.Line != tt.line || e.Col != tt.col || e.Msg != tt.msg || e.Hint != tt.hint {
			t.Errorf("%s:\n%s\nwant %d:%d %s (%s)", tt.in, e.Detail(), tt.line, tt.col, tt.msg, tt.hint)
		}
	}
}

func TestSpans(t *testing.T) {
	const in = "SELECT a.b AS x, -5 FROM t WHERE (a = 1) AND b IN (2)"
	stmt, err := Parse(in, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	query.Walk(stmt, func(n query.Node) bool {
		at := n.At()
		got = append(got, in[at.Pos:at.End])
		return true
	})
	want := []string{
		in, in, "a.b AS x", "a.b", "-5", "-5", "t",
		"(a = 1) AND b IN (2)", "(a = 1)", "a", "1", "b IN (2)", "b", "2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestQuestionMarks(t *testing.T) {
	stmt, err := Parse("SELECT ? + ? FROM t WHERE a = ?", Options{QuestionMarks: true})
	if err != nil {
		t.Fatal(detail(err))
	}
	if got := stmt.String(); got != "SELECT $1 + $2 FROM t WHERE a = $3" {
		t.Error(got)
	}
	if n, names := query.Params(stmt); n != 3 || names != nil {
		t.Errorf("Params = %d, %q", n, names)
	}
	if _, err := Parse("SELECT ? + $2", Options{QuestionMarks: true}); err == nil {
		t.Error("? and $2 are mixed without an error")
	}
}

// TestDepth goes to the limits of nesting and of chains and past them.
func TestDepth(t *testing.T) {
	nest := func(n int) string { return "SELECT " + strings.Repeat("(", n) + "1" + strings.Repeat(")", n) }
	chain := func(n int) string { return "SELECT 1" + strings.Repeat(" + 1", n) }
	tests := []struct {
		name, in string
		ok       bool
	}{
		{"parens below", nest(MaxDepth - 5), true},
		{"parens above", nest(MaxDepth + 1), false},
		{"parens far above", nest(1 << 18), false},
		{"chain below", chain(maxHeight - 10), true},
		{"chain above", chain(maxHeight + 1), false},
		{"not", "SELECT " + strings.Repeat("NOT ", 1<<14) + "a", false},
		{"minus", "SELECT " + strings.Repeat("- ", 1<<14) + "a", false},
		{"arrays", "SELECT " + strings.Repeat("[", 1<<14), false},
		{"index", "SELECT a" + strings.Repeat("[1]", 1<<14), false},
		{"path below", "SELECT a" + strings.Repeat(".b", maxHeight-1), true},
		{"path above", "SELECT a" + strings.Repeat(".b", maxHeight), false},
		{"table", "FROM a" + strings.Repeat(".b", 1<<14), false},
		{"casts", "SELECT a" + strings.Repeat("::text", 1<<14), false},
		{"calls", "SELECT " + strings.Repeat("f(", 1<<14), false},
		{"case", "SELECT " + strings.Repeat("CASE WHEN ", 1<<14), false},
		{"subqueries", strings.Repeat("SELECT (", 1<<14), false},
		{"from", strings.Repeat("FROM (", 1<<14), false},
		{"joins", "FROM a" + strings.Repeat(" JOIN a ON b", 1<<14), false},
		{"unions", "SELECT 1" + strings.Repeat(" UNION SELECT 1", 1<<14), false},
		{"set parens", strings.Repeat("(", 1<<14) + "SELECT 1", false},
		{"explain", strings.Repeat("EXPLAIN ", 1<<14), false},
		{"comments", "SELECT " + strings.Repeat("/*", 1<<14), false},
		{"keyword calls", "SELECT " + strings.Repeat("trim(substring(position(", 60) + "1" + strings.Repeat(")))", 60), true},
		{"long list", "SELECT " + strings.Repeat("1, ", 1<<16) + "1", true},
	}
	for _, tt := range tests {
		stmt, err := Parse(tt.in, Options{})
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err == nil && len(tt.in) < 1<<16 {
			roundTrip(t, stmt)
		}
	}
}

func TestSplit(t *testing.T) {
	tests := []struct {
		in   string
		done []string
		rest string
		open Open
	}{
		{"", nil, "", OpenNothing},
		{" -- only a comment\n", nil, "", OpenNothing},
		{"SELECT 1", nil, "SELECT 1", OpenStatement},
		{"SELECT 1;", []string{"SELECT 1"}, "", OpenNothing},
		{"SELECT 1 ; SELECT 2; ", []string{"SELECT 1", "SELECT 2"}, "", OpenNothing},
		{";;SELECT 1;;", []string{"SELECT 1"}, "", OpenNothing},
		{"SELECT ';' -- ;\n, \"a;b\" /* ; */, $$;$$; x", []string{"SELECT ';' -- ;\n, \"a;b\" /* ; */, $$;$$"}, "x", OpenStatement},
		{"SELECT 'a;", nil, "SELECT 'a;", OpenString},
		{"SELECT E'a\\';", nil, "SELECT E'a\\';", OpenString},
		{"SELECT $x$a;", nil, "SELECT $x$a;", OpenString},
		{"a; SELECT \"b;", []string{"a"}, "SELECT \"b;", OpenName},
		{"a; SELECT /* /* */ ;", []string{"a"}, "SELECT /* /* */ ;", OpenComment},
		{"SELECT ` # ; b", []string{"SELECT ` #"}, "b", OpenStatement},
	}
	for _, tt := range tests {
		pieces, rest, open := Split(tt.in)
		var done []string
		for _, p := range pieces {
			done = append(done, p.Text)
			if tt.in[p.Pos:p.End] != p.Text {
				t.Errorf("%q: piece at %d", tt.in, p.Pos)
			}
		}
		if diff := cmp.Diff(tt.done, done); diff != "" || rest.Text != tt.rest || open != tt.open {
			t.Errorf("%q: rest %q, open %d\n%s", tt.in, rest.Text, open, diff)
		}
	}
}

func TestTokens(t *testing.T) {
	const in = "SELECT a, 'x' -- c\nFROM \"b\" WHERE n >= $1 ` 'open"
	var got []string
	names := map[TokenKind]string{
		Identifier: "name", Keyword: "keyword", QuotedIdent: "quoted", String: "string", Number: "number",
		Parameter: "parameter", Operator: "operator", Punctuation: "punctuation", Comment: "comment", Invalid: "invalid",
	}
	for tok := range Tokens(in) {
		got = append(got, names[tok.Kind]+" "+in[tok.Pos:tok.End])
	}
	want := []string{
		"keyword SELECT", "name a", "punctuation ,", "string 'x'", "comment -- c", "keyword FROM", "quoted \"b\"",
		"keyword WHERE", "name n", "operator >=", "parameter $1", "invalid `", "invalid 'open",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestKeywords asserts that the tables that are searched are in order and agree.
func TestKeywords(t *testing.T) {
	words := Keywords()
	for i, w := range words {
		if i > 0 && words[i-1] >= w {
			t.Errorf("%s is not after %s", w, words[i-1])
		}
		if got := lookup(strings.ToLower(w)); got.String() != w {
			t.Errorf("lookup(%s) = %s", w, got)
		}
		if len(w) > maxKeyword {
			t.Errorf("%s is longer than %d", w, maxKeyword)
		}
	}
	for _, w := range words {
		if k := lookup(w); k.isReserved() != query.IsReserved(w) {
			t.Errorf("reserved[%s] = %t", w, k.isReserved())
		}
	}
	for _, w := range query.ReservedWords() {
		if lookup(w) == kwNone {
			t.Errorf("the reserved word %s is no keyword", w)
		}
		if !query.IsReserved(strings.ToLower(w)) {
			t.Errorf("IsReserved(%s) = false", w)
		}
	}
}

func TestParseExpr(t *testing.T) {
	e, err := ParseExpr("a.b > 3 AND kind = 'x'", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := e.String(); got != "a.b > 3 AND kind = 'x'" {
		t.Error(got)
	}
	for _, bad := range []string{"", "a b", "a;", "SELECT 1"} {
		if e, err := ParseExpr(bad, Options{}); err == nil {
			t.Errorf("%q gives %s", bad, e)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"standard.txt", "dialect.txt", "broken.txt"} {
		for _, ex := range readExamples(f, name) {
			f.Add(ex.in)
		}
	}
	f.Fuzz(func(t *testing.T, in string) {
		for range Tokens(in) {
			continue
		}
		Split(in)
		stmt, err := Parse(in, Options{})
		if err != nil {
			e, ok := errors.AsType[*query.Error](err)
			if !ok || e.Pos < 0 || e.End > len(in) || e.Line < 1 {
				t.Fatalf("%#v", err)
			}
			_ = e.Detail()
			return
		}
		checkSpans(t, in, stmt)
		// Canonical text can be nested deeper than the text it came from.
		if _, err := Parse(stmt.String(), Options{}); err != nil {
			if e, ok := errors.AsType[*query.Error](err); ok && e.Code == query.CodeTooDeep {
				return
			}
		}
		roundTrip(t, stmt)
	})
}

func BenchmarkParse(b *testing.B) {
	queries := map[string]string{
		"point":  "SELECT * FROM orders WHERE _seq = 42",
		"group":  "SELECT repo, count(*) AS n, sum(ins) FROM changes WHERE ext = 'go' AND ins > 10 GROUP BY repo ORDER BY n DESC LIMIT 10",
		"join":   "SELECT c.repo, c.author, count(*) FROM commits AS c LEFT JOIN changes AS x ON c.sha = x.sha AND c.repo = x.repo WHERE c.ts BETWEEN $1 AND $2 GROUP BY c.repo, c.author HAVING count(*) > 5",
		"window": "WITH d AS (SELECT repo, ts, row_number() OVER (PARTITION BY repo ORDER BY ts DESC) AS r FROM commits) SELECT * FROM d WHERE r <= 3",
	}
	for name, q := range queries {
		b.Run("query="+name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(q)))
			for b.Loop() {
				if _, err := Parse(q, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
