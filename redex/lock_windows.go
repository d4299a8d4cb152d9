package redex

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockAt is where the locked byte is: past the text, so that others can read who holds the lock.
const lockAt = 1 << 20

// tryLock locks the open file. The lock belongs to the handle, so it also keeps out a second opener in this process.
func tryLock(f *os.File, shared bool) error {
	flags := uint32(windows.LOCKFILE_FAIL_IMMEDIATELY)
	if !shared {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{Offset: lockAt})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return errHeld
	}
	return err
}

// openDirToLock returns nil: the LOCK file is all that is locked here.
func openDirToLock(string) (*os.File, error) { return nil, nil }

// inode returns 0: the number of a file is not known here.
func inode(os.FileInfo) uint64 { return 0 }

// links returns 0: how many names a file has is not known here.
func links(os.FileInfo) uint64 { return 0 }
