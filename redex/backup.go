package redex

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/zeebo/blake3"
)

// BackupOptions are the choices of a backup.
type BackupOptions struct {
	// Verify reads what is in the backup directory already and would not be copied again, and replaces what is damaged there.
	Verify bool
}

// BackupPoint is one backup: a moment of a store that can be restored.
type BackupPoint struct {
	Number uint64 // in the backup directory, from 1 on
	Store  StoreID
	Epoch  Epoch
	Cut    Cut
	Made   time.Time
	Files  int
	Bytes  int64 // of a restored store
	Err    error // of Backups: why the point cannot be read, nil if it can; all but Number is then zero
}

// BackupInfo says what a backup took.
type BackupInfo struct {
	BackupPoint
	NewFiles int   // that were copied: the others were there
	NewBytes int64 // of them
}

// Backup adds the store as it is now to a backup directory, which is made when there is none: all logs and views at one moment.
// Appends, sealing and retention go on meanwhile. A content is stored once however many points have it, and files that never
// change are not even read again, so a backup costs about what is new.
//
// When it returns the point is on disk. A process that dies before leaves all earlier points as they were; what it has copied is
// used by the next backup, or removed by PruneBackups. The directory can be anywhere but in the store; it is locked meanwhile
// (ErrLocked), and holds points of one store (ErrForeign).
func (s *Store) Backup(ctx context.Context, dest string, o BackupOptions) (BackupInfo, error) {
	info, err := s.backup(ctx, dest, o)
	if err != nil {
		return BackupInfo{}, fmt.Errorf("redex: backup to %s: %w", dest, err)
	}
	return info, nil
}

func (s *Store) backup(ctx context.Context, dest string, o BackupOptions) (info BackupInfo, err error) {
	if s.dir == "" {
		return info, fmt.Errorf("%w: the store is in memory", ErrOptions)
	}
	if err := errors.Join(s.closedErr(), s.outside(dest)); err != nil {
		return info, err
	}
	d, err := openBackup(s.plainFS(), dest, &s.id)
	if err != nil {
		return info, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	ctx, stop := s.whileOpen(ctx)
	defer stop()
	var id [4]byte
	rand.Read(id[:]) // never fails, by its documentation
	catalog := s.fs.PathJoin(s.dir, copyPrefix+hex.EncodeToString(id[:]))
	h, err := s.holdCut(ctx, catalog)
	if err == nil {
		w := backupWriter{backupDir: d, o: o, h: h, dirs: map[string]bool{}}
		info, err = w.write(ctx)
		err = errors.Join(err, h.close())
	}
	if s.o.ReadOnly {
		return info, err
	}
	if rerr := s.fs.RemoveAll(catalog); err == nil && rerr != nil && !isNotExist(rerr) {
		s.log.Warn("redex: the copy of the catalog stays until the store is opened again", "dir", catalog, "err", rerr)
	}
	return info, err
}

// copyPrefix begins the names of copies of the catalog in a store's directory, made for backups. Open removes those that were left.
const copyPrefix = "backup.tmp-"

// removeCopies removes what a backup that was cut short left in the store's directory.
func (s *Store) removeCopies() error {
	if s.o.ReadOnly {
		return nil
	}
	names, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, copyPrefix) {
			if err := s.fs.RemoveAll(s.fs.PathJoin(s.dir, name)); err != nil && !isNotExist(err) {
				return err
			}
		}
	}
	return nil
}

// backupDir is a backup directory that is locked.
type backupDir struct {
	fs   vfs.FS
	dir  string
	lock io.Closer // nil: there is nothing to lock
}

// openBackup opens a backup directory to add to it, and makes it when there is none, for a store. id is nil for one that must exist.
func openBackup(fs vfs.FS, dir string, id *StoreID) (_ *backupDir, err error) {
	if dir == "" {
		return nil, errors.New("the directory's name is empty")
	}
	d := &backupDir{fs: fs, dir: dir}
	b, err := readSmall(fs, d.path(backupName))
	switch {
	case isNotExist(err) && id != nil:
		if err := d.checkNew(); err != nil {
			return nil, err
		}
	case isNotExist(err):
		return nil, fmt.Errorf("%w: %s has no %s file: no backups are there", ErrFormat, dir, backupName)
	case err != nil:
		return nil, err
	}
	if id != nil {
		for _, name := range []string{"", backupPoints, backupFiles, backupNew} {
			if err := fs.MkdirAll(d.path(name), 0o755); err != nil {
				return nil, err
			}
		}
	}
	if d.lock, err = lockBackup(fs, d.path(lockName), false); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	numbers, err := d.points()
	if err != nil {
		return nil, err
	}
	have, err := decodeBackupName(b)
	switch {
	case id != nil && (err != nil || have == *id) && len(numbers) == 0:
		// New, or the first backup was cut short: by the death of its process before the file was synced, perhaps.
		if err := writeSmall(fs, d.path(backupName), encodeBackupName(*id)); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, d.damaged(backupName, err)
	case id != nil && have != *id:
		return nil, fmt.Errorf("%w: the backups in %s are of store %s, this one is %s", ErrForeign, dir, have, *id)
	}
	if id != nil { // also what a process made that died
		// A crash may have kept both names of a file that was moved from there: writing to it again would write to what it became.
		if err := d.clearNew(); err != nil {
			return nil, err
		}
		for _, name := range []string{dir, fs.PathDir(dir)} {
			if err := syncDir(fs, name); err != nil {
				return nil, err
			}
		}
	}
	return d, nil
}

