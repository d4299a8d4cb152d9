package fold

import (
	"sort"

	"github.com/seed69692123/netdb/redex"
)

// maxSkipRanges bounds the memory that remembers which events of a log were skipped: 16 MiB.
const maxSkipRanges = 1 << 20

// skipRange is sequences [from, to).
type skipRange struct{ from, to redex.Seq }

// skipSet knows exactly which events of a log were skipped, at and above forgotten. The driver only appends to ranges, so
// copies of a skipSet stay valid while it goes on.
type skipSet struct {
	ranges    []skipRange // ascending, may touch
	forgotten redex.Seq
	shared    int // ranges below it may be in a copy and do not change
}

func (s *skipSet) add(seq redex.Seq) {
	if n := len(s.ranges); n > s.shared && s.ranges[n-1].to == seq {
		s.ranges[n-1].to++
		return
	}
	if len(s.ranges) >= maxSkipRanges {
		s.shrink()
	}
	s.ranges = append(s.ranges, skipRange{seq, seq + 1})
}

// shrink joins ranges that touch, and forgets the older half when that is not enough.
func (s *skipSet) shrink() {
	joined := make([]skipRange, 0, len(s.ranges))
	for _, r := range s.ranges {
		if n := len(joined); n > 0 && joined[n-1].to == r.from {
			joined[n-1].to = r.to
		} else {
			joined = append(joined, r)
		}
	}
	if len(joined) > maxSkipRanges/2 {
		cut := len(joined) - maxSkipRanges/2
		s.forgotten = joined[cut-1].to
		joined = append([]skipRange(nil), joined[cut:]...)
	}
	s.ranges, s.shared = joined, 0
}

// share returns a copy that later adds do not change.
func (s *skipSet) share() skipSet {
	s.shared = len(s.ranges)
	return skipSet{ranges: s.ranges[:len(s.ranges):len(s.ranges)], forgotten: s.forgotten}
}

func (s *skipSet) has(seq redex.Seq) bool {
	i := sort.Search(len(s.ranges), func(i int) bool { return s.ranges[i].to > seq })
	return i < len(s.ranges) && s.ranges[i].from <= seq
}
