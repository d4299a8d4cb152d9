package netdb

import (
	"fmt"
	"testing"

	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/redex"
)

// TestHasTable asks for tables one by one: there are those that are listed.
func TestHasTable(t *testing.T) {
	db, err := Open(t.Context(), t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, name := range []string{"a", "a/b", "Upper", "cortex/tasks"} {
		if _, err := db.CreateLog(t.Context(), name, redex.LogOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := db.Query(t.Context(), "CREATE VIEW v AS SELECT 1 AS x")
	if err != nil {
		t.Fatal(err)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	c := db.newCatalog()
	defer c.unpin()
	if _, err := db.CreateLog(t.Context(), "later", redex.LogOptions{}); err != nil { // not at the catalogue's cut
		t.Fatal(err)
	}
	all, err := c.Tables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	listed := map[planner.TableName]bool{}
	for _, name := range all {
		listed[name] = true
	}
	for _, name := range []string{"a", "a/b", "upper", "Upper", "later", "v", "tasks", "memories", "logs", "cortex/tasks", "", "no", "a//b", "\xff"} {
		for _, kind := range []planner.TableKind{planner.KindSystem, planner.KindView, planner.KindFold, planner.KindLog} {
			if t := (planner.TableName{Kind: kind, Name: name}); !listed[t] {
				listed[t] = false
			}
		}
	}
	for name, want := range listed {
		if got, err := c.Has(t.Context(), name); err != nil || got != want {
			t.Errorf("%s: %v %v, want %v", fmt.Sprint(name), got, err, want)
		}
	}
}
