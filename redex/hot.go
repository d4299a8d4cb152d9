package redex

import (
	"sort"

	"github.com/seed69692123/netdb/redex/journal"
)

// A span covers consecutive entries: at most spanEntries or spanBytes of one frame, or at most spanFrames or spanFramesBytes of
// frames that hold one entry each and follow each other in the journal. Reading one event reads one span, so these bound what a
// point read copies.
const (
	spanEntries     = 32
	spanBytes       = 16 << 10
	spanFrames      = 64
	spanFramesBytes = maxRowValue // so that an event in it is short enough for the catalog
	spanMemory      = 32          // bytes of one in the index
	chunkMemory     = 56          // bytes of a chunk of them, beside
)

// span says where consecutive entries are.
type span struct {
	first   Seq
	ordinal Ordinal // of its frame; with frames, of the first
	time    int64   // of that frame
	loc     journal.Loc
	off     uint32 // of the first entry, in the frame's body; with frames, in each
	size    uint32 // of the entries, in bytes; with frames, of the frames
	count   uint32
	frames  bool   // each entry is the only one of its frame, and their ordinals follow each other too
	damage  uint32 // when not 0, the entries are lost, and this is the number of the damage in Store.damages, from 1
}

// end returns the sequence after the span's last.
func (s *span) end() Seq { return s.first + Seq(s.count) }

// entryBytes returns how many bytes the entries take, with what stands before each; 0 when they are lost.
func (s *span) entryBytes() int64 {
	if s.frames {
		return int64(s.size) - int64(s.count)*int64(journal.FrameBytes(partHeaderSize))
	}
	return int64(s.size)
}

// upTo returns the sequence after the span's last that is in a frame up to o, which is not below the span's.
func (s *span) upTo(o Ordinal) Seq {
	if n := o - s.ordinal + 1; s.frames && n < Ordinal(s.count) {
		return s.first + Seq(n)
	}
	return s.end()
}

// hot is the index of a log's events that are only in the journal: spans in ascending, dense order, in chunks that are never
// moved, so that adding one costs the same however many there are. The log's lock guards it.
type hot struct {
	chunks []hotChunk
	time   int64 // of the newest event
	bytes  int64 // of the entries
}

// hotChunk is consecutive spans, packed. What is in it never changes, but for the last span of a log, which may grow.
type hotChunk struct {
	first   Seq     // of the first span it was made with, and so are ordinal and time
	ordinal Ordinal // subtracted from those of each
	time    int64
	bytes   int64 // of the entries
	spans   []packedSpan
}

// packedSpan is a span less what its chunk says.
type packedSpan struct {
	loc    journal.Loc
	first  uint32
	order  uint32
	time   uint32
	off    uint32
	size   uint32 // of a damaged span, which is not read: its count
	packed uint32 // count in the lower 7 bits, packedFrames, damage from packedDamage on
}

const (
	packedCount  = 1<<7 - 1
	packedFrames = 1 << 7
	packedDamage = 8
)

// Chunks double from the first size to the last.
const (
	firstChunk = 2
	lastChunk  = 512
)

// add appends a span. It returns the memory it took.
func (h *hot) add(s *span) int64 {
	h.time = s.time
	size := s.entryBytes()
	h.bytes += size
	took := int64(0)
	n := len(h.chunks)
	if n > 0 {
		c := &h.chunks[n-1]
		if s.frames && c.extend(s) || c.add(s) {
			c.bytes += size
			return 0
		}
	}
	took = h.grow(s)
	h.chunks[n].add(s)
	h.chunks[n].bytes = size
	return took
}

// grow adds a chunk that begins with s.
func (h *hot) grow(s *span) int64 {
	size := firstChunk
	if n := len(h.chunks); n > 0 && len(h.chunks[n-1].spans) == cap(h.chunks[n-1].spans) { // not one that ends for its numbers: events are rare
		size = min(2*cap(h.chunks[n-1].spans), lastChunk)
	}
	h.chunks = append(h.chunks, hotChunk{first: s.first, ordinal: s.ordinal, time: s.time, spans: make([]packedSpan, 0, size)})
	return int64(size)*spanMemory + chunkMemory
}

// extend adds a frame with one entry to the last span, if it follows that.
func (c *hotChunk) extend(s *span) bool {
	if len(c.spans) == 0 {
		return false
	}
	p := &c.spans[len(c.spans)-1]
	n := p.packed & packedCount
	if p.packed>>packedDamage != 0 || p.packed&packedFrames == 0 || n == spanFrames || p.size+s.size > spanFramesBytes {
		return false
	}
	if p.loc.Next(int(p.size)) != s.loc || c.ordinal+Ordinal(p.order+n) != s.ordinal || c.first+Seq(p.first+n) != s.first {
		return false
	}
	p.size += s.size
	p.packed += s.count
	return true
}

// add appends a span, if the chunk has room for it and can say its numbers.
func (c *hotChunk) add(s *span) bool {
	n := len(c.spans)
	first, order, time := uint64(s.first-c.first), uint64(s.ordinal-c.ordinal), uint64(s.time-c.time)
	if n == cap(c.spans) || (first|order|time)>>32 != 0 {
		return false
	}
	c.spans = c.spans[:n+1]
	p := &c.spans[n]
	p.loc, p.first, p.order, p.time = s.loc, uint32(first), uint32(order), uint32(time)
	p.off, p.size, p.packed = s.off, s.size, s.count
	switch {
	case s.damage != 0:
		p.size, p.packed = s.count, s.damage<<packedDamage
	case s.frames:
		p.packed |= packedFrames
	}
	return true
}

