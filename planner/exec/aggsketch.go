package exec

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/seed69692123/netdb/planner/vector"
)

// registers is a HyperLogLog sketch: of the hashes whose upper bits are i, register i keeps the greatest number of zeros that
// the other bits begin with, plus one. (P. Flajolet, É. Fusy, O. Gandouet, F. Meunier, "HyperLogLog: the analysis of a
// near-optimal cardinality estimation algorithm", 2007.) While few registers are set they lie in a small hash table; the
// estimate is the same in both forms.
type registers struct {
	sparse []uint32 // (i+1) << rankBits | rank, 0 for free; its length is a power of two
	n      int      // of sparse
	dense  []uint8
}

const (
	sketchBits  = 14
	sketchSize  = 1 << sketchBits // registers, of a byte each
	rankBits    = 6
	maxRank     = 64 - sketchBits + 1
	sparseLimit = 2048 // entries of the largest table, which takes half of what the dense form does
)

// put raises register i to rank.
func (r *registers) put(m *listMemory, i uint32, rank uint8) error {
	if r.dense != nil {
		r.dense[i] = max(r.dense[i], rank)
		return nil
	}
	if r.n*4 >= len(r.sparse)*3 {
		if err := r.grow(m); err != nil {
			return err
		}
		return r.put(m, i, rank)
	}
	mask := uint32(len(r.sparse) - 1)
	for at := i * 0x9e3779b1 >> 7 & mask; ; at = (at + 1) & mask {
		switch e := r.sparse[at]; {
		case e == 0:
			r.sparse[at] = (i+1)<<rankBits | uint32(rank)
			r.n++
			return nil
		case e>>rankBits == i+1:
			r.sparse[at] = max(e, (i+1)<<rankBits|uint32(rank))
			return nil
		}
	}
}

// grow makes the table twice as large, or makes it dense.
func (r *registers) grow(m *listMemory) error {
	old := *r
	size := max(8, 2*len(old.sparse))
	if size > sparseLimit {
		if err := m.ask(sketchSize); err != nil {
			return err
		}
		*r = registers{dense: make([]uint8, sketchSize)}
	} else {
		if err := m.ask(4 * size); err != nil {
			return err
		}
		*r = registers{sparse: make([]uint32, size)}
	}
	m.held -= int64(4 * len(old.sparse))
	return old.each(func(i uint32, rank uint8) error { return r.put(m, i, rank) })
}

// each calls f with the registers that are set.
func (r *registers) each(f func(i uint32, rank uint8) error) error {
	for _, e := range r.sparse {
		if e != 0 {
			if err := f(e>>rankBits-1, uint8(e&(1<<rankBits-1))); err != nil {
				return err
			}
		}
	}
	for i, rank := range r.dense {
		if rank != 0 {
			if err := f(uint32(i), rank); err != nil {
				return err
			}
		}
	}
	return nil
}

// estimate returns how many different hashes there were. It needs no table of corrections: O. Ertl, "New cardinality estimation
// algorithms for HyperLogLog sketches", 2017, algorithm 6.
func (r *registers) estimate() float64 {
	var count [maxRank + 1]int // registers of each rank
	set := 0
	_ = r.each(func(_ uint32, rank uint8) error {
		count[rank]++
		set++
		return nil
	})
	if set == 0 {
		return 0
	}
	const m = float64(sketchSize)
	z := m * ertlTau(1-float64(count[maxRank])/m)
	for k := maxRank - 1; k >= 1; k-- {
		z = (z + float64(count[k])) / 2
	}
	z += m * ertlSigma(float64(sketchSize-set)/m)
	return m * m / (2 * math.Ln2 * z)
}

func ertlSigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	z, y := x, 1.0
	for {
		x *= x
		old := z
		z += x * y
		if y += y; z == old {
			return z
		}
	}
}

func ertlTau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	z, y := 1-x, 1.0
	for {
		x = math.Sqrt(x)
		old := z
		y /= 2
		if z -= (1 - x) * (1 - x) * y; z == old {
			return z / 3
		}
	}
}

// distinctSketch is approx_count_distinct.
type distinctSketch struct {
	listMemory
	regs paged[registers]
	key  []byte
}

