package redex

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// LockedError says who has a store's directory open.
type LockedError struct {
	Dir  string
	PID  int    // 0 when unknown
	Host string // "" when unknown
	// Readers says that others have it open only to read, which keeps a writer out. Who they are is not written down.
	Readers bool
}

func (e *LockedError) Error() string {
	if e.Readers {
		return fmt.Sprintf("redex: store %s is locked: it is open read-only elsewhere", e.Dir)
	}
	if e.PID == 0 {
		return fmt.Sprintf("redex: store %s is open elsewhere; its LOCK file does not say by whom", e.Dir)
	}
	if e.PID == os.Getpid() {
		return fmt.Sprintf("redex: store %s is open already in this process (%d)", e.Dir, e.PID)
	}
	return fmt.Sprintf("redex: store %s is locked by process %d on host %s", e.Dir, e.PID, e.Host)
}

// Is reports whether target is ErrLocked.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// errHeld is what tryLock returns when the file is locked by someone else.
var errHeld = errors.New("held")

// dirLock is a locked LOCK file. The file stays when the lock is released: removing it would let two processes lock two
// files of that name. Its text says who opened the store, and whether it was closed. Where directories can be locked this one is as
// well, so that a LOCK file that somebody removes lets nobody in.
type dirLock struct {
	f      *os.File // nil: there is none, and the store is only read
	dir    *os.File // nil: directories are not locked here
	shared bool
}

// Words of a LOCK file.
const (
	lockOpen   = "open"
	lockClosed = "closed"
)

// lockDir locks the directory for a writer, or among others for a reader, and writes down who does.
func lockDir(dir string, shared bool) (_ *dirLock, err error) {
	l := &dirLock{shared: shared}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	path := filepath.Join(dir, lockName)
	if l.dir, err = openDirToLock(dir); err != nil {
		return nil, err
	}
	flag := os.O_RDWR | os.O_CREATE
	if shared {
		flag = os.O_RDONLY
	}
	if l.dir != nil {
		if err := l.lock(l.dir, dir); err != nil { // before a LOCK file is made
			return nil, err
		}
	}
	if l.f, err = os.OpenFile(path, flag, 0o644); isNotExist(err) && shared && l.dir != nil {
		l.f = nil
		return l, nil
	} else if err != nil {
		return nil, err
	}
	if err := l.lock(l.f, dir); err != nil {
		return nil, err
	}
	if err := l.checkCopy(path); err != nil {
		return nil, err
	}
	if !shared {
		if err := l.write(lockOpen); err != nil {
			return nil, fmt.Errorf("write %s: %w", path, err)
		}
	}
	return l, nil
}

// lock locks a file, or says who has it locked.
func (l *dirLock) lock(f *os.File, dir string) error {
	err := tryLock(f, l.shared)
	if !errors.Is(err, errHeld) {
		if err != nil {
			err = fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		return err
	}
	if !l.shared && tryLock(f, true) == nil { // LOCK still names the last writer, which has gone
		return &LockedError{Dir: dir, Readers: true}
	}
	named, err := os.Open(filepath.Join(dir, lockName))
	if err != nil {
		return &LockedError{Dir: dir}
	}
	defer named.Close()
	owner := readOwner(named)
	return &LockedError{Dir: dir, PID: owner.pid, Host: owner.host}
}

// checkCopy refuses a directory that was copied while its store was open, or after it crashed: files were copied at different
// moments, and no recovery can tell. The LOCK file of a store that is not closed names its inode, which a copy does not have. A copy
// made of hard links has it: the file then has two names, and names the directory too, which is refused closed or not.
func (l *dirLock) checkCopy(path string) error {
	owner := readOwner(l.f)
	info, err := l.f.Stat()
	if err != nil {
		return err
	}
	if n := inode(info); owner.state == lockOpen && owner.inode != 0 && n != 0 && owner.inode != n {
		return fmt.Errorf("%w: remove %s if nothing wrote to the store while it was copied", ErrCopied, path)
	}
	if d := l.dirInode(); links(info) > 1 && owner.dir != 0 && d != 0 && owner.dir != d {
		// Both names lead to the same files: whoever opens one of the directories writes to the journal of the other.
		return fmt.Errorf("%w: its files are hard links to those of another directory; copy it, and remove %s from the copy", ErrCopied, path)
	}
	return nil
}

// dirInode returns the inode of the store's directory, 0 when it is unknown.
func (l *dirLock) dirInode() uint64 {
	if l.dir == nil {
		return 0
	}
	info, err := l.dir.Stat()
	if err != nil {
		return 0
	}
	return inode(info)
}

// write writes down who has the store, and its state.
func (l *dirLock) write(state string) error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	info, err := l.f.Stat()
	if err != nil {
		return err
	}
	text := fmt.Appendf(nil, "pid %d\nhost %s\nsince %s\nstate %s\ninode %d\ndirectory %d\n", os.Getpid(), host, time.Now().UTC().Format(time.RFC3339),
		state, inode(info), l.dirInode())
	if err := l.f.Truncate(0); err != nil {
		return err
	}
	_, err = l.f.WriteAt(text, 0)
	return err
}

// lockOwner is what a LOCK file says.
type lockOwner struct {
	pid   int
	host  string
	state string
	inode uint64
	dir   uint64 // inode of the directory it was opened in
}

// readOwner reads a LOCK file. What cannot be read is left zero.
func readOwner(f *os.File) lockOwner {
	b := make([]byte, 1024)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return lockOwner{}
	}
	return parseOwner(b[:n])
}

// parseOwner is readOwner of the text. Lines it does not know are of a later version.
func parseOwner(b []byte) (o lockOwner) {
	for line := range strings.Lines(string(b)) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch k {
		case "pid":
			if pid, err := strconv.Atoi(v); err == nil {
				o.pid = pid
			}
		case "host":
			o.host = v
		case "state":
			o.state = v
		case "inode":
			if n, err := strconv.ParseUint(v, 10, 64); err == nil {
				o.inode = n
			}
		case "directory":
			if n, err := strconv.ParseUint(v, 10, 64); err == nil {
				o.dir = n
			}
		}
	}
	return o
}

// closed notes that the store was closed as it should be.
func (l *dirLock) closed() error {
	if l.shared {
		return nil
	}
	return l.write(lockClosed)
}

// Close releases the lock.
func (l *dirLock) Close() error {
	var errs []error
	for _, f := range []*os.File{l.f, l.dir} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