// checkNew refuses a directory that has something else in it.
func (d *backupDir) checkNew() error {
	names, err := d.fs.List(d.dir)
	if isNotExist(err) {
		return nil
	}
	for _, name := range names {
		if !slices.Contains([]string{lockName, backupPoints, backupFiles, backupNew}, name) {
			return fmt.Errorf("%w: %s has no %s file but other files (%s): not a directory of backups", ErrFormat, d.dir, backupName, name)
		}
	}
	return err
}

// readBackup opens a backup directory to read it.
func readBackup(fs vfs.FS, dir string) (*backupDir, error) {
	d := &backupDir{fs: fs, dir: dir}
	b, err := readSmall(fs, d.path(backupName))
	if isNotExist(err) {
		return nil, fmt.Errorf("%w: %s has no %s file: no backups are there", ErrFormat, dir, backupName)
	}
	if err != nil {
		return nil, err
	}
	if _, err := decodeBackupName(b); err != nil {
		return nil, d.damaged(backupName, err)
	}
	if d.lock, err = lockBackup(fs, d.path(lockName), true); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *backupDir) close() error {
	if d.lock == nil {
		return nil
	}
	return d.lock.Close()
}

func (d *backupDir) path(name string) string {
	return d.fs.PathJoin(append([]string{d.dir}, strings.Split(name, "/")...)...)
}

// content returns the name of a stored content, and of the directory it is in.
func (d *backupDir) content(h hash) (name, dir string) {
	text := h.String()
	dir = backupFiles + "/" + text[:2]
	return dir + "/" + text, dir
}

func (d *backupDir) damaged(name string, err error) error {
	if errors.Is(err, ErrFormat) {
		return fmt.Errorf("%s: %w", d.path(name), err)
	}
	return &CorruptionError{File: d.path(name), Err: err}
}

