package sealed

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// unpack decodes numbers of w bits, to which base is added, from the first used bytes of src, and reports whether none is above limit.
func unpack[T integer](dst []T, src []byte, used int, base, limit uint64, w int) bool {
	n := len(dst)
	if n == 0 {
		return true
	}
	mask := ^uint64(0)
	if w < 64 {
		mask = 1<<w - 1
	}
	i := unpackLanes(dst, src, base, limit, w)
	if i < 0 {
		return false
	}
	// The last numbers are read through a padded copy, so that every number is one load of eight bytes.
	var tail [24]byte
	split := max0(used-8) * 8 // numbers that begin below this bit are read from src
	tailAt := max0(used - 15)
	copy(tail[:], src[tailAt:used])
	most, whole := uint64(0), n // those before whole are read from src
	if w > 0 {
		whole = min(n, (split+w-1)/w)
	} else if split == 0 {
		whole = 0
	}
	bit := i * w
	if w <= 14 && w > 0 { // four numbers of each load
		w1, w2, w3 := w&63, 2*w&63, 3*w&63
		for ; i+4 <= whole; i += 4 {
			x := binary.LittleEndian.Uint64(src[bit>>3:]) >> (bit & 7)
			x0, x1, x2, x3 := base+x&mask, base+x>>w1&mask, base+x>>w2&mask, base+x>>w3&mask
			most = max(most, x0, x1, x2, x3)
			d := dst[i : i+4 : i+4]
			d[0], d[1], d[2], d[3] = T(x0), T(x1), T(x2), T(x3)
			bit += 4 * w
		}
	}
	if w > 14 && w <= 28 { // two
		for ; i+2 <= whole; i += 2 {
			x := binary.LittleEndian.Uint64(src[bit>>3:]) >> (bit & 7)
			x0, x1 := base+x&mask, base+x>>(w&63)&mask
			most = max(most, x0, x1)
			d := dst[i : i+2 : i+2]
			d[0], d[1] = T(x0), T(x1)
			bit += 2 * w
		}
	}
	for ; i < whole; i++ {
		x := base + binary.LittleEndian.Uint64(src[bit>>3:])>>(bit&7)&mask
		most = max(most, x)
		dst[i] = T(x)
		bit += w
	}
	for ; i < n; i++ {
		x := base + binary.LittleEndian.Uint64(tail[bit>>3-tailAt:])>>(bit&7)&mask
		most = max(most, x)
		dst[i] = T(x)
		bit += w
	}
	return most <= limit
}

// readDeltas decodes numbers of which the first is base and each other one the one before, step and a packed number.
func readDeltas[T integer](dst []T, src []byte, used int, base, step, limit uint64, w int) bool {
	var deltas [ColumnBlockRows]uint64
	x := base
	over := above(x, limit)
	dst[0] = T(x)
	for at := 1; at < len(dst); {
		// Blocks of columns are one piece; others may be longer, and their pieces begin at whole bytes.
		n := min(len(deltas), len(dst)-at)
		from := (at - 1) * w / 8
		unpack(deltas[:n], src[from:], used-from, step, math.MaxUint64, w)
		for i, d := range deltas[:n] {
			x += d
			over |= above(x, limit)
			dst[at+i] = T(x)
		}
		at += n
	}
	return over == 0
}

const (
	laneBits   = 25 // so many fit into 32 after any shift below 8
	laneGroup  = 8  // numbers: they take as many bytes as one takes bits
	laneLoad   = 16 // bytes that are loaded for four of them
	worthLanes = 4 * laneGroup
)

// lanes says how eight packed numbers are found in two loads of 16 bytes, the second high bytes behind the first: the four bytes that
// have each, and how far it is to be shifted there.
type lanes struct {
	shuffle [32]byte
	shift   [8]uint32
	mask    [8]uint32
	step    uint64 // bytes of a group
	high    uint64
}

// lanesOf is lanes for each width. It is made once and never changes.
var lanesOf = func() (t [laneBits + 1]lanes) {
	for w := range t {
		l := &t[w]
		l.step, l.high = uint64(w), uint64(w/2)
		for i := range 8 {
			bit := i * w
			if i >= 4 {
				bit -= w / 2 * 8
			}
			for k := range 4 {
				l.shuffle[i*4+k] = byte(bit>>3 + k)
			}
			l.shift[i], l.mask[i] = uint32(bit&7), 1<<w-1
		}
	}
	return t
}()

// unpackLanes decodes numbers from the start, eight at a time, where the processor can, and returns how many: -1 when one is above limit.
func unpackLanes[T integer](dst []T, src []byte, base, limit uint64, w int) int {
	if !haveLanes || w == 0 || w > laneBits || len(dst) < worthLanes || len(src) < laneLoad+w/2 {
		return 0
	}
	groups := min(len(dst)/laneGroup, (len(src)-laneLoad-w/2)/w+1)
	mask := uint64(1)<<w - 1
	top := base + mask
	fits := top >= base && top <= limit
	switch p := unsafe.Pointer(unsafe.SliceData(dst)); {
	case unsafe.Sizeof(dst[0]) == 8 && (fits || limit == math.MaxUint64):
		unpackWide((*uint64)(p), &src[0], groups, base, &lanesOf[w])
	case unsafe.Sizeof(dst[0]) == 4 && top >= base && top <= math.MaxUint32:
		if most := unpackNarrow((*uint32)(p), &src[0], groups, uint32(base), &lanesOf[w]); uint64(most) > limit {
			return -1
		}
	default:
		return 0
	}
	return groups * laneGroup
}
