package netdb

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/internal/snapfile"
	"github.com/seed69692123/netdb/redex"
)

// Conditions of a restore.
var (
	ErrSnapshot  = errors.New("netdb: bad snapshot")           // the file is damaged, cut short or no snapshot; the cause is wrapped
	ErrDirExists = errors.New("netdb: directory is not empty") // Restore: it makes a new database, it does not merge into one
)

// RestoreOptions are the choices of a restore.
type RestoreOptions struct {
	Options // of the database that is opened when everything was restored
}

// Restore makes a database in dir, which must not exist or be empty (ErrDirExists), from a snapshot, and opens it: the same
// identity, the next epoch, the logs with the events the snapshot holds, the folds' state as checkpoints for those who open
// the folds. Logs whose events are not in the snapshot are there, empty, and go on at the sequence they had reached.
//
// It works in a directory beside dir and renames that when the whole file has been verified, so dir is whole or not there; a
// process that dies leaves a directory DIR.restore-N behind, which can be removed. A bad file is ErrSnapshot.
func Restore(ctx context.Context, dir string, r io.Reader, o RestoreOptions) (*DB, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	dir, err := vacant(dir)
	if err != nil {
		return nil, fmt.Errorf("netdb: restore: %w", err)
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, fmt.Errorf("netdb: restore: %w", err)
	}
	tmp, err := os.MkdirTemp(parent, filepath.Base(dir)+".restore-")
	if err != nil {
		return nil, fmt.Errorf("netdb: restore: %w", err)
	}
	if err := restoreTo(ctx, tmp, r, o.Options); err != nil {
		return nil, fmt.Errorf("netdb: restore: %w", errors.Join(err, os.RemoveAll(tmp)))
	}
	if err := moveInto(tmp, dir); err != nil {
		return nil, fmt.Errorf("netdb: restore: %w", errors.Join(err, os.RemoveAll(tmp)))
	}
	return Open(ctx, dir, o.Options)
}

// vacant returns dir without symbolic links, when it does not exist or is an empty directory: a link is followed, not replaced.
func vacant(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("the directory's name is empty")
	}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(dir); err == nil {
			return "", fmt.Errorf("%s is a link to nothing", dir)
		}
		return filepath.Clean(dir), nil
	case err != nil:
		return "", err
	case len(entries) > 0:
		return "", fmt.Errorf("%w: %s", ErrDirExists, dir)
	}
	return filepath.EvalSymlinks(dir)
}

// moveInto renames a finished directory to where it is wanted, durably.
func moveInto(tmp, dir string) error {
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	switch err := os.Remove(dir); {
	case err == nil, errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, fs.ErrExist): // files have come meanwhile
		return fmt.Errorf("%w: %w", ErrDirExists, err)
	default: // a mount point, or the working directory as "."
		return fmt.Errorf("the empty directory %s cannot be replaced (name one that does not exist): %w", dir, err)
	}
	if err := os.Rename(tmp, dir); err != nil {
		return err
	}
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there
	}
	d, err := os.Open(filepath.Dir(dir))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func restoreTo(ctx context.Context, dir string, r io.Reader, o Options) error {
	file, err := snapfile.NewReader(r)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	defer file.Close()
	rs := restore{ctx: ctx, dir: dir, o: o, file: file, held: map[string]snapshotLog{}}
	err = rs.run()
	if err == nil {
		return rs.store.Finish(ctx)
	}
	if rs.store != nil {
		err = errors.Join(err, rs.store.Abort())
	}
	return err
}

// restore is one in progress.
type restore struct {
	ctx   context.Context // of the call of Restore, which it does not outlive
	dir   string
	o     Options
	file  *snapfile.Reader
	store *redex.Restorer
	held  map[string]snapshotLog // logs whose events are still to come
}