// points returns the numbers of the points, ascending.
func (d *backupDir) points() ([]uint64, error) {
	names, err := d.fs.List(d.path(backupPoints))
	if err != nil && !isNotExist(err) {
		return nil, err
	}
	var all []uint64
	for _, name := range names {
		if n, ok := parsePointName(name); ok {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all, nil
}

// point reads one.
func (d *backupDir) point(n uint64) (*backupPoint, error) {
	name := backupPoints + "/" + pointName(n)
	f, err := d.fs.Open(d.path(name))
	if isNotExist(err) {
		return nil, fmt.Errorf("%w: %d in %s", ErrNoBackup, n, d.dir)
	}
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxPointBytes+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(b) > maxPointBytes {
		return nil, d.damaged(name, errors.New("it is too long"))
	}
	p, err := decodePoint(b)
	if err == nil && p.number != n {
		err = fmt.Errorf("it is of point %d", p.number)
	}
	if err != nil {
		return nil, d.damaged(name, err)
	}
	return p, nil
}

// public describes a point.
func (p *backupPoint) public() BackupPoint {
	out := BackupPoint{Number: p.number, Store: p.store, Epoch: p.epoch, Cut: p.cut, Made: p.made, Files: len(p.list)}
	for i := range p.list {
		out.Bytes += p.list[i].size
	}
	return out
}

// backupWriter adds one point.
type backupWriter struct {
	*backupDir
	o    BackupOptions
	h    *heldCut
	last map[string]backupFile // of the newest point of these files, by path
	dirs map[string]bool       // to be synced
	info BackupInfo
	n    int // of files in backupNew
}

func (w *backupWriter) write(ctx context.Context) (info BackupInfo, err error) {
	s := w.h.s
	numbers, err := w.points()
	if err != nil {
		return info, err
	}
	p := &backupPoint{
		number: 1, store: s.id, files: s.files, epoch: s.epochOf(w.h.cut.Ordinal), cut: w.h.cut, made: time.Now(),
	}
	w.last = map[string]backupFile{}
	for i, n := range slices.Backward(numbers) {
		if i == len(numbers)-1 {
			p.number = n + 1
		}
		old, err := w.point(n)
		if errors.Is(err, ErrCorrupt) {
			continue // an older one tells as well
		}
		if err != nil {
			return info, err
		}
		if old.files == s.files {
			for _, f := range old.list {
				w.last[f.path] = f
			}
			break
		}
	}
	if err := w.clearNew(); err != nil {
		return info, err
	}
	if err := w.h.sync(ctx); err != nil {
		return info, err
	}
	for i := range w.h.files {
		f, err := w.file(ctx, &w.h.files[i])
		if err != nil {
			return info, err
		}
		p.list = append(p.list, f)
	}
	slices.SortFunc(p.list, func(a, b backupFile) int { return strings.Compare(a.path, b.path) })
	for dir := range w.dirs {
		if err := syncDir(w.fs, w.path(dir)); err != nil {
			return info, err
		}
	}
	tmp, name := w.newName(), w.path(backupPoints+"/"+pointName(p.number))
	if err := writeSmall(w.fs, tmp, p.encode()); err != nil {
		return info, err
	}
	if err := w.fs.Rename(tmp, name); err != nil {
		return info, err
	}
	if err := syncDir(w.fs, w.path(backupPoints)); err != nil {
		return info, err
	}
	w.info.BackupPoint = p.public()
	return w.info, nil
}

// clearNew removes what a process left that died.
func (d *backupDir) clearNew() error {
	names, err := d.fs.List(d.path(backupNew))
	if err != nil && !isNotExist(err) {
		return err
	}
	for _, name := range names {
		if err := d.fs.Remove(d.path(backupNew + "/" + name)); err != nil && !isNotExist(err) {
			return err
		}
	}
	return nil
}

func (w *backupWriter) newName() string {
	w.n++
	return w.path(fmt.Sprintf("%s/%d", backupNew, w.n))
}

// file stores a file of the store, if it is not there.
func (w *backupWriter) file(ctx context.Context, f *storeFile) (backupFile, error) {
	out := backupFile{path: f.path}
	if err := context.Cause(ctx); err != nil {
		return out, err
	}
	old, known := w.last[f.path]
	if f.from != "" {
		info, err := w.h.s.fs.Stat(f.from)
		if err != nil {
			return out, err
		}
		known = known && info.Size() == old.size
	}
	if strings.HasPrefix(f.path, rowsDir+"/") {
		var err error
		if out.head, err = w.rowHead(f.from); err != nil {
			return out, err
		}
		if known && out.head == old.head && len(out.head) == 2*rowHeaderBytes { // the same file: it never changes
			if there, err := w.there(ctx, old.hash, old.size); there || err != nil {
				return old, err
			}
		}
	} else if known { // it may be as it was: then it is read, and not written
		sum := blake3.New()
		n, err := w.h.copy(ctx, f, sum)
		if err != nil {
			return out, err
		}
		if n == old.size && sumOf(sum) == old.hash {
			if there, err := w.there(ctx, old.hash, old.size); there || err != nil {
				return old, err
			}
		}
	}
	return out, w.store(ctx, f, &out)
}

func sumOf(h *blake3.Hasher) (out hash) {
	h.Sum(out[:0])
	return out
}

// rowHead returns what tells a row file from all others of its name and length.
func (w *backupWriter) rowHead(path string) (string, error) {
	f, err := w.h.s.fs.Open(path)
	if err != nil {
		return "", err
	}
	b := make([]byte, rowHeaderBytes)
	n, err := io.ReadFull(f, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // damaged: it is backed up as it is
		err = nil
	}
	return hex.EncodeToString(b[:n]), errors.Join(err, f.Close())
}

// there reports whether a content is stored.
func (w *backupWriter) there(ctx context.Context, h hash, size int64) (bool, error) {
	name, _ := w.content(h)
	info, err := w.fs.Stat(w.path(name))
	if err != nil || info.Size() != size {
		return false, nil //nolint:nilerr // what cannot be found is stored anew
	}
	if !w.o.Verify {
		return true, nil
	}
	err = w.verify(ctx, h, size, io.Discard)
	if errors.Is(err, ErrCorrupt) {
		return false, nil
	}
	return err == nil, err
}

// store copies a file under the name of its content.
func (w *backupWriter) store(ctx context.Context, f *storeFile, out *backupFile) error {
	tmp := w.newName()
	sum := blake3.New()
	err := copyTo(w.fs, tmp, func(to io.Writer) (err error) {
		out.size, err = w.h.copy(ctx, f, io.MultiWriter(sum, to)) // in this order: a vfs.File may change what it is given
		return err
	})
	if err != nil {
		return errors.Join(err, ignoreNotExist(w.fs.Remove(tmp)))
	}
	out.hash = sumOf(sum)
	name, dir := w.content(out.hash)
	w.dirs[dir], w.dirs[backupFiles] = true, true // also when it is there: a process may have died before it synced them
	if there, err := w.there(ctx, out.hash, out.size); there || err != nil {
		return errors.Join(err, w.fs.Remove(tmp))
	}
	if err := w.fs.MkdirAll(w.path(dir), 0o755); err != nil {
		return err
	}
	if err := w.fs.Rename(tmp, w.path(name)); err != nil {
		return err
	}
	w.info.NewFiles++
	w.info.NewBytes += out.size
	return nil
}

func ignoreNotExist(err error) error {
	if isNotExist(err) {
		return nil
	}
	return err
}
