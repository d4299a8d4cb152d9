package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"
)

// segment is one file of the journal. What changes after it was installed is said at each field.
type segment struct {
	hdr  *header
	name string
	file File
	mem  []byte        // nil: the file is written with WriteAt
	obs  WriteObserver // nil outside of tests
	salt uint32
	size int64

	reused bool // the file was another segment's before: what is behind its populated part is not zero

	// Guarded by Journal.mu.
	populated int64 // [0, populated) can be written without a fault
	unit      int   // the largest pieces it was populated in
	end       int64 // offset behind the last frame
	synced    int64 // [0, synced) is on disk
	ended     bool  // no frame follows
	endFrame  bool  // the end frame is written

	limit atomic.Int64 // no frame begins at or behind it

	refs    atomic.Int64 // one of the journal, one per call inside; at 0 the file is closed
	retired func()       // called at 0; set before the journal's own reference is dropped
}

func newSegment(name string, f File, h *header) *segment {
	s := &segment{hdr: h, name: name, file: f, mem: f.Map(), size: f.Size(), salt: uint32(h.salt)}
	s.obs, _ = f.(WriteObserver)
	s.refs.Store(1)
	s.limit.Store(s.size)
	return s
}

// written returns the offset behind the last frame, or behind the end frame.
func (s *segment) written() int64 {
	if s.endFrame {
		return s.end + frameHeaderBytes
	}
	return s.end
}

// settled reports whether nothing in the segment waits for a sync. An end frame does not, when the segment was released.
func (s *segment) settled() bool { return s.synced == s.written() || s.refs.Load() == 0 }

// hold keeps the segment's file open until drop, and reports whether it still is.
func (s *segment) hold() bool {
	for {
		n := s.refs.Load()
		if n == 0 {
			return false
		}
		if s.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (s *segment) drop() {
	if s.refs.Add(-1) == 0 && s.retired != nil {
		s.retired()
	}
}

// populateTo returns where populating ends that has to reach to: the end of a page, whatever pages the system has.
func (s *segment) populateTo(to int64) int64 {
	return min(s.size, (to+populateSmall-1)&^(populateSmall-1))
}

// write writes p at off. It is for everything but frames placed in memory.
func (s *segment) write(p []byte, off int64) error {
	if s.mem == nil {
		_, err := s.file.WriteAt(p, off)
		return err
	}
	if s.obs != nil {
		s.obs.BeginWrite()
		defer s.obs.EndWrite(off, int64(len(p)))
	}
	return guardedCopy(s.mem[off:], p)
}

// load reads [0, upTo) into buf, which it grows, and returns it with the ranges that could not be read, which are zeros.
func (s *segment) load(buf []byte, upTo int64) ([]byte, []badRange) {
	upTo = min(upTo, s.size)
	if int64(cap(buf)) < upTo {
		buf = make([]byte, upTo)
	}
	buf = buf[:upTo]
	return buf, s.loadRange(buf, 0, 1<<20, nil)
}

// badRange is a range of a segment that the disk does not give.
type badRange struct {
	from, to int64
	err      error
}

func (s *segment) loadRange(buf []byte, base, step int64, bad []badRange) []badRange {
	for off := int64(0); off < int64(len(buf)); off += step {
		part := buf[off:min(off+step, int64(len(buf)))]
		err := s.readFile(part, base+off)
		switch {
		case err == nil:
		case step > 4096:
			bad = s.loadRange(part, base+off, 4096, bad)
		default:
			clear(part)
			bad = append(bad, badRange{base + off, base + off + int64(len(part)), err})
		}
	}
	return bad
}

// copyOut fills p with the bytes at off. What the disk does not give at once is asked for once more: what cannot be read at
// recovery, or when it is sealed, is given up.
func (s *segment) copyOut(p []byte, off int64) error {
	if s.mem != nil {
		return guardedCopy(p, s.mem[off:])
	}
	return s.readFile(p, off)
}

// readFile is copyOut without the mapping, whose pages would stay with the process: for a whole segment that is read once.
func (s *segment) readFile(p []byte, off int64) error {
	_, err := s.file.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		_, err = s.file.ReadAt(p, off)
	}
	return err
}

// corrupt returns an error that names a place in the segment.
func (s *segment) corrupt(off int64, err error) *CorruptionError {
	return &CorruptionError{Segment: s.hdr.number, File: s.name, Offset: off, Err: err}
}

// remove unlinks a segment's file; that it is gone already is no error.
func removeFile(fsys FS, name string) error {
	if err := fsys.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("journal: remove %s: %w", name, err)
	}
	return nil
}
