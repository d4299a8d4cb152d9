package redex

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/zeebo/blake3"
)

// ErrNoBackup is returned for a point that a backup directory does not have.
var ErrNoBackup = errors.New("redex: no such backup")

// lockBackup locks a backup directory, for readers among themselves or for one who changes it.
func lockBackup(fs vfs.FS, path string, shared bool) (io.Closer, error) {
	if fs != vfs.Default {
		return fs.Lock(path)
	}
	flag := os.O_RDWR | os.O_CREATE
	if shared {
		flag = os.O_RDONLY
	}
	f, err := os.OpenFile(path, flag, 0o644)
	if isNotExist(err) && shared {
		return nil, nil // a copy without it, that nobody writes to
	}
	if err != nil {
		return nil, err
	}
	if err := tryLock(f, shared); err != nil {
		if errors.Is(err, errHeld) {
			err = fmt.Errorf("%w: a backup or a prune is at work in %s", ErrLocked, fs.PathDir(path))
		}
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Backups returns the points of a backup directory, oldest first. One that is damaged is among them, and its Err says so.
func Backups(dest string) ([]BackupPoint, error) {
	all, err := backups(vfs.Default, dest)
	if err != nil {
		return nil, fmt.Errorf("redex: backups in %s: %w", dest, err)
	}
	return all, nil
}

func backups(fs vfs.FS, dest string) (all []BackupPoint, err error) {
	d, err := readBackup(fs, dest)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	numbers, err := d.points()
	if err != nil {
		return nil, err
	}
	for _, n := range numbers {
		p, err := d.point(n)
		switch {
		case errors.Is(err, ErrCorrupt), errors.Is(err, ErrFormat):
			all = append(all, BackupPoint{Number: n, Err: err})
		case err != nil:
			return nil, err
		default:
			all = append(all, p.public())
		}
	}
	return all, nil
}

// verify copies a stored content to out and checks it: a CorruptionError names the file.
func (d *backupDir) verify(ctx context.Context, h hash, size int64, out io.Writer) error {
	name, _ := d.content(h)
	sum := blake3.New()
	n, err := copyFile(ctx, d.fs, d.path(name), io.MultiWriter(sum, out))
	switch {
	case isNotExist(err):
		return d.damaged(name, fmt.Errorf("it is missing: %w", err))
	case err != nil:
		return err
	case n != size:
		return d.damaged(name, fmt.Errorf("%d bytes, there were %d", n, size))
	case sumOf(sum) != h:
		return d.damaged(name, errors.New("its content is not what its name says"))
	}
	return nil
}

// BackupReport is what VerifyBackups found.
type BackupReport struct {
	Points int // that were looked at
	Files  int // contents that were read
	Bytes  int64
	Damage []BackupDamage
}

// BackupDamage is a file that is damaged in a backup directory.
type BackupDamage struct {
	Points []uint64 // that cannot be restored for it
	Err    error    // a CorruptionError, which names the file, or ErrFormat
}

// VerifyBackups reads everything that points of a backup directory need, and reports what is damaged. Point 0 means all points. The
// error says only why it could not go on.
func VerifyBackups(ctx context.Context, dest string, point uint64) (BackupReport, error) {
	rep, err := verifyBackups(ctx, vfs.Default, dest, point)
	if err != nil {
		return rep, fmt.Errorf("redex: verify backups in %s: %w", dest, err)
	}
	return rep, nil
}

func verifyBackups(ctx context.Context, fs vfs.FS, dest string, point uint64) (rep BackupReport, err error) {
	d, err := readBackup(fs, dest)
	if err != nil {
		return rep, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	numbers := []uint64{point}
	if point == 0 {
		if numbers, err = d.points(); err != nil {
			return rep, err
		}
	}
	seen := map[hash]int{} // index in Damage, or -1
	for _, n := range numbers {
		rep.Points++
		p, err := d.point(n)
		if errors.Is(err, ErrCorrupt) || errors.Is(err, ErrFormat) {
			rep.Damage = append(rep.Damage, BackupDamage{[]uint64{n}, err})
			continue
		}
		if err != nil {
			return rep, err
		}
		told := map[int]bool{}
		for _, f := range p.list {
			i, ok := seen[f.hash]
			if !ok {
				i = -1
				rep.Files++
				rep.Bytes += f.size
				err := d.verify(ctx, f.hash, f.size, io.Discard)
				if errors.Is(err, ErrCorrupt) {
					i = len(rep.Damage)
					rep.Damage = append(rep.Damage, BackupDamage{Err: err})
				} else if err != nil {
					return rep, err
				}
				seen[f.hash] = i
			}
			if i >= 0 && !told[i] {
				told[i] = true
				rep.Damage[i].Points = append(rep.Damage[i].Points, n)
			}
		}
	}
	return rep, nil
}

// RestoreBackup makes a store in dir, which must not exist or be empty (os.ErrExist), from a point of a backup directory; point 0 is
// the newest. Everything is verified while it is copied to a directory beside dir, which is renamed last: a damaged file is
// a CorruptionError that names it, and dir is then not there. The store has the identity of the one that was backed up, and begins a new
// epoch when it is opened to write.
func RestoreBackup(ctx context.Context, dest string, point uint64, dir string) (BackupPoint, error) {
	p, err := restoreBackup(ctx, vfs.Default, dest, point, dir)
	if err != nil {
		return p, fmt.Errorf("redex: restore backup from %s to %s: %w", dest, dir, err)
	}
	return p, nil
}

func restoreBackup(ctx context.Context, fs vfs.FS, dest string, point uint64, dir string) (out BackupPoint, err error) {
	d, err := readBackup(fs, dest)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if point == 0 {
		numbers, err := d.points()
		if err != nil {
			return out, err
		}
		if len(numbers) == 0 {
			return out, fmt.Errorf("%w: there is none in %s", ErrNoBackup, dest)
		}
		point = numbers[len(numbers)-1]
	}
	p, err := d.point(point)
	if err != nil {
		return out, err
	}
	st, err := newStaging(fs, dir, "restore")
	if err != nil {
		return out, err
	}
	if err := d.unpack(ctx, p, st); err != nil {
		return out, errors.Join(err, st.abandon())
	}
	return p.public(), nil
}

// unpack makes the store of a point.
func (d *backupDir) unpack(ctx context.Context, p *backupPoint, st *staging) error {
	for _, n := range []string{journalDir, rowsDir, columnsDir, catalogDir, blobsDir} {
		if err := st.mkdir(n); err != nil {
			return err
		}
	}
	for _, f := range p.list {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := copyTo(st.fs, st.path(f.path), func(w io.Writer) error { return d.verify(ctx, f.hash, f.size, w) })
		if err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
	}
	return st.asCopy(identity{store: p.store, files: p.files}, checkpointText(p.store, p.epoch, p.cut))
}

// Pruned says what PruneBackups removed.
type Pruned struct {
	Points []uint64
	Files  int
	Bytes  int64
}

// PruneBackups removes all points of a backup directory but the newest keep, at least 1, and what no other point needs, also what
// backups left that were cut short. However it ends, each point that is listed can be restored. A point that is damaged stops it: nobody
// knows what that one needs.
func PruneBackups(ctx context.Context, dest string, keep int) (Pruned, error) {
	p, err := pruneBackups(ctx, vfs.Default, dest, keep)
	if err != nil {
		return p, fmt.Errorf("redex: prune backups in %s: %w", dest, err)
	}
	return p, nil
}

func pruneBackups(ctx context.Context, fs vfs.FS, dest string, keep int) (out Pruned, err error) {
	if keep < 1 {
		return out, fmt.Errorf("%w: %d points to keep", ErrOptions, keep)
	}
	d, err := openBackup(fs, dest, nil)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	numbers, err := d.points()
	if err != nil {
		return out, err
	}
	old := numbers[:max(0, len(numbers)-keep)]
	needed := map[string]bool{}
	for _, n := range numbers[len(old):] {
		p, err := d.point(n)
		if err != nil {
			return out, err
		}
		for _, f := range p.list {
			name, _ := d.content(f.hash)
			needed[name] = true
		}
	}
	for _, n := range old {
		if err := fs.Remove(d.path(backupPoints + "/" + pointName(n))); err != nil {
			return out, err
		}
		out.Points = append(out.Points, n)
	}
	// Points are gone for good before what they need goes.
	if err := syncDir(fs, d.path(backupPoints)); err != nil {
		return out, err
	}
	return out, errors.Join(d.clearNew(), d.sweep(ctx, needed, &out))
}

// sweep removes the contents that are not needed.
func (d *backupDir) sweep(ctx context.Context, needed map[string]bool, out *Pruned) error {
	dirs, err := d.fs.List(d.path(backupFiles))
	if err != nil {
		return ignoreNotExist(err)
	}
	for _, dir := range dirs {
		names, err := d.fs.List(d.path(backupFiles + "/" + dir))
		if err != nil {
			return err
		}
		for _, name := range names {
			name = backupFiles + "/" + dir + "/" + name
			if needed[name] {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			info, err := d.fs.Stat(d.path(name))
			if err == nil {
				err = d.fs.Remove(d.path(name))
			}
			if err != nil {
				return err
			}
			out.Files++
			out.Bytes += info.Size()
		}
	}
	return nil
}
