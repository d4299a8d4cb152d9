package netdb_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/redex"
)

// counted is how many rows the tables of a fold and a model, and a log have.
func counted(t *testing.T, db *netdb.DB) (out [3]int64) {
	t.Helper()
	ctx := t.Context()
	if _, err := netdb.OpenFold(ctx, db, killFold()); err != nil {
		t.Fatal(err)
	}
	for _, f := range db.Folds() {
		if err := f.CatchUp(ctx); err != nil {
			t.Fatal(err)
		}
	}
	type count struct {
		N int64 `json:"n"`
	}
	for i, from := range []string{"folds." + killTable(t, db), "tasks", `logs."` + killLogs[0] + `"`} {
		for c, err := range netdb.Select[count](ctx, db, "SELECT count(*) AS n FROM "+from) {
			if err != nil {
				t.Fatalf("%s: %v", from, err)
			}
			out[i] = c.N
		}
	}
	return out
}

// killTable is the first table of the fold of killFold.
func killTable(t *testing.T, db *netdb.DB) string {
	t.Helper()
	for _, f := range db.Folds() {
		if f.Name() != killFold().Name {
			continue
		}
		frozen, err := f.Frozen()
		if err != nil {
			t.Fatal(err)
		}
		return frozen.Tables()[0].Name()
	}
	t.Fatal("the fold is not open")
	return ""
}

// TestCopies makes a checkpoint and a backup of a database, and asks the copies what the database says.
func TestCopies(t *testing.T) {
	ctx := t.Context()
	db := snapshotSource(t)
	base := t.TempDir()
	var want [3]int64
	for _, f := range db.Folds() {
		if err := f.CatchUp(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Checkpoint(ctx, base+"/copy"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Backup(ctx, base+"/backups", redex.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := redex.RestoreBackup(ctx, base+"/backups", 1, base+"/restored"); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"copy", "restored", "copy"} {
		o := netdb.Options{Store: redex.Options{ReadOnly: i == 0}}
		c, err := netdb.Open(ctx, filepath.Join(base, name), o)
		if err != nil {
			t.Fatal(err)
		}
		got := counted(t, c)
		if i == 0 {
			want = got
			log, err := c.Log(killLogs[0])
			if err != nil {
				t.Fatal(err)
			}
			if _, err := log.Append(ctx, redex.Entry{}, redex.AppendOptions{}); !errors.Is(err, redex.ErrReadOnly) {
				t.Errorf("append: %v", err)
			}
		}
		if got != want || got[0] == 0 || got[1] == 0 || got[2] == 0 {
			t.Errorf("%s: %v, the first copy had %v", name, got, want)
		}
		if rep, err := c.Check(ctx); err != nil || len(rep.Problems) > 0 {
			t.Errorf("%s: %v, %v", name, rep.Problems, err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	log, err := db.Log(killLogs[0])
	if err != nil {
		t.Fatal(err)
	}
	if n := log.Bounds().Len(); n != want[2] {
		t.Errorf("the log has %d events, its copies %d", n, want[2])
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Checkpoint(ctx, base+"/late"); !errors.Is(err, netdb.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}
