package redex

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// staging is a directory that is made beside its target, and renamed to it when everything in it is on disk: the target is whole or
// not there. A process that dies leaves it behind under a name that begins as the target's and can be removed.
type staging struct {
	fs     vfs.FS
	dir    string // where it is made
	target string
	dirs   []string // made inside, to be synced
}

// newStaging begins to make a directory, which must not exist or be empty. kind is a word for its name.
func newStaging(fs vfs.FS, target, kind string) (*staging, error) {
	if target == "" {
		return nil, errors.New("the directory's name is empty")
	}
	if fs == vfs.Default {
		abs, err := filepath.Abs(target)
		if err != nil {
			return nil, err
		}
		if target = abs; isLink(abs) { // a link is followed, not replaced
			if target, err = filepath.EvalSymlinks(abs); err != nil {
				return nil, err
			}
		}
	}
	if err := checkVacant(fs, target); err != nil {
		return nil, err
	}
	var id [4]byte
	rand.Read(id[:]) // never fails, by its documentation
	st := &staging{fs: fs, target: target, dir: target + "." + kind + "-" + hex.EncodeToString(id[:])}
	if err := fs.MkdirAll(fs.PathDir(target), 0o755); err != nil {
		return nil, err
	}
	if err := fs.MkdirAll(st.dir, 0o755); err != nil {
		return nil, err
	}
	return st, nil
}

func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&os.ModeSymlink != 0
}

// checkVacant returns an error when there is something at a path.
func checkVacant(fs vfs.FS, dir string) error {
	info, err := fs.Stat(dir)
	switch {
	case isNotExist(err):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s: %w", dir, os.ErrExist)
	}
	names, err := fs.List(dir)
	if err == nil && len(names) > 0 {
		err = fmt.Errorf("%s is not empty: %w", dir, os.ErrExist)
	}
	return err
}

// path returns where a file of the directory is, given its path in the finished one, with slashes.
func (st *staging) path(name string) string {
	return st.fs.PathJoin(append([]string{st.dir}, strings.Split(name, "/")...)...)
}

// mkdir makes a directory inside.
func (st *staging) mkdir(name string) error {
	st.dirs = append(st.dirs, st.path(name))
	return st.fs.MkdirAll(st.path(name), 0o755)
}

// finish makes everything durable and gives the directory its name. Files must be synced.
func (st *staging) finish() error {
	for _, d := range append(st.dirs, st.dir) {
		if err := syncDir(st.fs, d); err != nil {
			return err
		}
	}
	if err := st.fs.Remove(st.target); err != nil && !isNotExist(err) { // an empty one
		return err
	}
	if err := st.fs.Rename(st.dir, st.target); err != nil {
		return err
	}
	return syncDir(st.fs, st.fs.PathDir(st.target))
}

// abandon removes what was made.
func (st *staging) abandon() error { return st.fs.RemoveAll(st.dir) }

// copyTo writes and syncs a file, without its directory, with what fill writes.
func copyTo(fs vfs.FS, path string, fill func(io.Writer) error) error {
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if err = fill(f); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// copyFile writes what is in a file to w.
func copyFile(ctx context.Context, fs vfs.FS, path string, w io.Writer) (int64, error) {
	f, err := fs.Open(path, vfs.SequentialReadsOption)
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 256<<10)
	n, err := io.CopyBuffer(struct{ io.Writer }{w}, &contextReader{ctx, f}, buf)
	return n, errors.Join(err, f.Close())
}

// contextReader reads until a context ends.
type contextReader struct {
	ctx context.Context // of the call that copies, which it does not outlive
	r   io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// contextWriter writes until a context ends.
type contextWriter struct {
	ctx context.Context // of the call that copies, which it does not outlive
	w   io.Writer
}

func (w *contextWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.w.Write(p)
}
