package vector

// Bitmap has one bit for each row. A nil Bitmap has no bit set.
type Bitmap []uint64

// Get reports bit i; false beyond the bitmap's end.
func (b Bitmap) Get(i int) bool {
	w := i >> 6
	return w < len(b) && b[w]>>(uint(i)&63)&1 != 0
}

// Set sets bit i, which must be within the bitmap.
func (b Bitmap) Set(i int) { b[i>>6] |= 1 << (uint(i) & 63) }

// Clear clears bit i, which must be within the bitmap.
func (b Bitmap) Clear(i int) { b[i>>6] &^= 1 << (uint(i) & 63) }

// Any reports whether a bit is set.
func (b Bitmap) Any() bool {
	for _, w := range b {
		if w != 0 {
			return true
		}
	}
	return false
}

// words is the number of words for n bits.
func words(n int) int { return (n + 63) >> 6 }
