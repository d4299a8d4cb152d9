package journal

import (
	"fmt"
	"slices"
)

// FrameBytes returns the room a frame with a body of n bytes takes. A frame that follows another in the same segment begins where
// that one's room ends.
func FrameBytes(n int) int { return int(frameBytes(int64(n))) }

// Next returns where the frame after one of n bytes at l begins, if it is in the same segment.
func (l Loc) Next(n int) Loc { return l + Loc(n) }

// Frames goes through frames that lie one behind the other in a segment, in memory of its own. It is not safe for concurrent use.
type Frames struct {
	// What Next came to.
	Ordinal Ordinal
	Time    int64
	Loc     Loc
	Body    []byte  // points into the memory given to ReadFrames; nil: damaged
	Until   Ordinal // the ordinal after this frame, or after the damaged ones
	Err     error   // nil, a *CorruptionError that names the place, or a PoisonedError, which is the end

	// Skip is the ordinal below which frames are passed without looking at their bodies; Body is then nil. It may be set before Next.
	Skip Ordinal

	j    *Journal
	seg  *segment // for its salt and name only: nothing holds it
	rest []byte   // not gone through yet
	at   Loc      // of rest
	end  Ordinal
}

// ReadFrames copies n bytes from loc on to buf, which it grows, for f to go through: count whole frames with bodies of at most 64 KiB,
// from ordinal first on, none of them an end frame. It returns the memory. Errors are those of Read, but damage, which Next tells.
func (j *Journal) ReadFrames(f *Frames, loc Loc, n int, first Ordinal, count int, buf []byte) ([]byte, error) {
	s, err := j.holdAt(loc)
	if err != nil {
		return buf, err
	}
	defer s.drop()
	off := loc.Offset()
	if n < 0 || off+int64(n) > s.size {
		return buf, fmt.Errorf("read %d bytes at %v: %w", n, loc, ErrRange)
	}
	buf = slices.Grow(buf[:0], n)[:n]
	if err := s.copyOut(buf, off); err != nil {
		return buf, s.corrupt(off, err)
	}
	*f = Frames{j: j, seg: s, rest: buf, at: loc, Until: first, end: first + Ordinal(count)}
	return buf, nil
}

// Next moves to the next frame, or over damaged ones, and reports whether there was one.
func (f *Frames) Next() bool {
	if f.Until >= f.end {
		return false
	}
	f.Ordinal, f.Loc, f.Body, f.Err = f.Until, f.at, nil, nil
	h, ok := decodeFrameHeader(f.rest, f.seg.salt)
	if !ok || h.kind != kindFrame || h.ordinal != f.Ordinal || h.bytes() > int64(len(f.rest)) {
		f.Err = f.seg.corrupt(f.Loc.Offset(), fmt.Errorf("ordinal %d: %w", f.Ordinal, errFrame))
		f.resync()
		return true
	}
	if f.Err = f.j.checkReadable(h.ordinal); f.Err != nil {
		f.Until = f.end
		return true
	}
	body := f.rest[frameHeaderBytes : frameHeaderBytes+h.size : frameHeaderBytes+h.size]
	switch {
	case h.ordinal < f.Skip:
	case crcOf(f.seg.salt, body) == h.crc:
		f.Body = body
	default:
		f.Err = f.seg.corrupt(f.Loc.Offset(), fmt.Errorf("ordinal %d: %w", h.ordinal, errChecksum))
	}
	f.Time, f.Until = h.time, h.ordinal+1
	f.skip(int(h.bytes()))
	return true
}

func (f *Frames) skip(n int) {
	f.rest = f.rest[n:]
	f.at = f.at.Next(n)
}

// resync moves to the next thing that looks like one of the frames that have to come.
func (f *Frames) resync() {
	for off := 8; off+frameHeaderBytes <= len(f.rest); off += 8 {
		o := frameOrdinal(f.rest[off:])
		if o <= f.Ordinal || o >= f.end {
			continue
		}
		if h, ok := decodeFrameHeader(f.rest[off:], f.seg.salt); ok && h.kind == kindFrame {
			f.Until = o
			f.skip(off)
			return
		}
	}
	f.Until = f.end
}
