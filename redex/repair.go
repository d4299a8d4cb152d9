package redex

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// damagedDir is where Repair puts what is damaged, in a directory for each repair.
const damagedDir = "damaged"

// RepairOptions are the choices of a repair.
type RepairOptions struct {
	// DryRun repairs a copy beside the directory, which is removed, and so reports what a repair would do and changes nothing. It needs
	// room for the journal.
	DryRun bool
	Store  Options // the store is opened with; its Disk must be nil
}

// LostRange is a range of sequences of a log that are gone.
type LostRange struct {
	Log      string
	From, To Seq // [From, To)
	Why      string
}

// RepairReport says what Repair found and did.
type RepairReport struct {
	Clean     bool        // nothing was wrong, and nothing was done
	Lost      []LostRange // that cannot be read any more: a RangeLostError now
	Recovered []string    // logs whose name was lost, and which are called so now
	Moved     []string    // what was damaged, and where it is now, in the store's directory
	Done      []string    // what else was done, in words
	Check     CheckReport // of the store as it is now
}

func (r *RepairReport) did(format string, args ...any) {
	if len(r.Done) < maxDamage {
		r.Done = append(r.Done, fmt.Sprintf(format, args...))
	}
}

// Repair makes a damaged store one that Check has nothing to say against. What is damaged is moved to damaged/N in its directory, and
// never removed. What can still be read of it is kept. Sequences that cannot be read are written down as lost, so that reading them is a
// RangeLostError, which names the range, and no longer an error of a checksum. A catalog with damage is made anew from what can be read of
// it, from the row files and from the journal; without any of it, what was in it alone is lost: settings, idempotency numbers,
// views, and events of small logs that the journal does not hold any more.
//
// The store must not be open. Repair can be interrupted, and called again.
func Repair(ctx context.Context, dir string, o RepairOptions) (RepairReport, error) {
	rep, err := repairOrTry(ctx, dir, o)
	if err != nil {
		return rep, fmt.Errorf("redex: repair %s: %w", dir, err)
	}
	return rep, nil
}

