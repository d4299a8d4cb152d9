package archtest

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// file is one parsed source file; its path is relative to the module's root, with slashes.
type file struct {
	path  string
	lines int
	ast   *ast.File
}

func (f file) test() bool { return strings.HasSuffix(f.path, "_test.go") }

// tree is the module's source: its files by folder.
type tree struct {
	root  string
	fset  *token.FileSet
	files map[string][]file
}

func load(t *testing.T) tree {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(root, "go.mod")); err != nil || !bytes.HasPrefix(b, []byte("module "+module+"\n")) {
		t.Fatalf("%s does not hold the go.mod of %s: %v", root, module, err)
	}
	tr := tree{root: root, fset: token.NewFileSet(), files: map[string][]file{}}
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			name := d.Name()
			if rel != "." && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata") {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(p, "go.mod")); err == nil && rel != "." {
				return fs.SkipDir // a module of its own
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") {
			return nil
		}
		src, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(tr.fset, rel, src, parser.ParseComments)
		if err != nil {
			return err
		}
		dir := path.Dir(rel)
		tr.files[dir] = append(tr.files[dir], file{rel, bytes.Count(src, []byte{'\n'}), parsed})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(tr.files) < 2 {
		t.Fatalf("only %d packages found under %s", len(tr.files), root)
	}
	return tr
}

// each calls fn for every file.
func (tr tree) each(fn func(dir string, f file)) {
	for dir, files := range tr.files {
		for _, f := range files {
			fn(dir, f)
		}
	}
}

