package exec

import (
	"os"
	"strings"
	"testing"
)

// TestDocs asserts that docs/sql.md names every aggregate and window function.
func TestDocs(t *testing.T) {
	b, err := os.ReadFile("../../docs/sql.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(b), "\n### Aggregates\n")
	if !ok {
		t.Fatal("no section on aggregates")
	}
	text, _, _ = strings.Cut(text, "\n## ")
	for _, f := range WindowFunctions() {
		if !strings.Contains(text, "`"+f.Name+"(") {
			t.Errorf("docs/sql.md does not name %s", f.Name)
		}
	}
	for _, f := range AggregateFunctions() {
		for _, name := range append([]string{f.Name}, f.Aliases...) {
			if !strings.Contains(text, "`"+name+"`") && !strings.Contains(text, "`"+name+"(") {
				t.Errorf("docs/sql.md does not name %s", name)
			}
		}
	}
}