// run reads all sections. Nothing is used before the section after it has begun, which verifies it, but to fill a directory
// that is thrown away on any error.
func (rs *restore) run() error {
	want := sectionHeader
	for {
		if err := rs.ctx.Err(); err != nil {
			return err
		}
		kind, name, err := rs.file.Next()
		if err == io.EOF { //nolint:errorlint // Next returns it bare, as the end of a verified file
			break
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrSnapshot, err)
		}
		if want != 0 && kind != want {
			return fmt.Errorf("%w: section of kind %d where %d was expected", ErrSnapshot, kind, want)
		}
		switch kind {
		case sectionHeader:
			err, want = rs.header(), sectionCatalog
		case sectionCatalog:
			err, want = rs.catalog(), 0
		case sectionEvents:
			err = rs.events(name)
		case sectionFold:
			err = rs.fold(name)
		default:
			err = fmt.Errorf("%w: section of unknown kind %d", ErrSnapshot, kind)
		}
		if err != nil {
			return err
		}
	}
	if want != 0 {
		return fmt.Errorf("%w: section of kind %d is missing", ErrSnapshot, want)
	}
	for name := range rs.held {
		return fmt.Errorf("%w: the events of log %q are missing", ErrSnapshot, name)
	}
	return nil
}

func (rs *restore) decode(v any) error {
	if err := msgpack.NewDecoder(rs.file).Decode(v); err != nil {
		return fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	return nil
}

func (rs *restore) header() error {
	var h snapshotHeader
	if err := rs.decode(&h); err != nil {
		return err
	}
	seed := redex.Seed{Cut: redex.Cut{Ordinal: redex.Ordinal(h.Ordinal), Time: h.Time}, NextLog: redex.LogID(h.NextLog)}
	if copy(seed.ID[:], h.Store) != len(seed.ID) {
		return fmt.Errorf("%w: store id of %d bytes", ErrSnapshot, len(h.Store))
	}
	for _, e := range h.Epochs {
		seed.Epochs = append(seed.Epochs, redex.EpochStart{Epoch: redex.Epoch(e.Epoch), First: redex.Ordinal(e.First)})
	}
	if err := seed.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	var err error
	rs.store, err = redex.Create(rs.ctx, rs.dir, seed, rs.o.Store)
	return err
}

func (rs *restore) catalog() error {
	dec := msgpack.NewDecoder(bufio.NewReader(rs.file))
	for {
		var l snapshotLog
		err := dec.Decode(&l)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: catalog: %w", ErrSnapshot, err)
		}
		if l.Held && l.Floor < l.Next {
			rs.held[l.Name] = l
			continue
		}
		l.Floor = l.Next
		log, err := rs.begin(l)
		if err != nil {
			return err
		}
		if err := log.Close(rs.ctx); err != nil {
			return err
		}
	}
}

func (rs *restore) begin(l snapshotLog) (*redex.RestoredLog, error) {
	log, err := rs.store.Log(redex.LogInfo{
		ID: redex.LogID(l.ID), Name: l.Name, Created: l.Created, Options: redex.LogOptions{CheckJSON: l.CheckJSON, Fields: l.Fields},
		Bounds: redex.Bounds{Floor: redex.Seq(l.Floor), Next: redex.Seq(l.Next)},
	}, l.Last)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	return log, nil
}

func (rs *restore) events(name string) error {
	l, ok := rs.held[name]
	if !ok {
		return fmt.Errorf("%w: events of log %q, which the catalog does not hold", ErrSnapshot, name)
	}
	delete(rs.held, name)
	log, err := rs.begin(l)
	if err != nil {
		return err
	}
	dec := eventDecoder{r: bufio.NewReaderSize(rs.file, 64<<10), log: redex.LogID(l.ID), next: redex.Seq(l.Floor), end: redex.Seq(l.Next)}
	for {
		ev, err := dec.read()
		if err == io.EOF { //nolint:errorlint // read returns it bare, between events only
			break
		}
		if err != nil {
			return fmt.Errorf("%w: log %q: %w", ErrSnapshot, name, err)
		}
		if err := log.Append(rs.ctx, &ev); err != nil {
			return fault(err)
		}
	}
	return fault(log.Close(rs.ctx))
}

// fault makes a bad snapshot of an error that says that events do not fit their log.
func fault(err error) error {
	for _, cause := range []error{redex.ErrConflict, redex.ErrOptions, redex.ErrTooLarge} {
		if errors.Is(err, cause) {
			return fmt.Errorf("%w: %w", ErrSnapshot, err)
		}
	}
	return err
}

func (rs *restore) fold(name string) error {
	r := bufio.NewReader(rs.file)
	if _, err := r.Peek(1); errors.Is(err, io.EOF) {
		return nil // its state could not be written: it is folded anew
	}
	if err := fold.Import(rs.ctx, rs.store.Store(), name, r); err != nil {
		return fmt.Errorf("%w: fold %q: %w", ErrSnapshot, name, err)
	}
	return nil
}
