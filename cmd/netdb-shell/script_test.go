package main

import (
	"errors"
	"flag"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplit(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []statement
	}{
		"one":                  {"select 1;", []statement{{"select 1", 1, false, ""}}},
		"without its end":      {"select 1", []statement{{"select 1", 1, false, ""}}},
		"nothing":              {" \n ; ;; \n-- only a comment\n", nil},
		"two on a line":        {"a; b;\nc", []statement{{"a", 1, false, ""}, {"b", 1, false, "a; "}, {"c", 2, false, ""}}},
		"over lines":           {"\nselect\r\n  1\r\n;\n", []statement{{"select\n  1", 2, false, ""}}},
		"behind another":       {"a; select\n b; c\n;", []statement{{"a", 1, false, ""}, {"select\n b", 1, false, "a; "}, {"c", 2, false, " b; "}}},
		"semicolon in quotes":  {`select ';', "a;b", 'it''s;' ;x`, []statement{{`select ';', "a;b", 'it''s;'`, 1, false, ""}, {"x", 1, false, `select ';', "a;b", 'it''s;' ;`}}},
		"escape string":        {`select E'\';', e'\\';b`, []statement{{`select E'\';', e'\\'`, 1, false, ""}, {"b", 1, false, `select E'\';', e'\\';`}}},
		"no escape string":     {`select name'\';b`, []statement{{`select name'\'`, 1, false, ""}, {"b", 1, false, `select name'\';`}}},
		"quote over lines":     {"select 'a\n;\n.b';\nc", []statement{{"select 'a\n;\n.b'", 1, false, ""}, {"c", 4, false, ""}}},
		"comments":             {"-- a;b\nselect /* ; /* ; */ ; */ 1; -- x;\nb", []statement{{"select /* ; /* ; */ ; */ 1", 2, false, ""}, {"b", 3, false, ""}}},
		"command":              {" .logs a;b \nselect 1;.x\n;\n.y", []statement{{".logs a;b", 1, true, ""}, {"select 1", 2, false, ""}, {".x", 2, false, "select 1;"}, {".y", 4, true, ""}}},
		"command after remark": {"-- remark\n.logs", []statement{{".logs", 2, true, ""}}},
		"number, no command":   {"select\n.5;", []statement{{"select\n.5", 1, false, ""}}},
		"open block comment":   {"select 1 /* a", []statement{{"select 1 /* a", 1, false, ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(c.want, split(c.text), cmp.AllowUnexported(statement{})); d != "" {
				t.Error(d)
			}
			var read []statement
			err := eachStatement(strings.NewReader(c.text), func(s statement) error { read = append(read, s); return nil })
			if d := cmp.Diff(c.want, read, cmp.AllowUnexported(statement{})); d != "" || err != nil {
				t.Error(err, d)
			}
		})
	}
}

// FuzzSplit checks that splitting loses nothing but semicolons, space and comments, and that reading from a stream splits
// the same.
func FuzzSplit(f *testing.F) {
	f.Add("select 1; -- a\n.b c\nselect E'\\'' \"x;\" /* ; */;")
	f.Fuzz(func(t *testing.T, text string) {
		whole := split(text)
		var read []statement
		if err := eachStatement(strings.NewReader(text), func(s statement) error { read = append(read, s); return nil }); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(text, "\ufeff") && !slices.Equal(whole, read) {
			t.Fatalf("whole %+v, read %+v", whole, read)
		}
		at := 0
		for _, s := range whole {
			n := strings.Index(squash(text[at:]), squash(s.text))
			if n < 0 {
				t.Fatalf("%q is not in %q", s.text, text)
			}
			if s.text == "" {
				t.Fatalf("statement %q", s.text)
			}
		}
	})
}

func squash(s string) string { return strings.ReplaceAll(s, "\r", "") }

func TestScriptEndsAtError(t *testing.T) {
	stop := errors.New("stop")
	n := 0
	err := eachStatement(strings.NewReader("a;b;c"), func(statement) error {
		if n++; n == 2 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || n != 2 {
		t.Errorf("%d statements, %v", n, err)
	}
	broken := io.MultiReader(strings.NewReader("a;\nb;\n"), errReader{})
	if err := eachStatement(broken, func(statement) error { return nil }); err == nil || err.Error() != "line 3: torn" {
		t.Errorf("broken input: %v", err)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("torn") }

func TestWords(t *testing.T) {
	for line, want := range map[string][]string{
		"":                          nil,
		"  a  b\tc ":                {"a", "b", "c"},
		`'a b' "c d" e'f g'h`:       {"a b", "c d", "ef gh"},
		`'it''s' "say ""x"" \" \\"`: {"it's", `say "x" " \`},
		`'\n' ''`:                   {`\n`, ""},
	} {
		got, err := (&words{line: line}).all()
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%s: %v %s", line, err, d)
		}
	}
	if _, err := (&words{line: `a "b`}).all(); exitCode(err) != 2 {
		t.Errorf("open quote: %v", err)
	}
	w := &words{line: `append log {"it's": "x"} `}
	w.next()
	w.next()
	if got := w.rest(); got != `{"it's": "x"}` {
		t.Errorf("rest: %s", got)
	}
	w = &words{argv: []string{"a b", "c", "{", "}"}}
	if a, _, _ := w.next(); a != "a b" || w.rest() != "c { }" {
		t.Errorf("given words are split again: %q", a)
	}
}

func TestWordsParse(t *testing.T) {
	parse := func(line string) (string, []string, error) {
		fs := flag.NewFlagSet("x", flag.ContinueOnError)
		n := fs.String("n", "", "")
		given, err := (&words{line: line}).parse(fs, 1, 2)
		return *n, given, err
	}
	n, given, err := parse("a -n 5 b")
	if n != "5" || !slices.Equal(given, []string{"a", "b"}) || err != nil {
		t.Errorf("%q %q %v", n, given, err)
	}
	for _, line := range []string{"", "a b c", "a -q", "a -n"} {
		if _, _, err := parse(line); exitCode(err) != 2 {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestParseArgs(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		want invocation
	}{
		{nil, invocation{}},
		{[]string{dir}, invocation{dir: dir}},
		{[]string{"-csv", dir, "select 1"}, invocation{dir: dir, mode: "csv", statements: []string{"select 1"}}},
		{[]string{dir, "-mode", "line", "-c", "a", "--c=b", "-readonly"}, invocation{dir: dir, mode: "line", readonly: true, statements: []string{"a", "b"}}},
		{[]string{dir, "-- x\nselect 1"}, invocation{dir: dir, statements: []string{"-- x\nselect 1"}}},
		{[]string{dir, ".logs"}, invocation{dir: dir, words: []string{".logs"}}},
		{[]string{dir, ".tail", "a b", "-n", "3"}, invocation{dir: dir, words: []string{".tail", "a b", "-n", "3"}}},
		{[]string{dir, ".logs x", "-csv", "-c", "y"}, invocation{dir: dir, mode: "csv", statements: []string{".logs x", "y"}}},
		{[]string{"demo"}, invocation{verb: "demo"}},
		{[]string{"demo", dir}, invocation{verb: "demo", dir: dir}},
		{[]string{"./demo"}, invocation{dir: "./demo"}},
		{[]string{"-h"}, invocation{verb: "help"}},
		{[]string{"-version"}, invocation{verb: "version"}},
		{[]string{"-json", "-json"}, invocation{mode: "json"}},
	} {
		got, err := parseArgs(c.args)
		if d := cmp.Diff(c.want, got, cmp.AllowUnexported(invocation{})); d != "" || err != nil {
			t.Errorf("%q: %v %s", c.args, err, d)
		}
	}
	for _, args := range [][]string{
		{"-nope"},
		{"-mode", "boxx"},
		{"-csv", "-json"},
		{dir, "select", "1"},
		{"select 1"},
		{".logs"},
		{"-readonly"},
		{"demo", dir, "x"},
		{"version", "x"},
		{"demo", "-c", "x"},
		{"-c"},
		{""},
	} {
		if got, err := parseArgs(args); exitCode(err) != 2 {
			t.Errorf("%q: %+v, %v", args, got, err)
		}
	}
}

func TestCommandNames(t *testing.T) {
	for name, want := range map[string]string{"logs": "logs", "l": "logs", "rest": "restore", "q": "quit", "ti": "timer"} {
		if c, err := findCommand(name); err != nil || c.name != want {
			t.Errorf("%s: %s %v", name, c.name, err)
		}
	}
	for name, want := range map[string]string{
		"t":     ".t can be .tables, .tail, .timer, .token",
		"lgos":  `no command .lgos (did you mean "logs"?); .help lists them`,
		"exit":  `no command .exit (did you mean "quit"?); .help lists them`,
		"":      "no command .; .help lists them",
		"zzzzz": "no command .zzzzz; .help lists them",
	} {
		if _, err := findCommand(name); exitCode(err) != 2 || err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
