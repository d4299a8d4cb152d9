package spill

import (
	"io"
	"os"
	"path/filepath"
)

// FS is the file system beneath a Dir; tests have one that fails.
type FS interface {
	// Create makes the directory if there is none, and in it a file that did not exist.
	Create(dir, name string) (Handle, error)
	Remove(dir, name string) error
	// List returns the names of the plain files in a directory; none when it does not exist.
	List(dir string) ([]string, error)
}

// Handle is an open file.
type Handle interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
}

type osFS struct{}

func (osFS) Create(dir, name string) (Handle, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

func (osFS) Remove(dir, name string) error { return os.Remove(filepath.Join(dir, name)) }

func (osFS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		if os.IsNotExist(err) {
			return nil, nil
		}
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}
