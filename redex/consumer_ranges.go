package redex

import (
	"cmp"
	"slices"
	"sort"
)

// seqRange is the sequences of [from, to).
type seqRange struct {
	from, to Seq
}

// seqRanges is a set of sequences: ranges in ascending order, none empty, no two touching.
type seqRanges []seqRange

// has reports whether the set has seq.
func (rs seqRanges) has(seq Seq) bool {
	r, ok := rs.at(seq)
	return ok && r.from <= seq
}

// at returns the first range that ends above seq.
func (rs seqRanges) at(seq Seq) (seqRange, bool) {
	i := sort.Search(len(rs), func(i int) bool { return rs[i].to > seq })
	if i == len(rs) {
		return seqRange{}, false
	}
	return rs[i], true
}

// len returns how many sequences are in the set.
func (rs seqRanges) len() (n int64) {
	for _, r := range rs {
		n += int64(r.to - r.from)
	}
	return n
}

// note appends sequences to what is not a set yet: normal makes it one. What follows the last range only makes that longer.
func (rs seqRanges) note(from, to Seq) seqRanges {
	if n := len(rs); n > 0 && rs[n-1].to == from {
		rs[n-1].to = to
		return rs
	}
	return append(rs, seqRange{from, to})
}

// normal makes a list of ranges a set, in place.
func (rs seqRanges) normal() seqRanges {
	slices.SortFunc(rs, func(a, b seqRange) int { return cmp.Compare(a.from, b.from) })
	out := rs[:0]
	for _, r := range rs {
		switch n := len(out); {
		case r.from >= r.to:
		case n > 0 && r.from <= out[n-1].to:
			out[n-1].to = max(out[n-1].to, r.to)
		default:
			out = append(out, r)
		}
	}
	return out
}

// union returns the set of what is in either. It may use the memory of rs.
func (rs seqRanges) union(more seqRanges) seqRanges {
	if len(rs) == 0 {
		return slices.Clone(more)
	}
	if len(more) > len(rs)/64+8 {
		return append(rs, more...).normal()
	}
	for _, r := range more { // each moves what is behind it only if it touches nothing
		rs = rs.insert(r)
	}
	return rs
}

// insert adds one range.
func (rs seqRanges) insert(r seqRange) seqRanges {
	i := sort.Search(len(rs), func(i int) bool { return rs[i].to >= r.from })
	k := i
	for ; k < len(rs) && rs[k].from <= r.to; k++ {
		r.from, r.to = min(r.from, rs[k].from), max(r.to, rs[k].to)
	}
	return slices.Replace(rs, i, k, r)
}

// fromSeq returns the set without what is below seq. It may use the memory of rs.
func (rs seqRanges) fromSeq(seq Seq) seqRanges {
	i := sort.Search(len(rs), func(i int) bool { return rs[i].to > seq })
	rs = rs[i:]
	if len(rs) > 0 {
		rs[0].from = max(rs[0].from, seq)
	}
	return rs
}

// below returns the set without what is not below seq. It may use the memory of rs.
func (rs seqRanges) below(seq Seq) seqRanges {
	i := sort.Search(len(rs), func(i int) bool { return rs[i].from >= seq })
	rs = rs[:i]
	if i > 0 {
		rs[i-1].to = min(rs[i-1].to, seq)
	}
	return rs
}
