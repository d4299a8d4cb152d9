package kv

import (
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guardFile is a file in the map's directory that is open for writing; see guardFS.
type guardFile struct {
	vfs.File
	g      *guardFS
	name   string
	role   role
	failed atomic.Bool // a write did
}

func (f *guardFile) Write(b []byte) (n int, err error) {
	write := func() error {
		m, err := f.File.Write(b[n:])
		n += m
		return err
	}
	switch f.role {
	case wal:
		return len(b), nil
	case manifest:
		if f.g.s.failure() == nil {
			_ = f.g.after("write", f.name, manifest, f.g.manifestStep(write)) // kept in the state
		}
		return len(b), nil
	case flushed, compacted:
		if err = f.g.before(f.name); err == nil {
			err = f.g.reserved(f.name)
		}
		if err == nil {
			err = write()
		}
		if err != nil {
			f.failed.Store(true)
		}
		return n, f.g.after("write", f.name, f.role, err)
	}
	if err := f.g.before(f.name); err != nil {
		return 0, err
	}
	return n, f.g.withBallast(write)
}

func (f *guardFile) WriteAt(b []byte, off int64) (int, error) {
	if err := f.g.before(f.name); err != nil {
		return 0, err
	}
	n, err := f.File.WriteAt(b, off)
	return n, f.g.after("write", f.name, f.role, err)
}

func (f *guardFile) Preallocate(off, n int64) error {
	if f.role == wal || f.role == manifest {
		return nil
	}
	if err := f.g.before(f.name); err != nil {
		return err
	}
	return f.File.Preallocate(off, n)
}

// sync runs one of the three kinds of sync.
func (f *guardFile) sync(do func() error) error {
	if f.role == wal {
		return nil
	}
	err := f.g.before(f.name)
	if err == nil {
		if f.role == manifest {
			f.g.s.manifestBusy(1)
			defer f.g.s.manifestBusy(-1)
		}
		if err = do(); err != nil {
			err = f.g.s.poison("sync "+f.name, err)
		}
	}
	if f.role == manifest {
		return nil
	}
	return err
}

// syncAll is a sync of the whole file: a table is complete then.
func (f *guardFile) syncAll(do func() error) error {
	err := f.sync(do)
	if err == nil && f.role == flushed && !f.failed.Load() {
		f.g.tableDone()
	}
	return err
}

func (f *guardFile) Sync() error     { return f.syncAll(f.File.Sync) }
func (f *guardFile) SyncData() error { return f.syncAll(f.File.SyncData) }

func (f *guardFile) SyncTo(n int64) (full bool, err error) {
	err = f.sync(func() (err error) {
		full, err = f.File.SyncTo(n)
		return err
	})
	return full && err == nil, err
}

// guardDir is an open directory.
type guardDir struct {
	vfs.File
	g      *guardFS
	name   string
	inside bool
}

// Sync syncs the directory. When that fails in the map's directory the DB is poisoned and nil is returned; see guardFS.
func (d *guardDir) Sync() error {
	if !d.inside {
		if err := d.File.Sync(); err != nil {
			return &syncError{err}
		}
		return nil
	}
	if d.g.readOnly || d.g.s.failure() != nil {
		return nil
	}
	d.g.s.manifestBusy(1) // it may be the step that names a manifest
	defer d.g.s.manifestBusy(-1)
	if err := d.File.Sync(); err != nil {
		_ = d.g.s.poison("sync "+d.name, err) // kept in the state
	}
	return nil
}
