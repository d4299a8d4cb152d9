package num

import (
	"bytes"
	"hash/maphash"
	"math"
	"math/bits"
	"strconv"
)

// seed makes hashes differ between processes, so that nobody can write events that collide. It is never assigned again.
var (
	seed = maphash.MakeSeed()
	salt = maphash.String(seed, "num") | 1
)

// HashBytes returns a hash of b. Hashes are the same within a process only.
func HashBytes(b []byte) uint64 { return maphash.Bytes(seed, b) }

// HashInt returns the hash of an integer.
func HashInt(i int64) uint64 {
	hi, lo := bits.Mul64(uint64(i)^salt, 0x9e3779b97f4a7c15)
	return (hi ^ lo) * 0xd6e8feb86659fd93
}

// HashFloat returns the hash of a float: that of an integer of the same value, one for all NaNs.
func HashFloat(f float64) uint64 {
	if f >= minInt && f < maxInt {
		if i := int64(f); float64(i) == f {
			return HashInt(i)
		}
	}
	if f != f {
		f = math.NaN()
	}
	return Combine(HashInt(int64(math.Float64bits(f))), 1)
}

// HashBig returns the hash of a big: that of a float of the same value if there is one.
func HashBig(a []byte) uint64 {
	if len(a) <= 310 {
		if f, err := strconv.ParseFloat(string(a), 64); err == nil {
			var buf [320]byte
			if bytes.Equal(a, strconv.AppendFloat(buf[:0], f, 'f', 0, 64)) {
				return HashFloat(f)
			}
		}
	}
	return Combine(HashBytes(a), 2)
}

// Combine adds the hash of one more column to the hash of a row.
func Combine(h, x uint64) uint64 {
	hi, lo := bits.Mul64(h^0x9e3779b97f4a7c15, x^0xa0761d6478bd642f)
	return hi ^ lo
}
