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
	spanMemory  = 56 // bytes of one span
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
	chunks [][]span
	spans  int
}

// Chunks double from the first size to the last.
const (
	firstChunk = 2
	lastChunk  = 512
)

// add appends a span. It returns the memory it took.
func (h *hot) add(s span) int64 {
	n := len(h.chunks)
	took := int64(0)
	if n == 0 || len(h.chunks[n-1]) == cap(h.chunks[n-1]) {
		size := firstChunk
		if n > 0 {
			size = min(2*cap(h.chunks[n-1]), lastChunk)
		}
		h.chunks = append(h.chunks, make([]span, 0, size))
		n++
		took = int64(size) * spanMemory
	}
	h.chunks[n-1] = append(h.chunks[n-1], s)
	h.spans++
	return took
}

// last returns the newest span, or nil.
func (h *hot) last() *span {
	n := len(h.chunks)
	if n == 0 {
		return nil
	}
	c := h.chunks[n-1]
	return &c[len(c)-1]
}

// find returns the place of the first span for which past is true; past must be false and then true along the spans.
func (h *hot) find(past func(*span) bool) (chunk, index int) {
	chunk = sort.Search(len(h.chunks), func(i int) bool { c := h.chunks[i]; return past(&c[len(c)-1]) })
	if chunk == len(h.chunks) {
		return chunk, 0
	}
	c := h.chunks[chunk]
	return chunk, sort.Search(len(c)-1, func(i int) bool { return past(&c[i]) })
}

// at returns the span at a place, or nil past the end.
func (h *hot) at(chunk, index int) *span {
	if chunk >= len(h.chunks) {
		return nil
	}
	return &h.chunks[chunk][index]
}

// spansFrom appends to dst the spans from the one that holds seq, at most max of them.
func (h *hot) spansFrom(seq Seq, dst []span, max int) []span {
	c, i := h.find(func(s *span) bool { return s.end() > seq })
	for ; c < len(h.chunks) && max > 0; c, i = c+1, 0 {
		take := h.chunks[c][i:]
		take = take[:min(len(take), max)]
		max -= len(take)
		dst = append(dst, take...)
	}
	return dst
}

// below returns the spans that begin below seq, by chunks. They are not copied: what is in a chunk never changes, and only
// sealing, which asks for them, drops any.
func (h *hot) below(seq Seq) [][]span {
	c, i := h.find(func(s *span) bool { return s.first >= seq })
	chunks := make([][]span, 0, c+1)
	chunks = append(chunks, h.chunks[:c]...)
	if c < len(h.chunks) && i > 0 {
		chunks = append(chunks, h.chunks[c][:i:i])
	}
	return chunks
}

// nextAt returns the sequence after the last event of a frame up to o, and that frame's time; ok is false when there is none.
func (h *hot) nextAt(o Ordinal) (next Seq, time int64, ok bool) {
	if l := h.last(); l != nil && l.ordinal <= o {
		return l.end(), l.time, true
	}
	c, i := h.find(func(s *span) bool { return s.ordinal > o })
	if i == 0 {
		if c == 0 {
			return 0, 0, false
		}
		c--
		i = len(h.chunks[c])
	}
	s := &h.chunks[c][i-1]
	return s.end(), s.time, true
}

// drop removes the spans below seq, which must begin a span or be past the last, and returns the memory it gave back.
func (h *hot) drop(seq Seq) int64 {
	freed := int64(0)
	for len(h.chunks) > 0 {
		c := h.chunks[0]
		if c[len(c)-1].first >= seq {
			i := sort.Search(len(c), func(i int) bool { return c[i].first >= seq })
			h.chunks[0] = c[i:]
			h.spans -= i
			freed += int64(i) * spanMemory
			return freed
		}
		h.spans -= len(c)
		freed += int64(cap(c)) * spanMemory
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