// at returns the span at an index.
func (c *hotChunk) at(i int) span {
	p := &c.spans[i]
	s := span{
		first: c.first + Seq(p.first), ordinal: c.ordinal + Ordinal(p.order), time: c.time + int64(p.time),
		loc: p.loc, off: p.off, size: p.size, count: p.packed & packedCount, frames: p.packed&packedFrames != 0, damage: p.packed >> packedDamage,
	}
	if s.damage != 0 {
		s.size, s.count = 0, p.size
	}
	return s
}

func (c *hotChunk) last() span { return c.at(len(c.spans) - 1) }

// unpack appends the chunk's spans to dst.
func (c *hotChunk) unpack(dst []span) []span {
	for i := range c.spans {
		dst = append(dst, c.at(i))
	}
	return dst
}

// find returns the place of the first span for which past is true; past must be false and then true along the spans.
func (h *hot) find(past func(span) bool) (chunk, index int) {
	chunk = sort.Search(len(h.chunks), func(i int) bool { return past(h.chunks[i].last()) })
	if chunk == len(h.chunks) {
		return chunk, 0
	}
	c := &h.chunks[chunk]
	return chunk, sort.Search(len(c.spans)-1, func(i int) bool { return past(c.at(i)) })
}

// before returns the span before the one at a place.
func (h *hot) before(chunk, index int) (span, bool) {
	switch {
	case index > 0:
		return h.chunks[chunk].at(index - 1), true
	case chunk > 0:
		return h.chunks[chunk-1].last(), true
	}
	return span{}, false
}

// spansFrom appends to dst the spans from the one that holds seq, at most max of them.
func (h *hot) spansFrom(seq Seq, dst []span, max int) []span {
	c, i := h.find(func(s span) bool { return s.end() > seq })
	for ; c < len(h.chunks); c, i = c+1, 0 {
		for ; i < len(h.chunks[c].spans); i++ {
			if max == 0 {
				return dst
			}
			max--
			dst = append(dst, h.chunks[c].at(i))
		}
	}
	return dst
}

// below returns the spans up to seq, by chunks; the first may begin before what is not sealed, and the last one ends at seq. They
// are not copied but for the last, which may grow: the others never change, and only sealing, which asks for them, drops any.
func (h *hot) below(seq Seq) []hotChunk {
	c, i := h.find(func(s span) bool { return s.first >= seq })
	chunks := make([]hotChunk, 0, c+2)
	chunks = append(chunks, h.chunks[:c]...)
	if c < len(h.chunks) && i > 0 {
		part := h.chunks[c]
		part.spans = part.spans[:i:i]
		chunks = append(chunks, part)
	}
	if len(chunks) == 0 {
		return nil
	}
	end := &chunks[len(chunks)-1]
	n := len(end.spans) - 1
	grows := *end
	last := end.last()
	grows.spans = []packedSpan{end.spans[n]}
	if last.frames && last.end() > seq {
		grows.spans[0].packed -= uint32(last.end() - seq)
	}
	end.spans = end.spans[:n:n]
	return append(chunks, grows)
}

// seekTime returns the first span that begins at time t or later, if there is one, and the one before it.
func (h *hot) seekTime(t int64) (at, before span, found, isBefore bool) {
	c, i := h.find(func(s span) bool { return s.time >= t })
	before, isBefore = h.before(c, i)
	if c == len(h.chunks) {
		return span{}, before, false, isBefore
	}
	return h.chunks[c].at(i), before, true, isBefore
}

// nextAt returns the sequence after the last event of a frame up to o; ok is false when there is none.
func (h *hot) nextAt(o Ordinal) (next Seq, ok bool) {
	if len(h.chunks) == 0 {
		return 0, false
	}
	if l := h.chunks[len(h.chunks)-1].last(); l.ordinal <= o {
		return l.upTo(o), true
	}
	s, ok := h.before(h.find(func(s span) bool { return s.ordinal > o }))
	return s.upTo(o), ok
}

// drop removes the spans that end at seq or before, and returns the memory it gave back. The span that holds seq stays whole.
func (h *hot) drop(seq Seq) int64 {
	freed := int64(0)
	for len(h.chunks) > 0 {
		c := &h.chunks[0]
		if l := c.last(); l.end() > seq {
			i := sort.Search(len(c.spans), func(i int) bool { s := c.at(i); return s.end() > seq })
			for k := range i {
				s := c.at(k)
				c.bytes -= s.entryBytes()
				h.bytes -= s.entryBytes()
			}
			c.spans = c.spans[i:]
			freed += int64(i) * spanMemory
			return freed
		}
		freed += int64(cap(c.spans))*spanMemory + chunkMemory
		h.bytes -= c.bytes
		h.chunks = h.chunks[1:]
	}
	h.chunks = nil
	return freed
}

// joinSpans returns the first span together with those after it that lie next to it in its frame and begin below to, as one,
// and their number.
func joinSpans(spans []span, to Seq) (sp span, n int) {
	sp, n = spans[0], 1
	for ; n < len(spans) && sp.damage == 0 && !sp.frames; n++ {
		next := &spans[n]
		if next.loc != sp.loc || next.off != sp.off+sp.size || int(sp.size+next.size) > feedBytes || next.first >= to {
			break
		}
		sp.size += next.size
		sp.count += next.count
	}
	return sp, n
}

// afterBytes returns the sequence after the first spans whose entries take at least so many bytes.
func (h *hot) afterBytes(bytes int64) Seq {
	seq := Seq(0)
	for i := range h.chunks {
		c := &h.chunks[i]
		if bytes > c.bytes {
			bytes -= c.bytes
			l := c.last()
			seq = l.end()
			continue
		}
		for k := range c.spans {
			if bytes <= 0 {
				return seq
			}
			s := c.at(k)
			bytes -= s.entryBytes()
			seq = s.end()
		}
		return seq
	}
	return seq
}
