package sqldriver_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed69692123/netdb/redex"
	"github.com/seed69692123/netdb/sqldriver"
)

func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	pool, err := sql.Open("netdb", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	return pool
}

func TestDSN(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		filepath.Join(dir, "plain"), "file:" + filepath.Join(dir, "url"), "file://" + filepath.Join(dir, "a url"), "file://localhost" + filepath.Join(dir, "host"),
		"file:" + filepath.Join(dir, "a%20b"), filepath.Join(dir, "opts") + "?readonly=0&sync=interval&zone=Europe/Paris&origin=ff&query_bytes=1048576&query_threads=2&temp_bytes=1&temp_dir=" + dir,
		":memory:", ":memory:?sync=never",
	} {
		pool := open(t, name)
		if _, err := pool.Exec("INSERT INTO log (a) VALUES (1)"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := pool.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, made := range []string{"plain", "url", "a url", "host", "a b", "opts"} {
		if _, err := os.Stat(filepath.Join(dir, made, "FORMAT")); err != nil {
			t.Error(err)
		}
	}
	for name, say := range map[string]string{
		"": "no directory", "?readonly=1": "no directory", "file:": "no directory", "file://host/x": "on this machine", "file:///%zz": "escape",
		"x?nosuch=1": "none of that name", "x?readonly=maybe": "neither 0 nor 1", "x?sync=often": "always", "x?zone=Nowhere/At": "Nowhere",
		"x?origin=xyz": "hexadecimal", "x?query_bytes=-1": "no number", "x?query_threads=x": "no number", "x?readonly=1&readonly=0": "twice", "x?%zz": "escape",
		":memory:?readonly=1": "never read-only",
	} {
		_, err := sql.Open("netdb", name)
		if !errors.Is(err, sqldriver.ErrDSN) || !strings.Contains(err.Error(), say) {
			t.Errorf("%q: %v, want %q", name, err, say)
		}
	}
}

// TestShared checks that pools on one directory share one handle, which the last one closes, whatever the name is.
func TestShared(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	one := open(t, dir)
	if _, err := one.Exec("INSERT INTO log (a) VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	link := dir + "-link"
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		two := open(t, "file:"+link)
		var n int
		if err := two.QueryRow("SELECT count(*) FROM log").Scan(&n); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		if err := two.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := open(t, dir+"?sync=never").Ping(); !errors.Is(err, sqldriver.ErrOptions) {
		t.Errorf("other options: %v", err)
	}
	if _, err := redex.Open(t.Context(), dir, redex.Options{}); !errors.Is(err, redex.ErrLocked) {
		t.Errorf("the directory is not locked: %v", err)
	}
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := redex.Open(t.Context(), dir, redex.Options{})
	if err != nil {
		t.Fatalf("the last Close did not close: %v", err)
	}
	if err := open(t, dir).Ping(); !errors.Is(err, redex.ErrLocked) {
		t.Errorf("the directory is open elsewhere: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ro := open(t, dir+"?readonly=1")
	if _, err := ro.Exec("INSERT INTO log (a) VALUES (1)"); !errors.Is(err, redex.ErrReadOnly) {
		t.Errorf("read-only: %v", err)
	}
}

// TestSharedRace opens and closes pools on one directory from many goroutines.
func TestSharedRace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	errs := make(chan error)
	for range 8 {
		go func() {
			var err error
			for range 5 {
				pool, oerr := sql.Open("netdb", dir)
				if err = oerr; err == nil {
					_, err = pool.Exec("INSERT INTO log (a) VALUES (?)", 1)
					err = errors.Join(err, pool.Close())
				}
				if err != nil {
					break
				}
			}
			errs <- err
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	var n int
	if err := open(t, dir).QueryRow("SELECT count(*) FROM log").Scan(&n); err != nil || n != 40 {
		t.Error(n, err)
	}
}

// TestDriverOpen uses the driver without a connector.
func TestDriverOpen(t *testing.T) {
	d := &sqldriver.Driver{}
	dir := filepath.Join(t.TempDir(), "db")
	a, err := d.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := d.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if a.(*sqldriver.Conn).DB() != b.(*sqldriver.Conn).DB() {
		t.Error("two handles on one directory")
	}
	if err := errors.Join(a.Close(), a.Close()); err != nil {
		t.Error(err)
	}
	if _, err := b.Prepare("SELECT 1"); err != nil {
		t.Error(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}
