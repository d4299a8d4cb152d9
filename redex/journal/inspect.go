package journal

import (
	"errors"
	"fmt"
	"math"
)

// Inspected is one thing in a segment file.
type Inspected struct {
	Offset  int64
	Bytes   int64   // that it takes; of a frame with its header
	What    string  // "header", "frame", "large frame", "end frame", "idle mark", "end mark", "damage", "zeros", "earlier use"
	Ordinal Ordinal // of the header: that of the first frame
	Time    int64
	Durable Ordinal // the highest ordinal that it says is durable
	Body    []byte  // of a frame whose checksum is right
	Err     error   // what is wrong with it

	// Of a header.
	Segment uint32
	Epoch   Epoch
	ID      ID
	Prev    uint32 // the segment before it, 0 if there is none, and where that one ends
	PrevEnd int64
}

// Inspect goes through the bytes of a segment file and tells everything in them to each, in order, also what no recovery would believe: what
// lies behind a damaged place, or behind the end. It needs no other file, and takes any bytes. An error of each ends it.
func Inspect(b []byte, each func(*Inspected) error) error {
	if len(b) > maxSegmentBytes {
		return fmt.Errorf("inspect: %w: %d bytes are no segment", ErrFormat, len(b))
	}
	h, err := decodeHeader(b[:min(len(b), headerPageBytes)])
	in := Inspected{What: "header", Bytes: min(headerPageBytes, int64(len(b))), Err: err}
	if err != nil {
		// Without the salt in the header no checksum behind it can be looked at.
		in.Err = fmt.Errorf("%w: nothing behind it can be told apart", err)
		return each(&in)
	}
	in.Segment, in.Epoch, in.ID, in.Prev, in.PrevEnd = h.number, h.epoch, h.id, h.prev, h.prevEnd
	in.Ordinal, in.Time, in.Durable = h.first, h.lastTime, h.durable
	if err := each(&in); err != nil {
		return err
	}
	c := scanner{seg: &segment{hdr: h, salt: uint32(h.salt), size: int64(len(b))}, buf: b, off: headerPageBytes, next: h.first, time: h.lastTime}
	reused := decodeReuseMark(b, h.number)
	for {
		fh, f := c.look()
		in := Inspected{Offset: c.off, Bytes: frameHeaderBytes, Ordinal: fh.ordinal, Time: fh.time, Durable: fh.durable}
		switch f {
		case foundLimit:
			return nil
		case foundFrame, foundBadBody:
			in.What, in.Bytes = "frame", fh.bytes()
			if fh.kind == kindLarge {
				in.What = "large frame"
			}
			if f == foundFrame {
				at := c.off + fh.bodyAt()
				in.Body = b[at : at+fh.size : at+fh.size]
			} else {
				in.Err = fh.checkBody(b[c.off:], c.seg.salt)
				if in.Err == nil {
					in.Err = errChecksum
				}
			}
			c.pass(&fh)
		case foundEnd, foundIdle, foundClean:
			in.What = map[found]string{foundEnd: "end frame", foundIdle: "idle mark", foundClean: "end mark"}[f]
			c.off += frameHeaderBytes
		default:
			in.What = "zeros"
			from := c.off
			moved := c.resync(math.MaxUint64)
			end := int64(len(b))
			if moved {
				end = c.off
			}
			switch {
			case f == foundNothing && allZero(b[from:end]):
			case reused && !moved:
				in.What = "earlier use" // and zeros before it
			default:
				in.What, in.Err = "damage", errors.New("no frame that could follow")
			}
			in.Ordinal, in.Bytes = 0, end-from
			if err := each(&in); err != nil || !moved {
				return err
			}
			if mark, ok := decodeFrameHeader(b[c.off:], c.seg.salt); ok && mark.kind != kindFrame && mark.kind != kindLarge {
				c.next = mark.ordinal + 1 // a mark has the ordinal of the frame before it
			}
			continue
		}
		if err := each(&in); err != nil {
			return err
		}
	}
}
