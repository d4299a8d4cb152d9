package journal

import (
	"fmt"
	"io"
)

// Held is what a journal held at one moment: every frame up to Last. Its segments stay, whatever is released or closed meanwhile,
// until Close. It is not safe for concurrent use.
type Held struct {
	Last     Ordinal
	LastTime int64
	Segments []HeldSegment // by number

	j   *Journal
	buf []byte
}

// HeldSegment is one file of a Held.
type HeldSegment struct {
	Name  string // of the file
	Whole bool   // no frame follows in it: the file itself may be linked to. The last one never is
	Bytes int64  // that are in use

	seg *segment
}

// Hold returns what the journal holds now. Appends go on. What it holds is durable only after a Sync up to Last.
func (j *Journal) Hold() (*Held, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closing {
		return nil, ErrClosed
	}
	h := &Held{Last: j.visible, LastTime: j.lastTime, j: j}
	for _, s := range *j.segments.Load() {
		if s.hdr.first > h.Last+1 || !s.hold() {
			continue // not so: segments are removed from the list, under this lock, before the journal lets go of them
		}
		h.Segments = append(h.Segments, HeldSegment{Name: s.name, Whole: true, Bytes: s.end, seg: s})
	}
	n := len(h.Segments)
	if n == 0 {
		if j.full != nil {
			return nil, j.full
		}
		return nil, fmt.Errorf("hold: %w: there is no segment", ErrRange)
	}
	h.Segments[n-1].Whole = false
	return h, nil
}

// Copy writes a segment to w as it was when it was held: frames up to Last and nothing behind them. The last one ends as if the journal
// had been closed then.
func (h *Held) Copy(i int, w io.Writer) (int64, error) {
	e := &h.Segments[i]
	s := e.seg
	if h.buf == nil {
		h.buf = make([]byte, 256<<10)
	}
	n := int64(0)
	for n < e.Bytes {
		part := h.buf[:min(int64(len(h.buf)), e.Bytes-n)]
		if err := s.copyOut(part, n); err != nil {
			return n, s.corrupt(n, err)
		}
		k, err := w.Write(part)
		n += int64(k)
		if err != nil {
			return n, err
		}
	}
	if e.Whole {
		return n, nil
	}
	end := h.buf[:(n+frameHeaderBytes+headerPageBytes-1)&^(headerPageBytes-1)-n]
	clear(end)
	putFrameHeader(end, s.salt, h.Last, h.LastTime, 0, kindClean, h.Last, 0)
	k, err := w.Write(end)
	return n + int64(k), err
}

// Close lets the segments go.
func (h *Held) Close() error {
	for _, e := range h.Segments {
		e.seg.drop()
	}
	h.Segments = nil
	return nil
}
