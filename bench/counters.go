package main

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// written is how many bytes went towards a disk.
type written struct {
	process float64 // what this process made dirty and did not take back, by /proc/self/io
	device  float64 // what the block device below a directory was given, by its /sys/dev/block; NaN when there is none
}

func (w written) since(before written) written {
	return written{w.process - before.process, w.device - before.device}
}

// writtenNow writes everything out that waits in memory for the file system of dir, and reads the counters.
func writtenNow(dir string) (written, error) {
	if err := syncFileSystem(dir); err != nil {
		return written{}, err
	}
	w := written{device: deviceBytes(dir)}
	done, err := procNumber("/proc/self/io", "write_bytes")
	if err != nil {
		return w, err
	}
	undone, err := procNumber("/proc/self/io", "cancelled_write_bytes")
	w.process = done - undone
	return w, err
}

// syncFileSystem writes out what other runs have left in memory.
func syncFileSystem(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return os.NewSyscallError("syncfs", unix.Syncfs(int(f.Fd())))
}

// deviceBytes returns how much was ever written to the device that holds dir.
func deviceBytes(dir string) float64 {
	var s unix.Stat_t
	if err := unix.Stat(dir, &s); err != nil {
		return math.NaN()
	}
	text, err := os.ReadFile(fmt.Sprintf("/sys/dev/block/%d:%d/stat", unix.Major(s.Dev), unix.Minor(s.Dev)))
	if err != nil {
		return math.NaN()
	}
	const sectorsWritten, sectorBytes = 6, 512
	fields := strings.Fields(string(text))
	var n float64
	if len(fields) <= sectorsWritten {
		return math.NaN()
	}
	if _, err := fmt.Sscan(fields[sectorsWritten], &n); err != nil {
		return math.NaN()
	}
	return n * sectorBytes
}

// residentBytes returns the memory of this process that is in use: its own and that of files it has mapped.
func residentBytes() (float64, error) {
	kb, err := procNumber("/proc/self/status", "VmRSS")
	return kb * 1024, err
}

// procNumber returns the number that a field of a file in /proc begins with.
func procNumber(file, field string) (float64, error) {
	var n float64
	text := procField(file, field)
	if _, err := fmt.Sscan(text, &n); err != nil {
		return 0, fmt.Errorf("%s of %s is %q: %w", field, file, text, err)
	}
	return n, nil
}

// dirBytes returns the bytes of the files below dir: their length, or what they take of the disk if that is less. What is
// allocated in advance, or a hole, holds nothing.
func dirBytes(dir string) (int64, error) {
	var n int64
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		var s unix.Stat_t
		if err := unix.Stat(path, &s); err != nil {
			return &os.PathError{Op: "stat", Path: path, Err: err}
		}
		n += min(s.Size, s.Blocks*512)
		return nil
	})
	return n, err
}

// roomLeft returns how many bytes can still be written below dir.
func roomLeft(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return int64(s.Bavail) * s.Bsize, nil
}
