package journal

import (
	"fmt"
	"runtime/debug"
	"slices"
	"sort"
)

// Stat returns a frame's ordinal, time and body length; the checksum of its header is verified.
func (j *Journal) Stat(loc Loc) (Placed, int, error) {
	s, err := j.holdAt(loc)
	if err != nil {
		return Placed{}, 0, err
	}
	defer s.drop()
	h, err := s.frameAt(loc.Offset())
	if err != nil {
		return Placed{}, 0, err
	}
	if err := j.checkReadable(h.ordinal); err != nil {
		return Placed{}, 0, err
	}
	return Placed{Ordinal: h.ordinal, Time: h.time, Loc: loc}, int(h.size), nil
}

// Read appends bytes [off, off+n) of the body of the frame at loc to dst and returns the extended slice, after checking the
// checksums of what it touches (the frame, or each 64 KiB block of a larger one). Errors: ErrReleased, ErrRange, ErrPoisoned
// (a frame above Durable after a failed sync), ErrClosed and *CorruptionError, which names segment and offset. dst is returned
// as it was on error.
func (j *Journal) Read(loc Loc, off, n int, dst []byte) ([]byte, error) {
	s, err := j.holdAt(loc)
	if err != nil {
		return dst, err
	}
	defer s.drop()
	h, err := s.frameAt(loc.Offset())
	if err != nil {
		return dst, err
	}
	if err := j.checkReadable(h.ordinal); err != nil {
		return dst, err
	}
	if off < 0 || n < 0 || int64(off)+int64(n) > h.size {
		return dst, fmt.Errorf("read [%d, %d) of a body of %d bytes at %v: %w", off, int64(off)+int64(n), h.size, loc, ErrRange)
	}
	if n == 0 {
		return dst, nil
	}
	out, err := s.readBody(&h, loc.Offset(), int64(off), int64(n), dst)
	if err != nil {
		return dst, s.corrupt(loc.Offset(), fmt.Errorf("ordinal %d: %w", h.ordinal, err))
	}
	return out, nil
}

// Probe reads the header of the segment of loc. An error says that the disk gives nothing of the segment at all, so that what could not
// be read there need not be lost.
func (j *Journal) Probe(loc Loc) error {
	s, err := j.holdAt(loc)
	if err != nil {
		return err
	}
	defer s.drop()
	if err := s.copyOut(make([]byte, headerPageBytes), 0); err != nil {
		return fmt.Errorf("read the header of %s: %w", s.name, err)
	}
	return nil
}

// holdAt finds the segment of loc and holds it.
func (j *Journal) holdAt(loc Loc) (*segment, error) {
	all := *j.segments.Load()
	number := loc.Segment()
	i := len(all) - 1 // most reads are near the end
	if i < 0 || all[i].hdr.number != number {
		i = sort.Search(len(all), func(i int) bool { return all[i].hdr.number >= number })
	}
	if i < 0 || i == len(all) || all[i].hdr.number != number || !all[i].hold() {
		if j.isClosed() {
			return nil, ErrClosed
		}
		return nil, fmt.Errorf("read %v: %w", loc, ErrReleased)
	}
	s := all[i]
	if off := loc.Offset(); off < headerPageBytes || off%8 != 0 || off >= s.limit.Load() || off+frameHeaderBytes > s.size {
		s.drop()
		return nil, fmt.Errorf("read %v: no frame begins there: %w", loc, ErrRange)
	}
	return s, nil
}

func (j *Journal) isClosed() bool {
	select {
	case <-j.quit:
		return true
	default:
		return false
	}
}

// checkReadable refuses frames that a failed sync may have taken away.
func (j *Journal) checkReadable(o Ordinal) error {
	if p := j.poison.Load(); p != nil && o > p.Durable {
		return p
	}
	return nil
}

// frameAt reads and verifies the header of the frame at off.
func (s *segment) frameAt(off int64) (frameHeader, error) {
	h, ok, err := s.headerAt(off)
	if err != nil {
		return frameHeader{}, s.corrupt(off, err)
	}
	if !ok || h.kind != kindFrame && h.kind != kindLarge {
		return frameHeader{}, s.corrupt(off, errFrame)
	}
	if off+h.bytes() > s.size {
		return frameHeader{}, s.corrupt(off, fmt.Errorf("%w: %d bytes long", errFrame, h.bytes()))
	}
	return h, nil
}

func (s *segment) headerAt(off int64) (h frameHeader, ok bool, err error) {
	if s.mem != nil {
		defer faulted(debug.SetPanicOnFault(true), &err)
		h, ok = decodeFrameHeader(s.mem[off:], s.salt)
		return h, ok, nil
	}
	b := make([]byte, frameHeaderBytes)
	if err := s.copyOut(b, off); err != nil {
		return frameHeader{}, false, err
	}
	h, ok = decodeFrameHeader(b, s.salt)
	return h, ok, nil
}

// readBody appends bytes [off, off+n), n > 0, of the body of the frame at at to dst.
func (s *segment) readBody(h *frameHeader, at, off, n int64, dst []byte) ([]byte, error) {
	if s.mem != nil {
		return s.readMapped(h, at, off, n, dst)
	}
	// Read the blocks touched behind dst, then move what was asked for to the front.
	first, last := off/blockBytes, (off+n-1)/blockBytes
	from, to := first*blockBytes, min((last+1)*blockBytes, h.size)
	body := at + h.bodyAt()
	keep := len(dst)
	out := slices.Grow(dst, int(to-from))[:keep+int(to-from)]
	blocks := out[keep:]
	if err := s.copyOut(blocks, body+from); err != nil {
		return dst, err
	}
	if err := s.checkTouched(h, at, blocks, first, last); err != nil {
		return dst, err
	}
	copy(blocks, blocks[off-from:off-from+n])
	return out[:keep+int(n)], nil
}

// checkTouched verifies blocks, which are blocks [first, last] of the body of the frame at at.
func (s *segment) checkTouched(h *frameHeader, at int64, blocks []byte, first, last int64) error {
	if h.kind != kindLarge {
		if crcOf(s.salt, blocks) != h.crc {
			return errChecksum
		}
		return nil
	}
	table := make([]byte, tableBytes(h.size))
	if err := s.copyOut(table, at+frameHeaderBytes); err != nil {
		return err
	}
	if crcOf(s.salt, table) != h.crc {
		return fmt.Errorf("%w in the table", errChecksum)
	}
	return checkBlocks(blocks, table[4*first:], s.salt, 0, last-first)
}

// readMapped is readBody for a segment in memory.
func (s *segment) readMapped(h *frameHeader, at, off, n int64, dst []byte) (out []byte, err error) {
	out = dst
	defer faulted(debug.SetPanicOnFault(true), &err)
	body := s.mem[at+h.bodyAt():][:h.size]
	if h.kind != kindLarge {
		if crcOf(s.salt, body) != h.crc {
			return dst, errChecksum
		}
	} else {
		table := s.mem[at+frameHeaderBytes:][:tableBytes(h.size)]
		if crcOf(s.salt, table) != h.crc {
			return dst, fmt.Errorf("%w in the table", errChecksum)
		}
		if err := checkBlocks(body, table, s.salt, off/blockBytes, (off+n-1)/blockBytes); err != nil {
			return dst, err
		}
	}
	return append(dst, body[off:off+n]...), nil
}
