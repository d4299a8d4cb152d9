package archtest

import (
	"errors"
	"go/ast"
	"go/token"
	"go/types"
	"testing"
)

// TestPackageVariables refuses package variables that change. Each package is type-checked alone, without what it imports:
// that is enough to tell a package's own variable from a local one of the same name.
func TestPackageVariables(t *testing.T) {
	tr := load(t)
	for dir, files := range tr.files {
		var parsed []*ast.File
		for _, f := range files {
			if !f.test() {
				parsed = append(parsed, f.ast)
			}
		}
		info := types.Info{Uses: map[*ast.Ident]types.Object{}}
		conf := types.Config{Error: func(error) {}, Importer: noImports{}, FakeImportC: true}
		pkg, _ := conf.Check(dir, tr.fset, parsed, &info) // errors are expected: imports are missing
		global := func(e ast.Expr) *ast.Ident {
			for {
				switch x := e.(type) {
				case *ast.ParenExpr:
					e = x.X
				case *ast.IndexExpr:
					e = x.X
				case *ast.SelectorExpr:
					e = x.X
				case *ast.StarExpr:
					e = x.X
				case *ast.Ident:
					if v, ok := info.Uses[x].(*types.Var); ok && v.Parent() == pkg.Scope() {
						return x
					}
					return nil
				default:
					return nil
				}
			}
		}
		refuse := func(e ast.Expr) {
			if id := global(e); id != nil {
				t.Errorf("%s: package variable %s changes", tr.fset.Position(id.Pos()), id.Name)
			}
		}
		for _, f := range parsed {
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.AssignStmt:
					if n.Tok != token.DEFINE {
						for _, l := range n.Lhs {
							refuse(l)
						}
					}
				case *ast.IncDecStmt:
					refuse(n.X)
				case *ast.RangeStmt:
					if n.Tok == token.ASSIGN {
						refuse(n.Key)
						if n.Value != nil {
							refuse(n.Value)
						}
					}
				case *ast.CallExpr:
					if fn, ok := n.Fun.(*ast.Ident); ok && (fn.Name == "delete" || fn.Name == "clear") && len(n.Args) > 0 {
						refuse(n.Args[0])
					}
				case *ast.GenDecl:
					if n.Tok == token.VAR {
						checkGuarded(t, tr.fset, pkg, n)
					}
				}
				return true
			})
		}
	}
}

// checkGuarded refuses package variables that are there to be changed: locks, atomics and concurrent maps. A sync.Pool is
// memory to reuse, not state.
func checkGuarded(t *testing.T, fset *token.FileSet, pkg *types.Package, d *ast.GenDecl) {
	for _, s := range d.Specs {
		spec, ok := s.(*ast.ValueSpec)
		if !ok || pkg.Scope().Lookup(spec.Names[0].Name) == nil || pkg.Scope().Lookup(spec.Names[0].Name).Pos() != spec.Names[0].Pos() {
			continue
		}
		sel, ok := spec.Type.(*ast.SelectorExpr)
		if !ok {
			continue
		}
		switch x, _ := sel.X.(*ast.Ident); {
		case x == nil:
		case x.Name == "atomic", x.Name == "sync" && sel.Sel.Name != "Pool":
			t.Errorf("%s: package variable %s of type %s.%s", fset.Position(spec.Pos()), spec.Names[0].Name, x.Name, sel.Sel.Name)
		}
	}
}

// noImports is an importer that has nothing.
type noImports struct{}

func (noImports) Import(string) (*types.Package, error) { return nil, errors.New("not imported here") }
