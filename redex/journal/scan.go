package journal

import (
	"encoding/binary"
	"fmt"
	"math"
)

// scanner goes through the frames of one segment that was loaded into the heap.
type scanner struct {
	seg  *segment
	buf  []byte // [0, where the scan ends)
	bad  []badRange
	off  int64
	next Ordinal // expected
	time int64   // of the frame before

	known Ordinal // highest ordinal that something seen says is durable
}

// found is what a scanner finds at its offset.
type found uint8

const (
	foundFrame   found = iota // a good frame
	foundBadBody              // a good header of the frame expected, and a bad body
	foundLimit                // the end of what was loaded
	foundNothing              // zeros
	foundIdle                 // an idle mark
	foundEnd                  // an end frame
	foundClean                // an end mark
	foundBad                  // anything else
)

// look says what is at the scanner's offset. It does not move.
func (c *scanner) look() (frameHeader, found) {
	if c.off >= int64(len(c.buf)) {
		return frameHeader{}, foundLimit
	}
	rest := c.buf[c.off:]
	h, ok := decodeFrameHeader(rest, c.seg.salt)
	if !ok {
		if allZero(rest[:min(frameHeaderBytes, len(rest))]) && !c.unreadable(c.off, c.off+frameHeaderBytes) {
			return frameHeader{}, foundNothing
		}
		return frameHeader{}, foundBad
	}
	c.known = max(c.known, h.durable)
	switch h.kind {
	case kindFrame, kindLarge:
		if h.ordinal != c.next || h.time <= c.time {
			return h, foundBad
		}
		if h.bytes() > int64(len(rest)) || h.checkBody(rest, c.seg.salt) != nil {
			return h, foundBadBody
		}
		return h, foundFrame
	}
	if h.ordinal != c.next-1 {
		return h, foundBad
	}
	switch h.kind {
	case kindEnd:
		return h, foundEnd
	case kindIdle:
		return h, foundIdle
	}
	return h, foundClean
}

// pass moves behind a frame whose header is good.
func (c *scanner) pass(h *frameHeader) {
	c.off += h.bytes()
	c.next = h.ordinal + 1
	c.time = h.time
}

// resync looks behind the scanner's offset for something written after the frame expected: a frame with a higher ordinal, or
// a mark at or above it. It moves there and returns true, with the expected ordinal set to what is there. Nothing older
// passes, not even a copy of this very segment in a payload.
func (c *scanner) resync(top Ordinal) bool {
	for off := c.off + 8; off+frameHeaderBytes <= int64(len(c.buf)); off += 8 {
		o := frameOrdinal(c.buf[off:])
		if o < c.next || o > top {
			continue
		}
		h, ok := decodeFrameHeader(c.buf[off:], c.seg.salt)
		if !ok || h.time < c.time {
			continue
		}
		c.known = max(c.known, h.durable)
		if h.kind != kindFrame && h.kind != kindLarge {
			c.off, c.next, c.time = off, h.ordinal+1, h.time
			return true
		}
		if h.ordinal > c.next && h.time > c.time {
			c.off, c.next, c.time = off, h.ordinal, h.time-1
			return true
		}
	}
	return false
}

// survey goes on to the end of what is loaded over whatever is there, for what it says is durable.
func (c *scanner) survey() {
	for {
		h, f := c.look()
		switch f {
		case foundFrame, foundBadBody:
			c.pass(&h)
		case foundLimit:
			return
		default:
			if !c.resync(1<<64 - 1) {
				return
			}
		}
	}
}

// unreadable reports whether the disk did not give part of [from, to).
func (c *scanner) unreadable(from, to int64) bool { return c.readError(from, to) != nil }

func (c *scanner) readError(from, to int64) error {
	for _, b := range c.bad {
		if b.from < to && from < b.to {
			return fmt.Errorf("read at %d: %w", b.from, b.err)
		}
	}
	return nil
}

// unread returns the error with which the disk did not give what look found.
func (c *scanner) unread(h *frameHeader, f found) error {
	end := c.off + frameHeaderBytes
	if f == foundBadBody {
		end = c.off + h.bytes()
	}
	return c.readError(c.off, end)
}

// why returns the error for what look found.
func (c *scanner) why(h *frameHeader, f found) error {
	if err := c.unread(h, f); err != nil {
		return err
	}
	switch f {
	case foundBadBody:
		return fmt.Errorf("ordinal %d: %w", h.ordinal, errChecksum)
	case foundNothing:
		return fmt.Errorf("ordinal %d: %w, only zeros", c.next, errFrame)
	}
	return fmt.Errorf("ordinal %d: %w", c.next, errFrame)
}

// written returns the length of what is behind off up to the last byte that is not zero. In a file that was another segment's
// before that says nothing, since zeros between its frames and older bytes may not be on disk: there it is what stands before the end of
// the last frame or mark of its own.
func (c *scanner) written(off int64) int64 {
	if c.seg.reused {
		return c.own(off) - off
	}
	end := int64(len(c.buf))
	for end-8 >= off && binary.LittleEndian.Uint64(c.buf[end-8:]) == 0 {
		end -= 8
	}
	for end > off && c.buf[end-1] == 0 {
		end--
	}
	return max(end-off, 0)
}

// own returns where the last thing behind off ends that the salt tells to be of this segment, or off.
func (c *scanner) own(off int64) int64 {
	a, end := *c, off
	for a.off = off; ; {
		h, f := a.look()
		switch f {
		case foundFrame, foundBadBody:
			a.pass(&h)
			end = min(a.off, int64(len(a.buf)))
			continue
		case foundLimit:
			return end
		case foundIdle, foundEnd, foundClean:
			end = a.off + frameHeaderBytes
		}
		if !a.resync(math.MaxUint64) {
			return end
		}
	}
}

func allZero(b []byte) bool {
	for len(b) >= 8 {
		if binary.LittleEndian.Uint64(b) != 0 {
			return false
		}
		b = b[8:]
	}
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}
