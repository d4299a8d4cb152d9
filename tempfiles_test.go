package netdb_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/redex"
)

// fillTexts appends n events with texts of about 100 bytes.
func fillTexts(t *testing.T, db *netdb.DB, n int) {
	t.Helper()
	log, err := db.OpenLog(t.Context(), "l", redex.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < n; {
		var batch []redex.Entry
		for range 1000 {
			batch = append(batch, netdb.MustJSON(map[string]any{"i": i, "s": fmt.Sprintf("%0100d", i*7919%n)}))
			i++
		}
		if _, err := log.AppendBatch(t.Context(), batch, redex.AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// texts runs a statement and returns its rows.
func texts(ctx context.Context, db *netdb.DB, sql string) (out []string, err error) {
	rows, err := db.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		out = append(out, fmt.Sprint(rows.Values()))
	}
	return out, errors.Join(rows.Err(), rows.Close())
}

// TestTempFiles: a query above its memory writes to the directory that the options say, shows it in EXPLAIN ANALYZE, and nothing is
// left; what a crash left is removed at open, with other files untouched.
func TestTempFiles(t *testing.T) {
	const n, sql = 20_000, "SELECT s, i FROM l ORDER BY s"
	const left = "netdb-spill-0123456789abcdef0123456789abcdef.tmp"
	system := t.TempDir()
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, system)
	}
	store, chosen := filepath.Join(t.TempDir(), "store"), filepath.Join(t.TempDir(), "a", "b")
	in := filepath.Join(store, "tmp")
	small := netdb.Options{QueryBytes: 1 << 20}
	readOnly, elsewhere := small, small
	readOnly.Store.ReadOnly = true
	elsewhere.TempDir = chosen
	open := func(o netdb.Options) func() (*netdb.DB, error) {
		return func() (*netdb.DB, error) { return netdb.Open(t.Context(), store, o) }
	}
	var want []string
	for _, tt := range []struct {
		name string
		dir  string // where temporary files go
		made bool   // is the directory the query's
		open func() (*netdb.DB, error)
		fill bool
	}{
		{"enough memory", in, false, open(netdb.Options{}), true},
		{"little memory", in, true, open(small), false},
		{"read-only", system, true, open(readOnly), false},
		{"chosen", chosen, true, open(elsewhere), false},
		{"in memory", system, true, func() (*netdb.DB, error) { return netdb.OpenMemory(t.Context(), small) }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.made {
				if err := os.MkdirAll(tt.dir, 0o700); err != nil {
					t.Fatal(err)
				}
				for _, name := range []string{left, "other"} {
					if err := os.WriteFile(filepath.Join(tt.dir, name), nil, 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			db, err := tt.open()
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if tt.fill {
				fillTexts(t, db, n)
			}
			got, err := texts(t.Context(), db, sql)
			if err != nil || len(got) != n {
				t.Fatalf("%d rows, %v", len(got), err)
			}
			if want == nil {
				want = got
			}
			for i := range got {
				if got[i] != want[i] {
					t.Fatalf("row %d is %s, not %s", i, got[i], want[i])
				}
			}
			plan, err := texts(t.Context(), db, "EXPLAIN ANALYZE "+sql)
			if err != nil || strings.Contains(strings.Join(plan, "\n"), "spilled") != tt.made {
				t.Errorf("%v, %v", plan, err)
			}
			// While rows are read the files are there: without a name, or with one in this directory and no other.
			rows, err := db.Query(t.Context(), sql)
			if err != nil || !rows.Next() {
				t.Fatal(err)
			}
			if used := db.Metrics().TempBytes; used > 0 != tt.made {
				t.Errorf("%d bytes of temporary files", used)
			}
			if err := rows.Close(); err != nil {
				t.Fatal(err)
			}
			if used := db.Metrics().TempBytes; used != 0 {
				t.Errorf("%d bytes of temporary files left", used)
			}
			entries, err := os.ReadDir(tt.dir)
			switch {
			case !tt.made && !errors.Is(err, os.ErrNotExist):
				t.Errorf("%v, %v in a directory that was not needed", entries, err)
			case tt.made && (err != nil || len(entries) != 1 || entries[0].Name() != "other"):
				t.Errorf("%v, %v left", entries, err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTempBytes: the limit is that of all queries, its error the budget's, and what a query had is free again.
func TestTempBytes(t *testing.T) {
	db, err := netdb.Open(t.Context(), filepath.Join(t.TempDir(), "store"), netdb.Options{QueryBytes: 1 << 20, TempBytes: 300 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	fillTexts(t, db, 30_000)
	for _, sql := range []string{
		"SELECT s, i FROM l ORDER BY s", "SELECT s, count(*) FROM l GROUP BY s", "SELECT DISTINCT s, i FROM l", "SELECT a.s FROM l a JOIN l b ON a.s = b.s",
	} {
		_, err := texts(t.Context(), db, sql)
		if !errors.Is(err, netdb.ErrBudget) || !strings.Contains(err.Error(), "no room on disk") {
			t.Errorf("%s: %v", sql, err)
		}
		if used := db.Metrics().TempBytes; used != 0 {
			t.Errorf("%s: %d bytes left", sql, used)
		}
	}
	if err := (netdb.Options{TempBytes: -1}).Validate(); err == nil {
		t.Error("a negative limit is valid")
	}
}

// TestCloseWithTempFiles: rows that are not read to their end hold files until they are closed, and a cancelled query none.
func TestCloseWithTempFiles(t *testing.T) {
	db, err := netdb.OpenMemory(t.Context(), netdb.Options{QueryBytes: 1 << 20, TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	fillTexts(t, db, 20_000)
	ctx, cancel := context.WithCancel(t.Context())
	rows, err := db.Query(ctx, "SELECT s, count(*) FROM l GROUP BY s")
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	cancel()
	for rows.Next() {
	}
	if err := rows.Err(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if used := db.Metrics().TempBytes; used != 0 {
		t.Errorf("%d bytes left by a cancelled query", used)
	}
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
}
