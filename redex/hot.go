package redex

import (
	"sort"

	"github.com/seed69692123/netdb/redex/journal"
)

// A span covers at most spanEntries consecutive entries of one part, or fewer when they are longer than spanBytes together.
// Reading one event reads one span, so these bound what a point read copies.
const (
	spanEntries = 32
	spanBytes   = 16 << 10
	spanMemory  = 32 // bytes of one in the index
	chunkMemory = 48 // bytes of a chunk of them, beside
)

// span says where consecutive entries of one frame are.
type span struct {
	first   Seq
	ordinal Ordinal
	time    int64
	loc     journal.Loc
	off     uint32 // of the first entry, in the frame's body
	size    uint32 // of the entries, in bytes
	count   uint32
	damage  uint32 // when not 0, the entries are lost, and this is the number of the damage in Store.damages, from 1
}

// end returns the sequence after the span's last.
func (s *span) end() Seq { return s.first + Seq(s.count) }

// hot is the index of a log's events that are only in the journal: spans in ascending, dense order, in chunks that are never
// moved, so that adding one costs the same however many there are. The log's lock guards it.
type hot struct {
	chunks []hotChunk
	spans  int
}

// hotChunk is consecutive spans, packed. What is in it never changes; only the end of the last one of a log grows.
type hotChunk struct {
	first   Seq     // of the first span it was made with, and so are ordinal and time
	ordinal Ordinal // subtracted from those of each
	time    int64
	spans   []packedSpan
}

// packedSpan is a span less what its chunk says. Most events have one of their own, so its size is what a hot event costs.
type packedSpan struct {
	loc    journal.Loc
	first  uint32
	order  uint32
	time   uint32
	off    uint32
	size   uint32 // of a damaged span, which is not read: its count
	packed uint32 // count in the lower 8 bits, damage in the others
}

// Chunks double from the first size to the last.
const (
	firstChunk = 2
	lastChunk  = 512
)

// add appends a span. It returns the memory it took.
func (h *hot) add(s *span) int64 {
	took := int64(0)
	if n := len(h.chunks); n == 0 || !h.chunks[n-1].add(s) {
		took = h.grow(s)
		h.chunks[n].add(s)
	}
	h.spans++
	return took
}

// grow adds a chunk that begins with s.
func (h *hot) grow(s *span) int64 {
	size := firstChunk
	if n := len(h.chunks); n > 0 && len(h.chunks[n-1].spans) == cap(h.chunks[n-1].spans) { // not one that ends for its numbers: events are rare
		size = min(2*cap(h.chunks[n-1].spans), lastChunk)
	}
	h.chunks = append(h.chunks, hotChunk{s.first, s.ordinal, s.time, make([]packedSpan, 0, size)})
	return int64(size)*spanMemory + chunkMemory
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
	if s.damage != 0 {
		p.size, p.packed = s.count, s.damage<<8
	}
	return true
}

// at returns the span at an index.
func (c *hotChunk) at(i int) span {
	p := &c.spans[i]
	s := span{
		first: c.first + Seq(p.first), ordinal: c.ordinal + Ordinal(p.order), time: c.time + int64(p.time),
		loc: p.loc, off: p.off, size: p.size, count: p.packed & 0xff, damage: p.packed >> 8,
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

// below returns the spans that begin below seq, by chunks. They are not copied: what is in a chunk never changes, and only
// sealing, which asks for them, drops any.
func (h *hot) below(seq Seq) []hotChunk {
	c, i := h.find(func(s span) bool { return s.first >= seq })
	chunks := make([]hotChunk, 0, c+1)
	chunks = append(chunks, h.chunks[:c]...)
	if c < len(h.chunks) && i > 0 {
		part := h.chunks[c]
		part.spans = part.spans[:i:i]
		chunks = append(chunks, part)
	}
	return chunks
}

// seekTime returns the first span of time t or later.
func (h *hot) seekTime(t int64) (span, bool) {
	c, i := h.find(func(s span) bool { return s.time >= t })
	if c == len(h.chunks) {
		return span{}, false
	}
	return h.chunks[c].at(i), true
}

// nextAt returns the sequence after the last event of a frame up to o, and that frame's time; ok is false when there is none.
func (h *hot) nextAt(o Ordinal) (next Seq, time int64, ok bool) {
	if len(h.chunks) == 0 {
		return 0, 0, false
	}
	if l := h.chunks[len(h.chunks)-1].last(); l.ordinal <= o {
		return l.end(), l.time, true
	}
	c, i := h.find(func(s span) bool { return s.ordinal > o })
	if i == 0 {
		if c == 0 {
			return 0, 0, false
		}
		c--
		i = len(h.chunks[c].spans)
	}
	s := h.chunks[c].at(i - 1)
	return s.end(), s.time, true
}

// drop removes the spans below seq, which must begin a span or be past the last, and returns the memory it gave back.
func (h *hot) drop(seq Seq) int64 {
	freed := int64(0)
	for len(h.chunks) > 0 {
		c := &h.chunks[0]
		if c.last().first >= seq {
			i := sort.Search(len(c.spans), func(i int) bool { return c.at(i).first >= seq })
			c.spans = c.spans[i:]
			h.spans -= i
			freed += int64(i) * spanMemory
			return freed
		}
		h.spans -= len(c.spans)
		freed += int64(cap(c.spans))*spanMemory + chunkMemory
		h.chunks = h.chunks[1:]
	}
	h.chunks = nil
	return freed
}

// joinSpans returns the first span together with those after it that lie next to it in its frame and begin below to, as one,
// and their number.
func joinSpans(spans []span, to Seq) (sp span, n int) {
	sp, n = spans[0], 1
	for ; n < len(spans) && sp.damage == 0; n++ {
		next := &spans[n]
		if next.loc != sp.loc || next.off != sp.off+sp.size || int(sp.size+next.size) > feedBytes || next.first >= to {
			break
		}
		sp.size += next.size
		sp.count += next.count
	}
	return sp, n
}
