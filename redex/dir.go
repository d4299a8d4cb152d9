package redex

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed69692123/netdb/redex/journal"
)

// A directory becomes a store in three steps: FORMAT.new is written and synced, journal and catalog are made, FORMAT.new is
// renamed to FORMAT. A directory with FORMAT.new was never a store, and is made anew; one with neither and anything else in it
// belongs to another program, and is refused before anything is created in it.

// dirState is what is found at a directory.
type dirState uint8

const (
	dirEmpty dirState = iota // not there, or nothing in it that matters
	dirBegun                 // a store whose making was interrupted
	dirStore
)

// isNotExist reports whether err says that a file is not there, on every file system.
func isNotExist(err error) bool { return errors.Is(err, os.ErrNotExist) }

// inspectDir looks at a directory without changing it.
func inspectDir(fs vfs.FS, dir string) (dirState, identity, error) {
	info, err := fs.Stat(dir)
	switch {
	case isNotExist(err):
		return dirEmpty, identity{}, nil
	case err != nil:
		return 0, identity{}, err
	case !info.IsDir():
		return 0, identity{}, fmt.Errorf("%w: %s is not a directory", ErrFormat, dir)
	}
	names, err := fs.List(dir)
	if err != nil {
		return 0, identity{}, err
	}
	if slices.Contains(names, formatName) {
		b, err := readSmall(fs, fs.PathJoin(dir, formatName))
		if err != nil {
			return 0, identity{}, err
		}
		id, err := decodeFormat(b)
		if err != nil {
			return 0, identity{}, fmt.Errorf("%s: %w", dir, err)
		}
		return dirStore, id, nil
	}
	if slices.Contains(names, formatNewName) {
		return dirBegun, identity{}, nil
	}
	for _, n := range names {
		if n != lockName {
			return 0, identity{}, fmt.Errorf("%w: %s has no FORMAT file but other files (%s): not the directory of a store", ErrFormat, dir, n)
		}
	}
	return dirEmpty, identity{}, nil
}

// readSmall reads a file of at most maxFormatBytes.
func readSmall(fs vfs.FS, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFormatBytes+1))
	if err == nil && len(b) > maxFormatBytes {
		err = fmt.Errorf("%w: %s is too long", ErrFormat, path)
	}
	return b, err
}

// syncDir syncs a directory.
func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// writeSmall writes and syncs a file, without its directory.
func writeSmall(fs vfs.FS, path string, b []byte) error {
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// beginDir makes the directory ready for a new store: empty but for LOCK and FORMAT.new, durably.
func beginDir(fs vfs.FS, dir string, id identity) error {
	for _, n := range []string{journalDir, rowsDir, columnsDir, catalogDir, blobsDir} {
		if err := fs.RemoveAll(fs.PathJoin(dir, n)); err != nil && !isNotExist(err) {
			return err
		}
	}
	if err := writeSmall(fs, fs.PathJoin(dir, formatNewName), encodeFormat(id)); err != nil {
		return err
	}
	if err := syncDir(fs, dir); err != nil { // so that nothing below can be there without it
		return err
	}
	for _, n := range []string{journalDir, rowsDir, columnsDir, catalogDir, blobsDir} {
		if err := fs.MkdirAll(fs.PathJoin(dir, n), 0o755); err != nil {
			return err
		}
	}
	if err := syncDir(fs, dir); err != nil {
		return err
	}
	return syncDir(fs, fs.PathDir(dir))
}

// emptyJournal removes what an interrupted making left in a journal that is not in the directory. One that is was removed with it.
func emptyJournal(fs journal.FS) error {
	names, err := fs.List()
	if err != nil || len(names) == 0 {
		return err
	}
	for _, n := range names {
		if err := fs.Remove(n); err != nil {
			return err
		}
	}
	return fs.SyncDir()
}

// finishDir makes the directory a store.
func finishDir(fs vfs.FS, dir string) error {
	if err := fs.Rename(fs.PathJoin(dir, formatNewName), fs.PathJoin(dir, formatName)); err != nil {
		return err
	}
	return syncDir(fs, dir)
}

// newIdentity makes an identity.
func newIdentity() (id identity) {
	rand.Read(id.store[:]) // never fails, by its documentation
	rand.Read(id.files[:])
	return id
}
