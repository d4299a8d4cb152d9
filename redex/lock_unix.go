//go:build unix && !solaris && !aix

package redex

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// tryLock locks the open file. The lock belongs to the open file, so it also keeps out a second opener in this process.
func tryLock(f *os.File, shared bool) error {
	how := unix.LOCK_EX
	if shared {
		how = unix.LOCK_SH
	}
	for {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return errHeld
		default:
			return err
		}
	}
}

// openDirToLock opens a directory to be locked with tryLock.
func openDirToLock(dir string) (*os.File, error) { return os.Open(dir) }

// links returns how many names the file has; 0 when it is unknown.
func links(info os.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Nlink) //nolint:unconvert // it is a uint16 or uint32 on some systems
	}
	return 0
}

// inode returns the number of the file, which a copy does not share; 0 when it is unknown.
func inode(info os.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}
