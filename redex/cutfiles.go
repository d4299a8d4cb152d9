package redex

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/seed69692123/netdb/redex/journal"
)

// storeFile is a file of a store at a cut.
type storeFile struct {
	path  string // in the store's directory, with slashes
	from  string // where it is now; "" for a segment that can only be read through the journal
	seg   int    // of the journal, or -1
	fixed bool   // what is at from never changes, so that a link to it will do
}

// heldCut is a store at one cut, as files. They stay until it is closed, whatever the store does meanwhile: appends, sealing and
// retention go on. The journal holds everything up to the cut that the catalog lacks.
type heldCut struct {
	s       *Store
	cut     Cut
	catalog string // of the copy, if one was made
	files   []storeFile
	held    *journal.Held
}

// holdCut holds the present moment. A copy of the catalog is made at the path, which must not exist; a store that is only read has
// its own taken. It may wait for a pass.
func (s *Store) holdCut(ctx context.Context, catalog string) (_ *heldCut, err error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, ErrClosed
	}
	s.wg.Add(1) // Close waits for it
	s.mu.Unlock()
	s.rows.pin()
	h := &heldCut{s: s}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close())
		}
	}()
	// No pass works between the copy of the catalog and the hold on the journal: it would release what the copy lacks. What views
	// committed before the copy was derived from frames that the journal holds, as it is held later.
	s.seal.mu.Lock()
	defer s.seal.mu.Unlock()
	if s.o.ReadOnly {
		catalog = s.catalogPath()
	} else {
		if err := s.kv.Checkpoint(ctx, catalog); err != nil {
			return nil, s.wrap("catalog", err)
		}
		h.catalog = catalog
	}
	if h.held, err = s.j.Hold(); err != nil {
		return nil, s.wrap("journal", err)
	}
	h.cut = Cut{Ordinal(h.held.Last), h.held.LastTime}
	if s.o.ReadOnly {
		h.cut = s.Cut() // the catalog may be ahead of a journal that was lost
	}
	if err := h.list(catalog); err != nil {
		return nil, err
	}
	return h, nil
}

// list names the files: those of the journal first, the catalog's last.
func (h *heldCut) list(catalog string) error {
	s := h.s
	for i, e := range h.held.Segments {
		f := storeFile{path: journalDir + "/" + e.Name, seg: i}
		if e.Whole && s.o.Disk == nil {
			f.from, f.fixed = s.journalPath(e.Name), true
		}
		h.files = append(h.files, f)
	}
	names, err := s.fs.List(s.rows.dir)
	if err != nil {
		return err
	}
	slices.Sort(names)
	living, err := s.namedFiles(names)
	if err != nil {
		return err
	}
	for _, name := range names {
		if n, ok := parseRowFileName(name); ok && living[n] {
			h.files = append(h.files, storeFile{path: rowsDir + "/" + name, from: s.rows.path(n), seg: -1, fixed: true})
		}
	}
	if names, err = s.fs.List(catalog); err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if name == "ballast" || name == lockName {
			continue
		}
		h.files = append(h.files, storeFile{path: catalogDir + "/" + name, from: s.fs.PathJoin(catalog, name), seg: -1, fixed: isTable(name)})
	}
	return nil
}

// namedFiles returns which of the row files the catalog names. The others are being written, or wait to be removed. Where damage leaves
// that open they are taken for living ones.
func (s *Store) namedFiles(names []string) (map[uint64]bool, error) {
	living := map[uint64]bool{}
	var unnamed []uint64
	for _, name := range names {
		n, ok := parseRowFileName(name)
		if !ok {
			continue
		}
		if _, err := s.readFile(n); err == nil {
			living[n] = true
		} else if errors.Is(err, ErrCorrupt) {
			unnamed = append(unnamed, n)
		} else {
			return nil, err
		}
	}
	if len(unnamed) == 0 {
		return living, nil
	}
	runs, err := s.filesOfRuns()
	if err != nil && !errors.Is(err, ErrCorrupt) {
		return nil, err
	}
	for _, n := range unnamed {
		living[n] = err != nil || runs[n]
	}
	return living, nil
}

// isTable reports whether a file of the catalog never changes.
func isTable(name string) bool { return len(name) > 4 && name[len(name)-4:] == ".sst" }

// sync makes the cut durable: nothing of it may be copied before.
func (h *heldCut) sync(ctx context.Context) error { return h.s.SyncTo(ctx, h.cut.Ordinal) }

// copy writes a file as it was at the cut.
func (h *heldCut) copy(ctx context.Context, f *storeFile, w io.Writer) (n int64, err error) {
	if f.seg >= 0 {
		if n, err = h.held.Copy(f.seg, &contextWriter{ctx, w}); err != nil {
			err = h.s.wrap("journal", err)
		}
	} else {
		n, err = copyFile(ctx, h.s.fs, f.from, w)
	}
	if err != nil {
		return n, fmt.Errorf("copy %s: %w", f.path, err)
	}
	return n, nil
}

// checkpointText is what the CHECKPOINT file of a copy of a store at a cut says. A store with it begins a new epoch when it is opened
// to write: the one it was copied from has gone on too.
func checkpointText(id StoreID, e Epoch, c Cut) []byte {
	return fmt.Appendf(nil, "netdb checkpoint\nstore %s\nepoch %d\nordinal %d\ntime %d\n", id, e, c.Ordinal, c.Time)
}

// close lets the files go.
func (h *heldCut) close() error {
	var errs []error
	if h.held != nil {
		errs = append(errs, h.held.Close())
	}
	errs = append(errs, h.s.rows.unpin())
	h.s.wg.Done()
	return errors.Join(errs...)
}