func repairOrTry(ctx context.Context, dir string, o RepairOptions) (rep RepairReport, err error) {
	if err := o.Store.Validate(); err != nil {
		return rep, err
	}
	if o.Store.Disk != nil || o.Store.ReadOnly {
		return rep, fmt.Errorf("%w: a repair needs files that it can write", ErrOptions)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return rep, err
	}
	state, _, err := inspectDir(vfs.Default, dir)
	if err != nil {
		return rep, err
	}
	if state != dirStore {
		return rep, fmt.Errorf("%w: no store is there", ErrFormat)
	}
	if !o.DryRun {
		r := repairer{fs: vfs.Default, dir: dir, o: o.Store.withDefaults()}
		err := r.run(ctx)
		return r.rep, err
	}
	lock, err := lockDir(dir, true)
	if err != nil {
		return rep, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	scratch, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".repair-")
	if err != nil {
		return rep, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	if err := scratchCopy(ctx, dir, scratch); err != nil {
		return rep, err
	}
	r := repairer{fs: vfs.Default, dir: scratch, o: o.Store.withDefaults()}
	err = r.run(ctx)
	return r.rep.in(scratch, dir), err
}

// in returns the report with another directory in its texts.
func (r RepairReport) in(from, to string) RepairReport {
	for i := range r.Lost {
		r.Lost[i].Why = strings.ReplaceAll(r.Lost[i].Why, from, to)
	}
	for i := range r.Done {
		r.Done[i] = strings.ReplaceAll(r.Done[i], from, to)
	}
	for _, d := range r.Check.Damage {
		d.File = strings.ReplaceAll(d.File, from, to)
	}
	return r
}

// scratchCopy copies a store that nobody writes to. Files that are never changed are linked.
func scratchCopy(ctx context.Context, from, to string) error {
	err := filepath.WalkDir(from, func(path string, e os.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil || rel == "." {
			return err
		}
		name := filepath.Join(to, rel)
		switch {
		case rel == damagedDir:
			return filepath.SkipDir
		case e.IsDir():
			return os.MkdirAll(name, 0o755)
		case !e.Type().IsRegular() || rel == lockName:
			return nil
		case (strings.HasSuffix(rel, rowSuffix) || isTable(e.Name())) && os.Link(path, name) == nil:
			return nil
		}
		return copyTo(vfs.Default, name, func(w io.Writer) error {
			_, err := copyFile(ctx, vfs.Default, path, w)
			return err
		})
	})
	if err != nil {
		return err
	}
	return writeSmall(vfs.Default, filepath.Join(to, lockName), []byte("state "+lockClosed+"\n"))
}

// repairer is one repair.
type repairer struct {
	fs    vfs.FS
	dir   string
	o     Options
	rep   RepairReport
	aside string // where damaged things go, once there is one
	// rebuilt is set when the catalog was made anew, so that there may be gaps between what it names.
	rebuilt bool
}

func (r *repairer) run(ctx context.Context) error {
	if err := r.catalog(ctx); err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	s, err := Open(ctx, r.dir, r.o)
	if err != nil {
		return err
	}
	err = r.store(ctx, s)
	if err = errors.Join(err, s.Close()); err != nil || r.rep.Clean {
		return err
	}
	if s, err = Open(ctx, r.dir, r.o); err != nil { // it forgets what it found at its last open
		return err
	}
	r.rep.Check, err = s.Check(ctx)
	r.rep.Check.Damage = append(r.rep.Check.Damage, s.recovery.Damage...)
	return errors.Join(err, s.Close())
}

// moveAside moves something in the store's directory to damaged/N.
func (r *repairer) moveAside(name string) error {
	if r.aside == "" {
		n := 1
		for ; ; n++ {
			r.aside = fmt.Sprintf("%s/%d", damagedDir, n)
			if _, err := r.fs.Stat(r.path(r.aside)); isNotExist(err) {
				break
			} else if err != nil {
				return err
			}
		}
		if err := r.fs.MkdirAll(r.path(r.aside), 0o755); err != nil {
			return err
		}
		for _, d := range []string{damagedDir, ""} {
			if err := syncDir(r.fs, r.path(d)); err != nil {
				return err
			}
		}
	}
	to := r.aside + "/" + name
	if err := r.fs.MkdirAll(r.fs.PathDir(r.path(to)), 0o755); err != nil {
		return err
	}
	if err := r.fs.Rename(r.path(name), r.path(to)); err != nil {
		return err
	}
	r.rep.Moved = append(r.rep.Moved, to)
	for _, d := range []string{r.path(r.aside), r.fs.PathDir(r.path(to)), r.fs.PathDir(r.path(name))} {
		if err := syncDir(r.fs, d); err != nil {
			return err
		}
	}
	return nil
}

func (r *repairer) path(name string) string {
	return r.fs.PathJoin(append([]string{r.dir}, strings.Split(name, "/")...)...)
}

// store repairs what the catalog names: row files, and what damage of the journal took.
func (r *repairer) store(ctx context.Context, s *Store) error {
	before, err := s.Check(ctx)
	if err != nil {
		return err
	}
	aside, err := r.leftSegments()
	if err != nil {
		return err
	}
	if len(before.Damage)+len(s.recovery.Damage)+len(aside) == 0 && !r.rebuilt {
		r.rep.Clean, r.rep.Check = len(r.rep.Done)+len(r.rep.Moved) == 0, before
		return nil
	}
	for _, d := range s.recovery.Damage {
		r.rep.did("found at open: %v", d)
	}
	if err := s.Seal(ctx); err != nil { // what the journal lost is then in the catalog, and the journal is free of it
		return err
	}
	if before, err = s.Check(ctx); err != nil {
		return err
	}
	m := mendRows{r: r, s: s, bad: map[uint64]error{}}
	for _, d := range before.Damage {
		if n, ok := parseRowFileName(s.fs.PathBase(d.File)); ok {
			m.bad[n] = errors.Join(m.bad[n], d)
		}
	}
	if err := m.run(ctx); err != nil {
		return err
	}
	for _, name := range aside {
		if err := r.moveAside(journalDir + "/" + name); err != nil {
			return err
		}
	}
	return nil
}

// leftSegments returns the segments that lost their headers: recovery leaves them for repair.
func (r *repairer) leftSegments() (out []string, err error) {
	names, err := r.fs.List(r.path(journalDir))
	for _, name := range names {
		if strings.HasSuffix(name, ".damaged") {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, err
}