func imports(f file) []string {
	var out []string
	for _, im := range f.ast.Imports {
		if p, err := strconv.Unquote(im.Path.Value); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// own returns the folder of an import path of this module.
func own(p string) (string, bool) {
	if p == module {
		return ".", true
	}
	return strings.CutPrefix(p, module+"/")
}

func TestImportsPointDown(t *testing.T) {
	tr, rules := load(t), mayImport()
	for dir := range tr.files {
		if _, ok := rules[dir]; !ok {
			t.Errorf("package %s is not in the table of rules_test.go", dir)
		}
	}
	tr.each(func(dir string, f file) {
		if f.test() {
			return
		}
		for _, p := range imports(f) {
			dep, ours := own(p)
			switch {
			case ours && !slices.Contains(rules[dir], dep):
				t.Errorf("%s imports %s: the table does not allow it", f.path, dep)
			case ours && slices.Contains(testOnly(), dep):
				t.Errorf("%s imports %s, which is for tests", f.path, dep)
			case !ours && strings.Contains(strings.SplitN(p, "/", 2)[0], ".") && slices.Contains(stdOnly(), dir) && !allowedModule(dir, p):
				t.Errorf("%s imports %s: %s keeps to the standard library", f.path, p, dir)
			case p == "github.com/cockroachdb/pebble/v2" && dir != "redex/internal/kv":
				t.Errorf("%s imports pebble: only redex/internal/kv does, so that its failures stay in one place", f.path)
			case p == "reflect" && (strings.HasPrefix(dir, "redex") || dir == "planner/exec" || dir == "planner/vector"):
				t.Errorf("%s imports reflect on a hot path", f.path)
			}
		}
	})
}

// allowedModule lists what the packages of stdOnly use besides the standard library.
func allowedModule(dir, p string) bool {
	switch p {
	case "github.com/RoaringBitmap/roaring/v2":
		return dir == "fold"
	case "github.com/vmihailenco/msgpack/v5":
		return slices.Contains([]string{"fold", "tasks", "memories"}, dir)
	}
	return false
}

func TestExceptionsExist(t *testing.T) {
	tr := load(t)
	for path, why := range excepted() {
		if _, err := os.Stat(filepath.Join(tr.root, filepath.FromSlash(path))); err != nil || why == "" {
			t.Errorf("exception %s (%q): %v", path, why, err)
		}
	}
}

func TestRulesHaveNoCycle(t *testing.T) {
	rules := mayImport()
	state := map[string]int{}
	var visit func(string, []string)
	visit = func(p string, way []string) {
		way = append(way, p)
		if state[p] == 1 {
			t.Fatalf("the table of rules_test.go has a cycle: %s", strings.Join(way, " -> "))
		}
		if state[p] == 2 {
			return
		}
		state[p] = 1
		for _, d := range rules[p] {
			visit(d, way)
		}
		state[p] = 2
	}
	for p := range rules {
		visit(p, nil)
	}
}

func TestFileLength(t *testing.T) {
	load(t).each(func(_ string, f file) {
		switch {
		case ast.IsGenerated(f.ast):
		case f.lines > refusedLines:
			t.Errorf("%s has %d lines; %d is the most", f.path, f.lines, refusedLines)
		case f.lines > longLines && (len(f.ast.Comments) == 0 || !strings.Contains(f.ast.Comments[0].Text(), "file")):
			t.Errorf("%s has %d lines; past %d the first comment says why the file is not split", f.path, f.lines, longLines)
		}
	})
}

func TestPackageDocs(t *testing.T) {
	tr := load(t)
	for dir, files := range tr.files {
		docs, code := 0, false
		for _, f := range files {
			if f.test() {
				continue
			}
			code = true
			if f.ast.Doc == nil {
				continue
			}
			docs++
			if path.Base(f.path) != "doc.go" {
				t.Errorf("%s has the package comment; it belongs in doc.go", f.path)
			}
			want := "Package " + f.ast.Name.Name + " "
			if f.ast.Name.Name == "main" {
				want = "Command " + path.Base(dir) + " "
			}
			if text := f.ast.Doc.Text(); !strings.HasPrefix(text, want) {
				t.Errorf("%s: the package comment does not begin with %q", f.path, want)
			}
		}
		if code && docs != 1 {
			t.Errorf("%s has %d package comments, want one in doc.go", dir, docs)
		}
	}
	for _, dir := range designed() {
		if _, ok := tr.files[dir]; !ok {
			continue
		}
		if _, err := os.Stat(filepath.Join(tr.root, filepath.FromSlash(dir), "DESIGN.md")); err != nil {
			t.Errorf("%s has no DESIGN.md: %v", dir, err)
		}
	}
}

func TestPackageNames(t *testing.T) {
	refused := []string{"util", "utils", "common", "types", "errors", "helper", "helpers", "manager", "base", "misc"}
	load(t).each(func(dir string, f file) {
		if slices.Contains(refused, path.Base(dir)) {
			t.Errorf("%s: a package is one noun that says what it holds", dir)
		}
		name := strings.TrimSuffix(f.ast.Name.Name, "_test")
		if dir != "." && name != "main" && name != path.Base(dir) {
			t.Errorf("%s: package %s in folder %s", f.path, name, dir)
		}
	})
}

// TestByteOrder holds on-disk code in files that say so. A file's name tells: format.go, codec.go, or a name that ends in
// either (row_format.go).
func TestByteOrder(t *testing.T) {
	named := regexp.MustCompile(`(^|_)(format|codec)(_[a-z0-9]+)*\.go$`)
	load(t).each(func(dir string, f file) {
		if _, ok := excepted()[f.path]; ok || f.test() || !slices.Contains(onDisk(), dir) || named.MatchString(path.Base(f.path)) {
			return
		}
		if slices.Contains(imports(f), "encoding/binary") {
			t.Errorf("%s imports encoding/binary: on-disk code belongs in a format or codec file", f.path)
		}
	})
}

func TestRefusals(t *testing.T) {
	note := regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)
	tr := load(t)
	tr.each(func(dir string, f file) {
		at := func(n ast.Node) token.Position { return tr.fset.Position(n.Pos()) }
		for _, c := range f.ast.Comments {
			if dir != "internal/archtest" && note.MatchString(c.Text()) {
				t.Errorf("%s: a note to self; do it or write it down where it is planned", at(c))
			}
		}
		bubble := slices.Contains(imports(f), "testing/synctest")
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if _, except := excepted()[f.path]; n.Recv == nil && n.Name.Name == "init" && !except {
					t.Errorf("%s: init function", at(n))
				}
			case *ast.CallExpr:
				sel, ok := n.Fun.(*ast.SelectorExpr)
				if !ok || !f.test() {
					return true
				}
				x, _ := sel.X.(*ast.Ident)
				_, except := excepted()[f.path]
				switch {
				case x == nil, except:
				case slices.Contains([]string{"t", "b", "f", "tb"}, x.Name) && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name):
					t.Errorf("%s: a skipped test proves nothing", at(n))
				case x.Name == "time" && sel.Sel.Name == "Sleep" && !bubble:
					t.Errorf("%s: a sleeping test; wait for the condition, or use testing/synctest", at(n))
				}
			}
			return true
		})
	})
}
