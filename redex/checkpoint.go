package redex

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// CheckpointInfo says what a checkpoint holds, and what making it took.
type CheckpointInfo struct {
	Cut         Cut
	Files       int
	Linked      int   // of Files: those that share their bytes with the store's
	CopiedBytes int64 // of the others
}

// Checkpoint makes a copy of the store in dir, which must not exist or be empty (os.ErrExist): all logs and views at one moment, which
// is durable when it returns. Appends, sealing and retention go on meanwhile. Files that never change are linked where the file system
// can, so that a checkpoint beside the store takes little time and room; damage of such a file is then damage of both.
//
// Any number of processes may open it with Options.ReadOnly, also while the store is open. It can be opened to write too: it then
// is a store of its own, with the same identity and a new epoch.
//
// It is made beside dir and renamed when it is whole: a process that dies leaves a directory DIR.checkpoint-N, which can be removed.
func (s *Store) Checkpoint(ctx context.Context, dir string) (CheckpointInfo, error) {
	info, err := s.checkpoint(ctx, dir)
	if err != nil {
		return CheckpointInfo{}, fmt.Errorf("redex: checkpoint to %s: %w", dir, err)
	}
	return info, nil
}

func (s *Store) checkpoint(ctx context.Context, dir string) (info CheckpointInfo, err error) {
	if s.dir == "" {
		return info, fmt.Errorf("%w: the store is in memory", ErrOptions)
	}
	if err := s.closedErr(); err != nil {
		return info, err
	}
	if err := s.outside(dir); err != nil {
		return info, err
	}
	st, err := newStaging(s.plainFS(), dir, "checkpoint")
	if err != nil {
		return info, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, st.abandon())
		}
	}()
	ctx, stop := s.whileOpen(ctx)
	defer stop()
	h, err := s.holdCut(ctx, st.path(catalogDir))
	if err != nil {
		return info, err
	}
	info, err = h.checkpointTo(ctx, st)
	return info, errors.Join(err, h.close())
}

// whileOpen returns a context that also ends, with ErrClosed, when the store is closed.
func (s *Store) whileOpen(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.bg, func() { cancel(ErrClosed) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// plainFS is the file system without the store's place, for files elsewhere.
func (s *Store) plainFS() vfs.FS {
	if p, ok := s.fs.(*placedFS); ok {
		return p.FS
	}
	return s.fs
}

// outside refuses a path in the store's own directory.
func (s *Store) outside(dir string) error {
	if s.o.Disk == nil {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return err
		}
		if real, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
			abs = filepath.Join(real, filepath.Base(abs))
		}
		own := s.dir
		if real, err := filepath.EvalSymlinks(own); err == nil {
			own = real
		}
		if abs == own || strings.HasPrefix(abs, own+string(filepath.Separator)) {
			return fmt.Errorf("%w: it is in the store's own directory", ErrOptions)
		}
		return nil
	}
	if dir == s.dir || strings.HasPrefix(dir, s.dir+"/") {
		return fmt.Errorf("%w: it is in the store's own directory", ErrOptions)
	}
	return nil
}

// checkpointTo makes the store at the cut. The copy of the catalog is there.
func (h *heldCut) checkpointTo(ctx context.Context, st *staging) (info CheckpointInfo, err error) {
	if err := h.sync(ctx); err != nil {
		return info, err
	}
	for _, n := range []string{journalDir, rowsDir, columnsDir, catalogDir, blobsDir} {
		if err := st.mkdir(n); err != nil {
			return info, err
		}
	}
	info.Cut = h.cut
	for i := range h.files {
		f := &h.files[i]
		if err := context.Cause(ctx); err != nil {
			return info, err
		}
		info.Files++
		to := st.path(f.path)
		if f.from == to { // a file of the catalog
			continue
		}
		if f.fixed && st.fs.Link(f.from, to) == nil {
			info.Linked++
			continue
		}
		err := copyTo(st.fs, to, func(w io.Writer) error {
			n, err := h.copy(ctx, f, w)
			info.CopiedBytes += n
			return err
		})
		if err != nil {
			return info, err
		}
	}
	return info, st.asCopy(identity{store: h.s.id, files: h.s.files}, checkpointText(h.s.id, h.s.epochOf(h.cut.Ordinal), h.cut))
}

// asCopy makes a directory with the files of a store the copy of a store.
func (st *staging) asCopy(id identity, text []byte) error {
	small := []struct {
		name string
		text []byte
	}{{lockName, []byte("state " + lockClosed + "\n")}, {checkpointName, text}, {formatName, encodeFormat(id)}}
	for _, f := range small {
		if err := writeSmall(st.fs, st.path(f.name), f.text); err != nil {
			return err
		}
	}
	return st.finish()
}

// leaveCheckpoint takes away the mark of a checkpoint, when the new epoch has begun.
func (s *Store) leaveCheckpoint() error {
	if !s.copied || s.o.ReadOnly {
		return nil
	}
	if err := s.fs.Remove(s.fs.PathJoin(s.dir, checkpointName)); err != nil && !isNotExist(err) {
		return err
	}
	return syncDir(s.fs, s.dir)
}

// isCheckpoint reports whether the directory is a copy that nobody has opened to write.
func (s *Store) isCheckpoint() (bool, error) {
	_, err := s.fs.Stat(s.fs.PathJoin(s.dir, checkpointName))
	if isNotExist(err) {
		return false, nil
	}
	return err == nil, err
}
