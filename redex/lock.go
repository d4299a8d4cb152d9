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
}

func (e *LockedError) Error() string {
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
// files of that name.
type dirLock struct {
	f *os.File
}

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
		e := &LockedError{Dir: dir}
		e.PID, e.Host = readOwner(f)
		return nil, e
	}
	if !shared {
		host, err := os.Hostname()
		if err != nil {
			host = "unknown"
		}
		text := fmt.Sprintf("pid %d\nhost %s\nsince %s\n", os.Getpid(), host, time.Now().UTC().Format(time.RFC3339))
		err = f.Truncate(0)
		if err == nil {
			_, err = f.WriteAt([]byte(text), 0)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("write %s: %w", path, err), f.Close())
		}
	}
	return &dirLock{f}, nil
}

// readOwner reads who wrote the LOCK file.
func readOwner(f *os.File) (pid int, host string) {
	b := make([]byte, 1024)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, ""
	}
	for line := range strings.Lines(string(b[:n])) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch k {
		case "pid":
			if pid, err = strconv.Atoi(v); err != nil {
				pid = 0
			}
		case "host":
			host = v
		}
	}
	return pid, host
}

// Close releases the lock.
func (l *dirLock) Close() error { return l.f.Close() }
