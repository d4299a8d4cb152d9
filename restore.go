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
	ErrSnapshot  = errors.New("netdb: bad snapshot")           // the file is damaged, cut short or no snapshot; see SnapshotError
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
	fail := func(err error) (*DB, error) { return nil, doing("restore to "+dir, err) }
	empty, err := vacant(dir)
	if err != nil {
		return fail(err)
	}
	dir = empty
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return fail(err)
	}
	tmp, err := os.MkdirTemp(parent, filepath.Base(dir)+".restore-")
	if err != nil {
		return fail(err)
	}
	if err := restoreTo(ctx, tmp, r, o.Options); err != nil {
		return fail(errors.Join(err, os.RemoveAll(tmp)))
	}
	if err := moveInto(tmp, dir); err != nil {
		return fail(errors.Join(err, os.RemoveAll(tmp)))
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
			return "", errors.New("it is a link to nothing")
		}
		return filepath.Clean(dir), nil
	case err != nil:
		return "", err
	case len(entries) > 0:
		return "", ErrDirExists
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
		return fmt.Errorf("an empty directory that cannot be replaced (name one that does not exist): %w", err)
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
		return badSnapshot(snapfile.Place{}, err)
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
			return badSnapshot(snapfile.Place{}, err)
		}
		if want != 0 && kind != want {
			return rs.badf("the %s was expected", sectionTitle(want, ""))
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
			err = rs.badf("its kind is unknown")
		}
		if err != nil {
			return err
		}
	}
	if want != 0 {
		return rs.badf("the %s is missing", sectionTitle(want, ""))
	}
	for name := range rs.held {
		return rs.badf("the events of log %q are missing", name)
	}
	return nil
}

func (rs *restore) decode(v any) error {
	if err := msgpack.NewDecoder(rs.file).Decode(v); err != nil {
		return rs.bad(err)
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
		return rs.badf("store id of %d bytes", len(h.Store))
	}
	for _, e := range h.Epochs {
		seed.Epochs = append(seed.Epochs, redex.EpochStart{Epoch: redex.Epoch(e.Epoch), First: redex.Ordinal(e.First)})
	}
	if err := seed.Validate(); err != nil {
		return rs.bad(err)
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
			return rs.bad(err)
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
	o, err := l.options()
	if err != nil {
		return nil, rs.bad(err)
	}
	log, err := rs.store.Log(redex.LogInfo{
		ID: redex.LogID(l.ID), Name: l.Name, Created: l.Created, Options: o,
		Bounds:    redex.Bounds{Floor: redex.Seq(l.Floor), Next: redex.Seq(l.Next)},
		Compacted: l.Compacted,
	}, l.Last)
	if err != nil {
		return nil, rs.bad(err)
	}
	return log, nil
}

func (rs *restore) events(name string) error {
	l, ok := rs.held[name]
	if !ok {
		return rs.badf("the catalog does not hold that log")
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
			return rs.bad(err)
		}
		if err := log.Append(rs.ctx, &ev); err != nil {
			return rs.fault(err)
		}
	}
	return rs.fault(log.Close(rs.ctx))
}

// fault makes a bad snapshot of an error that says that events do not fit their log.
func (rs *restore) fault(err error) error {
	for _, cause := range []error{redex.ErrConflict, redex.ErrOptions, redex.ErrTooLarge} {
		if errors.Is(err, cause) {
			return rs.bad(err)
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
		if inner := errors.Unwrap(err); inner != nil { // that it is an import of that fold is said by the section
			err = inner
		}
		return rs.bad(err)
	}
	return nil
}
