package exec

import (
	"math"
	"math/bits"
	"slices"

	"github.com/seed69692123/netdb/planner/vector"
)

// numberList is numbers as bits that compare as the numbers do, in pieces that do not move. Merged lists share pieces.
type numberList struct {
	pieces [][]uint64
	n      int
}

// listMemory is what the lists of an accumulator take.
type listMemory struct {
	g       *storeGate
	held    int64
	counted int64 // held when it was last counted
}

// ask reports whether n bytes more may be held, beside what was not counted yet.
func (m *listMemory) ask(n int) error {
	m.held += int64(n)
	if m.held-m.counted >= vector.LargeBytes {
		if err := m.g.acct.ask(m.held - m.counted); err != nil {
			return m.g.refuse(err)
		}
	}
	return m.g.Step(n)
}

func (m *listMemory) bytes() int64 {
	m.counted = m.held
	return m.held
}

const (
	pieceNumbers  = 1 << 12
	sliceBytes    = 24
	sortedNumbers = 32 // so few are sorted to find one of them
	digitBits     = 11
)

func (l *numberList) add(m *listMemory, x uint64) error {
	k := len(l.pieces) - 1
	if k < 0 || len(l.pieces[k]) == cap(l.pieces[k]) {
		// Each piece is as long as all before it, up to a limit.
		size := min(max(l.n, 4), pieceNumbers)
		if err := m.ask(size*8 + sliceBytes); err != nil {
			return err
		}
		l.pieces = append(l.pieces, make([]uint64, 0, size))
		k++
	}
	l.pieces[k] = append(l.pieces[k], x)
	l.n++
	return nil
}

// share adds the numbers of another list without copying them.
func (l *numberList) share(m *listMemory, o *numberList) error {
	for _, p := range o.pieces {
		l.pieces = append(l.pieces, p[:len(p):len(p)]) // what follows goes into a piece of its own
		m.held += int64(len(p)*8 + sliceBytes)
		if err := m.g.Step(rowStep); err != nil {
			return err
		}
	}
	l.n += o.n
	return nil
}

// intBits and floatBits make bits that compare as unsigned integers as the numbers do. -0 becomes 0; NaN is the greatest.
func intBits(x int64) uint64 { return uint64(x) ^ 1<<63 }

func bitsInt(b uint64) int64 { return int64(b ^ 1<<63) }

func floatBits(f float64) uint64 {
	if f != f {
		return math.MaxUint64
	}
	u := math.Float64bits(f + 0)
	if u>>63 != 0 {
		return ^u
	}
	return u | 1<<63
}

func bitsFloat(b uint64) float64 {
	switch {
	case b == math.MaxUint64:
		return math.NaN()
	case b>>63 != 0:
		return math.Float64frombits(b &^ (1 << 63))
	}
	return math.Float64frombits(^b)
}

// floorFloat returns the greatest float that is not above an integer, and what is left.
func floorFloat(x int64) (f float64, rest int64) {
	f = float64(x)
	if f == 0x1p63 || int64(f) > x {
		f = math.Nextafter(f, math.Inf(-1))
	}
	return f, x - int64(f)
}

// numbers are the integers and the doubles of a group, apart so that both stay exact.
type numbers struct{ ints, floats numberList }

func (n *numbers) len() int { return n.ints.n + n.floats.n }

// selection finds numbers by their rank without sorting them all: each round counts by the digits in which those that are left
// differ, and keeps one of the digits. (A most-significant-digit radix selection; lists are only read.)
type selection struct {
	g      *storeGate
	count  [1 << digitBits]int32
	few    []uint64 // those that are left, once they are few
	floors []uint64
}

// source is numbers as the selection sees them: integers among doubles are read as the greatest floats not above them.
type source struct {
	pieces [][]uint64
	floors bool
}

// each calls f with the keys of the sources, a piece at a time.
func (s *selection) each(from []source, f func(keys []uint64)) error {
	for _, src := range from {
		for _, p := range src.pieces {
			if src.floors {
				s.floors = s.floors[:0]
				for _, x := range p {
					lo, _ := floorFloat(bitsInt(x))
					s.floors = append(s.floors, floatBits(lo))
				}
				p = s.floors
			}
			f(p)
			if err := s.g.Step(len(p) * 8); err != nil {
				return err
			}
		}
	}
	return nil
}

// find returns the key of rank r of n, counted from 0, and the one after it, which is the same at the end.
func (s *selection) find(from []source, n, r int) (at, next uint64, err error) {
	all := from
	lo, hi := uint64(math.MaxUint64), uint64(0)
	if err := s.each(from, func(keys []uint64) {
		for _, k := range keys {
			lo, hi = min(lo, k), max(hi, k)
		}
	}); err != nil {
		return 0, 0, err
	}
	top := hi
	// The keys in [lo, hi] are n, and the one that is looked for has rank r of them.
	for n > sortedNumbers && lo != hi {
		shift := max(0, 64-bits.LeadingZeros64(lo^hi)-digitBits)
		if err := s.digits(from, lo, hi, shift); err != nil {
			return 0, 0, err
		}
		d := 0
		for ; r >= int(s.count[d]); d++ {
			r -= int(s.count[d])
		}
		n = int(s.count[d])
		first := lo>>shift>>digitBits<<digitBits<<shift | uint64(d)<<shift
		lo, hi = first, first|(1<<shift-1)
		if n <= pieceNumbers {
			if from, err = s.collect(from, lo, hi); err != nil {
				return 0, 0, err
			}
		}
	}
	at, next = lo, lo
	if lo != hi {
		if _, err = s.collect(from, lo, hi); err != nil {
			return 0, 0, err
		}
		slices.Sort(s.few)
		at, next = s.few[r], s.few[min(r+1, len(s.few)-1)]
	}
	if r+1 >= n {
		next, err = s.after(all, hi, top)
	}
	return at, next, err
}

// digits counts the keys in [lo, hi] by the digit at shift.
func (s *selection) digits(from []source, lo, hi uint64, shift int) error {
	clear(s.count[:])
	return s.each(from, func(keys []uint64) {
		for _, k := range keys {
			if k >= lo && k <= hi {
				s.count[k>>shift&(1<<digitBits-1)]++
			}
		}
	})
}

// collect copies the keys in [lo, hi], which are at most pieceNumbers; those that were collected before may be the source.
func (s *selection) collect(from []source, lo, hi uint64) ([]source, error) {
	if s.few == nil {
		s.few = make([]uint64, 0, pieceNumbers)
	}
	few := s.few[:0]
	err := s.each(from, func(keys []uint64) {
		for _, k := range keys {
			if k >= lo && k <= hi {
				few = append(few, k)
			}
		}
	})
	s.few = few
	return []source{{pieces: [][]uint64{few}}}, err
}

// after returns the least key above hi; top, the greatest key, if there is none.
func (s *selection) after(from []source, hi, top uint64) (uint64, error) {
	next := top
	err := s.each(from, func(keys []uint64) {
		for _, k := range keys {
			if k > hi && k < next {
				next = k
			}
		}
	})
	return next, err
}
