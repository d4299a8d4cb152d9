package redex

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// listPackages are the packages whose functions the tables of DESIGN.md name, by the word before the name.
var listPackages = map[string]string{"": ".", "journal.": "journal", "sealed.": "sealed", "kv.": "internal/kv", "index.": "index"}

// listFunctions returns the functions of those packages, in tests or not.
func listFunctions(t *testing.T, tests bool) map[string]*ast.FuncDecl {
	t.Helper()
	all := map[string]*ast.FuncDecl{}
	for prefix, dir := range listPackages {
		paths, err := filepath.Glob(dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") != tests {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok {
					all[prefix+fn.Name.Name] = fn
				}
			}
		}
	}
	return all
}

// listRows returns the cells of the table behind a heading of DESIGN.md.
func listRows(t *testing.T, heading string) (rows [][]string) {
	t.Helper()
	b, err := os.ReadFile("DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(b), "## "+heading+"\n")
	if !ok {
		t.Fatalf("DESIGN.md has no %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	for line := range strings.Lines(text) {
		if cells := strings.Split(strings.TrimSpace(line), " | "); strings.HasPrefix(line, "| ") && len(cells) > 1 {
			rows = append(rows, cells)
		}
	}
	return rows[1:] // the heads of the columns
}

var quoted = regexp.MustCompile("`((?:[a-z]+\\.)?[A-Za-z]+)`")

// TestLines checks the table of DESIGN.md: every line of the list's parts on logs is there, once, with a test that exists.
func TestLines(t *testing.T) {
	const lines = 59
	tests := listFunctions(t, true)
	seen := map[int]int{}
	for _, cells := range listRows(t, "Lines of the reliability list and their tests") {
		for s := range strings.SplitSeq(strings.TrimPrefix(cells[0], "| "), ", ") {
			n, err := strconv.Atoi(s)
			if err != nil {
				t.Fatalf("%q: %v", cells, err)
			}
			seen[n]++
		}
		found := 0
		for _, m := range quoted.FindAllStringSubmatch(cells[len(cells)-1], -1) {
			name := m[1]
			short := name[strings.LastIndex(name, ".")+1:]
			if !strings.HasPrefix(short, "Test") && !strings.HasPrefix(short, "Fuzz") {
				continue
			}
			found++
			if tests[name] == nil {
				t.Errorf("lines %s: there is no %s", cells[0], name)
			}
		}
		if found == 0 {
			t.Errorf("lines %s have no test", cells[0])
		}
	}
	for n := range lines {
		if seen[n+1] != 1 {
			t.Errorf("line %d is there %d times", n+1, seen[n+1])
		}
	}
	if len(seen) != lines {
		t.Errorf("%d lines, want %d: %v", len(seen), lines, slices.Sorted(maps.Keys(seen)))
	}
}

// TestDecoders checks the other table: every function that is named as a decoder of bytes is in it, with a fuzz target that exists.
func TestDecoders(t *testing.T) {
	tests, code := listFunctions(t, true), listFunctions(t, false)
	listed := map[string]bool{}
	for _, cells := range listRows(t, "Decoders of what is on disk and their fuzz targets") {
		for _, m := range quoted.FindAllStringSubmatch(cells[0], -1) {
			listed[m[1]] = true
			if code[m[1]] == nil {
				t.Errorf("there is no decoder %s", m[1])
			}
		}
		targets := quoted.FindAllStringSubmatch(cells[len(cells)-1], -1)
		for _, m := range targets {
			if tests[m[1]] == nil {
				t.Errorf("there is no target %s", m[1])
			}
		}
		if len(targets) == 0 {
			t.Errorf("%s have no target", cells[0])
		}
	}
	for name, fn := range code {
		short := name[strings.LastIndex(name, ".")+1:]
		if (strings.HasPrefix(short, "decode") || strings.HasPrefix(short, "parse")) && takesBytes(fn) && !listed[name] {
			t.Errorf("decoder %s has no fuzz target in DESIGN.md", name)
		}
	}
}

// takesBytes reports whether a function has an argument of bytes or text.
func takesBytes(fn *ast.FuncDecl) bool {
	for _, p := range fn.Type.Params.List {
		switch typ := p.Type.(type) {
		case *ast.ArrayType:
			if id, ok := typ.Elt.(*ast.Ident); ok && typ.Len == nil && id.Name == "byte" {
				return true
			}
		case *ast.Ident:
			if typ.Name == "string" {
				return true
			}
		}
	}
	return false
}
