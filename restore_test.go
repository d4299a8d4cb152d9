package netdb_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/internal/snapfile"
)

// TestRestoreDirectory restores to places that are links or cannot be replaced.
func TestRestoreDirectory(t *testing.T) {
	ctx := t.Context()
	db := snapshotSource(t)
	var file bytes.Buffer
	if _, err := db.Snapshot(ctx, &file, netdb.SnapshotOptions{}); err != nil {
		t.Fatal(err)
	}
	restore := func(dir string) error {
		again, err := netdb.Restore(ctx, dir, bytes.NewReader(file.Bytes()), netdb.RestoreOptions{})
		if err == nil {
			err = again.Close()
		}
		return err
	}
	work := t.TempDir()
	t.Chdir(work)
	for link, to := range map[string]string{"link": "real", "dangling": "nothing"} {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir("real", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := restore("link"); err != nil {
		t.Error(err)
	}
	if info, err := os.Lstat("link"); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v %v", info, err)
	}
	if _, err := os.Stat(filepath.Join("real", "FORMAT")); err != nil {
		t.Error(err)
	}
	if err := restore("dangling"); err == nil || !strings.Contains(err.Error(), "dangling: it is a link to nothing") {
		t.Errorf("a link to nothing: %v", err)
	}
	if err := restore(""); err == nil || !strings.Contains(err.Error(), "name is empty") {
		t.Errorf("an empty name: %v", err)
	}
	if err := os.Mkdir("empty", 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir("empty")
	if err := restore("."); err == nil || errors.Is(err, netdb.ErrDirExists) || !strings.Contains(err.Error(), "cannot be replaced") {
		t.Errorf("the working directory: %v", err)
	}
	left, err := os.ReadDir(work)
	if err != nil || len(left) != 4 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// TestRestoreOfWrongSections restores files whose hashes are right and whose sections do not fit each other.
func TestRestoreOfWrongSections(t *testing.T) {
	ctx := t.Context()
	db := snapshotSource(t)
	var file bytes.Buffer
	if _, err := db.Snapshot(ctx, &file, netdb.SnapshotOptions{Logs: []string{"left", "right"}}); err != nil {
		t.Fatal(err)
	}
	// rewrite copies the file and calls change with each section, which returns how often it is in the copy and its data.
	rewrite := func(change func(kind snapfile.Kind, name string, data []byte) (int, []byte)) *bytes.Buffer {
		var out bytes.Buffer
		r, err := snapfile.NewReader(bytes.NewReader(file.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		w, err := snapfile.NewWriter(&out)
		if err != nil {
			t.Fatal(err)
		}
		for {
			kind, name, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			n, data := change(kind, name, data)
			for range n {
				if err := w.Section(kind, name); err != nil {
					t.Fatal(err)
				}
				if _, err := w.Write(data); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return &out
	}
	parent := t.TempDir()
	for what, change := range map[string]func(snapfile.Kind, string, []byte) (int, []byte){
		"events of a log cut short": func(_ snapfile.Kind, name string, data []byte) (int, []byte) {
			if name == "left" {
				return 1, data[:1+int(data[0])]
			}
			return 1, data
		},
		"no events of a log": func(_ snapfile.Kind, name string, data []byte) (int, []byte) {
			if name == "left" {
				return 1, nil
			}
			return 1, data
		},
		"a log's section missing": func(_ snapfile.Kind, name string, data []byte) (int, []byte) {
			if name == "left" {
				return 0, nil
			}
			return 1, data
		},
		"a log's section twice": func(_ snapfile.Kind, name string, data []byte) (int, []byte) {
			if name == "left" {
				return 2, data
			}
			return 1, data
		},
		"everything twice": func(_ snapfile.Kind, _ string, data []byte) (int, []byte) { return 2, data },
		"empty header": func(kind snapfile.Kind, _ string, data []byte) (int, []byte) {
			if kind == 1 {
				return 1, nil
			}
			return 1, data
		},
		"nothing": func(snapfile.Kind, string, []byte) (int, []byte) { return 0, nil },
		"a fold's state cut short": func(_ snapfile.Kind, name string, data []byte) (int, []byte) {
			if name == "tasks" {
				return 1, data[:len(data)/2]
			}
			return 1, data
		},
	} {
		again, err := netdb.Restore(ctx, filepath.Join(parent, "r"), rewrite(change), netdb.RestoreOptions{})
		if err == nil {
			t.Errorf("%s: restored", what)
			again.Close()
		} else if !errors.Is(err, netdb.ErrSnapshot) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	again, err := netdb.Restore(ctx, filepath.Join(parent, "r"), rewrite(func(_ snapfile.Kind, _ string, data []byte) (int, []byte) { return 1, data }), netdb.RestoreOptions{})
	if err != nil {
		t.Fatal("an unchanged copy:", err)
	}
	again.Close()
}