func (a *distinctSketch) grow(n int)   { a.regs.grow(n) }
func (a *distinctSketch) size(int) int { return 0 }

func (a *distinctSketch) add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	v := args[0]
	if v.Type == vector.Int && !v.Const && !v.HasNulls() && sel == nil {
		for i, x := range v.Ints[:n] {
			if err := a.put(int(groups[i]), mixBits(uint64(x))); err != nil {
				return err
			}
		}
		return nil
	}
	for k := range sel.Count(n) {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if v.Null(i) {
			continue
		}
		h, err := a.hash(v, i)
		if err == nil {
			err = a.put(int(groups[i]), h)
		}
		if err != nil {
			return &vector.RowError{Row: i, Err: err}
		}
	}
	return nil
}

func (a *distinctSketch) put(group int, h uint64) error {
	rank := uint8(bits.LeadingZeros64(h<<sketchBits|1<<(sketchBits-1)) + 1)
	return a.regs.at(group).put(&a.listMemory, uint32(h>>(64-sketchBits)), rank)
}

func (a *distinctSketch) merge(other accumulator, into []int32) error {
	o := other.(*distinctSketch)
	return eachMerged(a.g, into, func(from, to int) error {
		r := a.regs.at(to)
		if err := a.g.Step(sketchSize); err != nil {
			return err
		}
		return o.regs.at(from).each(func(i uint32, rank uint8) error { return r.put(&a.listMemory, i, rank) })
	})
}

func (a *distinctSketch) result(out *vector.Vector, g int) error {
	out.AppendInt(int64(math.Round(a.regs.at(g).estimate())))
	return a.g.Step(sketchSize)
}

func (a *distinctSketch) bytes() int64 {
	return a.listMemory.bytes() + a.regs.bytes() + int64(cap(a.key))
}

// hash returns a hash of row i of v. Equal values have equal hashes, in every process: the estimate of the same values is always
// the same.
func (a *distinctSketch) hash(v *vector.Vector, i int) (uint64, error) {
	c := v.Class(i)
	switch c {
	case vector.ClassBool:
		if v.Bool(i) {
			return mixBits(uint64(c)<<56 | 1), nil
		}
		return mixBits(uint64(c) << 56), nil
	case vector.ClassInt:
		return mixBits(uint64(v.Int(i))), nil
	case vector.ClassTime, vector.ClassDate:
		return mixBits(mixBits(uint64(v.Int(i))) + uint64(c)), nil
	case vector.ClassFloat:
		f := v.Float(i)
		if f >= -0x1p63 && f < 0x1p63 {
			if x := int64(f); float64(x) == f {
				return mixBits(uint64(x)), nil
			}
			return mixBits(mixBits(math.Float64bits(f)) + uint64(c)), nil
		}
	case vector.ClassText, vector.ClassBlob:
		return a.hashBytes(v.Bytes(i), uint64(c))
	}
	var err error
	if a.key, err = a.g.AppendSortKey(a.key[:0], v, i, false); err != nil {
		return 0, err
	}
	return a.hashBytes(a.key, 0)
}

// mixBits spreads the bits of x: the finalizer of splitmix64 (G. L. Steele, D. Lea, C. H. Flood, 2014).
func mixBits(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (a *distinctSketch) hashBytes(b []byte, h uint64) (uint64, error) {
	n := uint64(len(b))
	mul := func(x, y uint64) uint64 {
		hi, lo := bits.Mul64(x^0xa0761d6478bd642f, y^0xe7037ed1a0b428db)
		return hi ^ lo
	}
	for len(b) >= 16 {
		part := b[:min(len(b)&^15, stepBytes)]
		b = b[len(part):]
		for ; len(part) > 0; part = part[16:] {
			h = mul(binary.LittleEndian.Uint64(part)^h, binary.LittleEndian.Uint64(part[8:])+h)
		}
		if len(b) >= 16 {
			if err := a.g.Step(stepBytes); err != nil {
				return 0, err
			}
		}
	}
	var tail [16]byte
	copy(tail[:], b)
	h = mul(binary.LittleEndian.Uint64(tail[:])^h, binary.LittleEndian.Uint64(tail[8:])+h)
	return mixBits(h ^ n), nil
}
