package netdb_test

import (
	"strings"
	"testing"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/redex"
)

// TestLogsTableAtCut checks that netdb.logs shows the logs as they were when the query began, batches whole, whatever is
// appended and deleted while it is read.
func TestLogsTableAtCut(t *testing.T) {
	ctx := t.Context()
	db, err := netdb.OpenMemory(ctx, netdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var batches []redex.Batch
	for _, name := range []string{"a", "b", "c"} {
		log, err := db.CreateLog(ctx, name, redex.LogOptions{})
		if err != nil {
			t.Fatal(err)
		}
		batches = append(batches, redex.Batch{Log: log, Entries: []redex.Entry{netdb.MustJSON(1)}})
	}
	add := func() {
		t.Helper()
		if _, err := db.Store().Append(ctx, batches, redex.AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	add()
	rows, err := db.Query(ctx, "SELECT name, next, events FROM netdb.logs")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	add()
	if err := db.DeleteLog(ctx, "b"); err != nil {
		t.Fatal(err)
	}
	var names strings.Builder
	for rows.Next() {
		v := rows.Values()
		names.WriteString(v[0].Text())
		if v[1].Int() != 1 || v[2].Int() != 1 {
			t.Errorf("log %s has %d events to %d, when the query began it had 1", v[0].Text(), v[2].Int(), v[1].Int())
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if names.String() != "ac" {
		t.Errorf("logs %q", names.String())
	}
}
