//go:build linux && !portable

package journal

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// The file systems on which a fallocated, populated, mapped page can be written again and again without needing room: they
// write in place.
func mapsSafely(dir string) bool {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return false
	}
	switch int64(st.Type) { //nolint:unconvert // it is an int32 on some systems
	case unix.EXT4_SUPER_MAGIC, // also ext2 and ext3
		unix.XFS_SUPER_MAGIC,
		unix.TMPFS_MAGIC:
		return true
	}
	return false
}

// allocate gives f size bytes of its own. A file system that cannot reserve them gets a sparse file.
func allocate(f *os.File, size int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, 0, size)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS):
			return f.Truncate(size)
		}
		return os.NewSyscallError("fallocate", err)
	}
}

// onlyName reports whether a file has one name only.
func onlyName(f *os.File) (bool, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return false, os.NewSyscallError("fstat", err)
	}
	return st.Nlink == 1, nil
}

func mapFile(f *os.File, size int64, write bool) ([]byte, error) {
	prot := unix.PROT_READ
	if write {
		prot |= unix.PROT_WRITE
	}
	return unix.Mmap(int(f.Fd()), 0, int(size), prot, unix.MAP_SHARED)
}

func unmapFile(m []byte) error { return os.NewSyscallError("munmap", unix.Munmap(m)) }

// populate makes the pages of m writable. On kernels before 5.14 it touches each of them; nobody else writes there yet.
func populate(m []byte) error {
	for {
		err := unix.Madvise(m, unix.MADV_POPULATE_WRITE)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EINVAL):
			return touch(m)
		}
		return os.NewSyscallError("madvise", err)
	}
}

func syncMapped(m []byte) error {
	for {
		err := unix.Msync(m, unix.MS_SYNC)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return os.NewSyscallError("msync", err)
	}
}

// noReadAhead keeps faults in m from reading what is behind them. In a new file that would be pages without content, made in
// small pieces just before they are populated in large ones.
func noReadAhead(m []byte) error {
	if m == nil {
		return nil
	}
	return os.NewSyscallError("madvise", unix.Madvise(m, unix.MADV_RANDOM))
}

// forgetMapped takes the pages of m out of the page table. What was written to them stays in the file; the next touch maps them
// again.
func forgetMapped(m []byte) error {
	return os.NewSyscallError("madvise", unix.Madvise(m, unix.MADV_DONTNEED))
}

func syncData(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return os.NewSyscallError("fdatasync", err)
	}
}
