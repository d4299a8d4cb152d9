package journal

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// shelf keeps files of released segments, to be used again: their blocks are allocated and written, so that a sync changes no
// metadata, and their pages are in memory. Measured on ext4: syncs of 18 and 290 kB take two thirds of the time, and memory for an
// event costs a quarter.
//
// What an earlier use left behind is never taken for frames of the new one: its ordinals are below all that come (they were
// durable before the segment was released, so they are never given again), and its checksums have another salt.
type shelf struct {
	mu     sync.Mutex
	segs   []*segment
	closed bool
	below  uint32 // no bytes of segments with lower numbers are to be kept
}

// shelfMost is how many segments are kept. Sealing that keeps up with appends releases one or two at a time.
const shelfMost = 2

// put takes a segment that nobody uses, and returns what is to be removed instead: that one, the oldest there, or nothing. The newest
// stay, so that the segments whose files are there follow each other, whichever moment a process dies at.
func (h *shelf) put(s *segment) (out *segment) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || s.hdr.number < h.below {
		return s
	}
	h.segs = append(h.segs, s)
	slices.SortFunc(h.segs, func(a, b *segment) int { return cmp.Compare(a.hdr.number, b.hdr.number) })
	if len(h.segs) > shelfMost {
		out = h.segs[0]
		h.segs = slices.Delete(h.segs, 0, 1)
	}
	return out
}

// take returns a segment of a size, or nil.
func (h *shelf) take(size int64) *segment {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, s := range h.segs {
		if s.size == size {
			h.segs = append(h.segs[:i], h.segs[i+1:]...)
			return s
		}
	}
	return nil
}

// clear empties the shelf and returns what was on it. From then on it takes nothing with a number below that.
func (h *shelf) clear(below uint32) []*segment {
	h.mu.Lock()
	defer h.mu.Unlock()
	segs := h.segs
	h.segs, h.below = nil, max(h.below, below)
	return segs
}

func (h *shelf) close() []*segment {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	return h.clear(0)
}

func (h *shelf) bytes() (n int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.segs {
		n += s.size
	}
	return n
}

// retire lets a released segment go that nobody uses any more: to the shelf or for good.
func (j *Journal) retire(s *segment) error {
	_, ok := j.fs.(Recycler)
	if ok && s.mem != nil && s.size == j.opt.MaxSegmentBytes {
		if s = j.shelf.put(s); s == nil {
			return nil
		}
	}
	return j.discard(s)
}

// discard closes and removes the file of a segment.
func (j *Journal) discard(segs ...*segment) error {
	errs := make([]error, 0, len(segs))
	for _, s := range segs {
		errs = append(errs, s.file.Close(), removeFile(j.fs, s.name))
	}
	return errors.Join(errs...)
}

// FreeSpace removes the files that are kept to be used again. The next segments are new files.
func (j *Journal) FreeSpace() error { return j.discard(j.shelf.clear(0)...) }

// forgottenLocked reports whether the file of a segment may have bytes, behind its own, of what Roll was to let go.
func (j *Journal) forgottenLocked(s *segment) bool { return s.reused && s.hdr.number < j.forgotten }

// reuse makes the next segment of a file on the shelf, or returns nil: it has none that will do. Before the file gets its new
// name, its header page and the one behind it are cleared on disk, but for the mark that tells of the earlier use.
func (j *Journal) reuse(name string, number uint32, size int64, unit int) (*segment, error) {
	old := j.shelf.take(size)
	if old == nil {
		return nil, nil //nolint:nilnil // as said
	}
	if old.unit > unit { // a sync of one byte writes a whole piece
		return nil, j.discard(old)
	}
	fs := j.fs.(Recycler)
	if ok, err := fs.Recyclable(old.file); err != nil || !ok {
		return nil, errors.Join(err, j.discard(old))
	}
	pages := make([]byte, 2*headerPageBytes)
	putReuseMark(pages, number)
	err := old.write(pages, 0)
	if err == nil {
		err = old.file.SyncRange(0, int64(len(pages)))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("clear %s: %w", old.name, err), j.discard(old))
	}
	if err := fs.Recycle(old.file, old.name, name); err != nil {
		return nil, errors.Join(err, j.discard(old))
	}
	s := newSegment(name, old.file, &header{number: number})
	s.reused, s.unit = true, old.unit
	s.populated = int64(len(pages))
	return s, nil
}

// zeros makes [from, to) of a segment whose file was used before writable and zero, and returns where that ends.
func (s *segment) zeros(from, to int64, unit int) (int64, error) {
	if p, ok := s.file.(UnitPopulator); ok {
		return p.PopulateUnits(from, to-from, max(unit, headerPageBytes))
	}
	if _, err := s.file.Populate(from, to-from); err != nil {
		return 0, err
	}
	return to, s.write(make([]byte, to-from), from)
}
