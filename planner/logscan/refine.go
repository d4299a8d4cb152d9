package logscan

import (
	"sync"

	"github.com/seed69692123/netdb/internal/payload"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex"
	"github.com/seed69692123/netdb/redex/sealed"
)

// refineBlocks is in how many blocks of a chunk rows are looked for before they are scanned: those of a point, or a short range that lies
// across two, of a field that ascends with the log. A scan that finds the rows reads no others.
const refineBlocks = 2

// refiner decodes blocks of columns that conditions are on.
type refiner struct {
	cur sealed.ColumnCursor
	blk sealed.ColumnBlock
}

var refiners = sync.Pool{New: func() any { return new(refiner) }}

// refine shrinks spans of a chunk that has a row for each sequence to between the first and the last row that may satisfy the conditions,
// block by block. It leaves spans of many blocks as they are.
func (k *chunk) refine(spans []span, where []*condition) ([]span, error) {
	blocks := 0
	for _, s := range spans {
		blocks += blockOf(k, s.to-1) - blockOf(k, s.from) + 1
	}
	if blocks > refineBlocks {
		return spans, nil
	}
	r := refiners.Get().(*refiner)
	defer refiners.Put(r)
	var out []span
	for _, s := range spans {
		for s.from < s.to {
			first := k.from + redex.Seq(blockOf(k, s.from))*sealed.ColumnBlockRows
			in := span{s.from, min(s.to, first+sealed.ColumnBlockRows)}
			s.from = in.to
			for _, c := range where {
				var err error
				if in, err = r.within(k, c, in, first); err != nil {
					return nil, err
				}
			}
			out = addSpan(out, in.from, in.to)
		}
	}
	return out, nil
}

func blockOf(k *chunk, seq redex.Seq) int { return int(seq-k.from) / sealed.ColumnBlockRows }

// within shrinks rows of the block that begins at first to between the first and the last that may satisfy a condition.
func (r *refiner) within(k *chunk, c *condition, in span, first redex.Seq) (span, error) {
	col := k.Column(c.name)
	block := blockOf(k, first)
	if _, _, ok := col.Zone(block); !ok || in.from >= in.to {
		return in, nil
	}
	r.cur.Reset(col)
	if err := r.cur.Decode(block, &r.blk); err != nil {
		return in, err
	}
	b := &r.blk
	if b.Class != payload.Int && b.Class != payload.Time || len(b.Exceptions) > 0 || len(b.Floating) > 0 {
		return in, nil
	}
	may := func(i int) bool {
		if len(b.Absent) > 0 && b.Absent[i/64]>>(i%64)&1 != 0 {
			return false
		}
		v := int64(b.Bits[i])
		return c.holdsBetween(v, v)
	}
	lo, hi := int(in.from-first), int(in.to-first)
	if c.op == vector.Eq && c.value.Kind() != query.KindDouble {
		for v := uint64(c.value.Int()); lo < hi && b.Bits[lo] != v; { // most rows
			lo++
		}
		for v := uint64(c.value.Int()); lo < hi && b.Bits[hi-1] != v; {
			hi--
		}
	}
	for lo < hi && !may(lo) {
		lo++
	}
	for lo < hi && !may(hi-1) {
		hi--
	}
	return span{first + redex.Seq(lo), first + redex.Seq(hi)}, nil
}
