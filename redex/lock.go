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
		return fmt.Sprintf("redex: store %s is locked by another process", e.Dir)
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
// files of that name. Its text says who opened the store, and whether it was closed.
type dirLock struct {
	f      *os.File
	shared bool
}

// Words of a LOCK file.
const (
	lockOpen   = "open"
	lockClosed = "closed"
)

// lockDir locks the directory for a writer, or among others for a reader, and writes down who does.
func lockDir(dir string, shared bool) (*dirLock, error) {
	path := filepath.Join(dir, lockName)
	flag := os.O_RDWR | os.O_CREATE
	if shared {
		flag = os.O_RDONLY
	}
	f, err := os.OpenFile(path, flag, 0o644)
	if err != nil {
		return nil, err
	}
	if err := tryLock(f, shared); err != nil {
		defer f.Close()
		if !errors.Is(err, errHeld) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if !shared && tryLock(f, true) == nil { // the file still names the last writer, which has gone
			return nil, &LockedError{Dir: dir, Readers: true}
		}
		owner := readOwner(f)
		return nil, &LockedError{Dir: dir, PID: owner.pid, Host: owner.host}
	}
	l := &dirLock{f, shared}
	if err := l.checkCopy(path); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if !shared {
		if err := l.write(lockOpen); err != nil {
			return nil, errors.Join(fmt.Errorf("write %s: %w", path, err), f.Close())
		}
	}
	return l, nil
}

// checkCopy refuses a directory that was copied while its store was open, or after it crashed: files were copied at different
// moments, and no recovery can tell. The LOCK file of a store that is not closed names its inode, which a copy does not have.
func (l *dirLock) checkCopy(path string) error {
	owner := readOwner(l.f)
	info, err := l.f.Stat()
	if err != nil {
		return err
	}
	if n := inode(info); owner.state == lockOpen && owner.inode != 0 && n != 0 && owner.inode != n {
		return fmt.Errorf("%w: remove %s if nothing wrote to the store while it was copied", ErrCopied, path)
	}
	return nil
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
	text := fmt.Appendf(nil, "pid %d\nhost %s\nsince %s\nstate %s\ninode %d\n", os.Getpid(), host, time.Now().UTC().Format(time.RFC3339), state, inode(info))
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
}

// readOwner reads a LOCK file. What cannot be read is left zero.
func readOwner(f *os.File) (o lockOwner) {
	b := make([]byte, 1024)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return o
	}
	for line := range strings.Lines(string(b[:n])) {
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
func (l *dirLock) Close() error { return l.f.Close() }
