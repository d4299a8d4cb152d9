package sealed

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestUnpack compares unpacking of all widths and lengths, of both sizes of numbers, with the numbers that were packed, and limits with
// the greatest of them.
func TestUnpack(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for w := range 65 {
		if w > 56 && w < 64 {
			continue
		}
		for range 60 {
			n := 1 + r.IntN(300)
			base := uint64(r.IntN(1000))
			if r.IntN(3) == 0 {
				base = r.Uint64() // sums may wrap
			}
			values := make([]uint64, n)
			most := uint64(0)
			for i := range values {
				if values[i] = r.Uint64() & (1<<w - 1); w == 64 {
					values[i] = r.Uint64()
				}
				most = max(most, base+values[i])
			}
			packed := appendPacked(nil, values, w)
			used := packedBytes(n, w)
			src := append(packed[:used:used], make([]byte, r.IntN(40))...) // what follows the column
			wide := make([]uint64, n)
			if !unpack(wide, src, used, base, math.MaxUint64, w) {
				t.Fatalf("width %d: above no limit", w)
			}
			for i, x := range values {
				if wide[i] != base+x {
					t.Fatalf("width %d, %d numbers: number %d is %d, want %d", w, n, i, wide[i], base+x)
				}
			}
			if !unpack(wide, src, used, base, most, w) || most > 0 && unpack(wide, src, used, base, most-1, w) {
				t.Fatalf("width %d: the limit %d is not kept", w, most)
			}
			if most > math.MaxUint32 {
				continue
			}
			narrow := make([]uint32, n)
			if !unpack(narrow, src, used, base, most, w) || most > 0 && unpack(make([]uint32, n), src, used, base, most-1, w) {
				t.Fatalf("width %d: the limit %d of narrow numbers is not kept", w, most)
			}
			for i, x := range values {
				if uint64(narrow[i]) != base+x {
					t.Fatalf("width %d, %d narrow numbers: number %d is %d, want %d", w, n, i, narrow[i], base+x)
				}
			}
		}
	}
}

// TestUnpackColumns reads back columns of each form, also ones that are longer than a block.
func TestUnpackColumns(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	p := &packer{}
	for range 300 {
		n := 1 + r.IntN(3*ColumnBlockRows)
		values := make([]uint64, n)
		x, width, form := r.Uint64()>>1, r.IntN(40), r.IntN(3)
		few := make([]uint64, 1+r.IntN(200))
		for i := range few {
			few[i] = r.Uint64()
		}
		for i := range values {
			switch form {
			case 0:
				x += r.Uint64() & (1<<width - 1)
				values[i] = x
			case 1:
				values[i] = few[r.IntN(len(few))]
			default:
				values[i] = x + r.Uint64()&(1<<width-1)
			}
		}
		b := p.appendColumn(nil, values, true)
		got := make([]uint64, n)
		rest, err := readColumn(got, append(b, 1, 2, 3), math.MaxUint64)
		if err != nil || len(rest) != 3 || !slices.Equal(got, values) {
			t.Fatalf("form %d of %d numbers: %v, %d bytes are left", form, n, err, len(rest))
		}
		if _, err := readColumn(got, b, slices.Max(values)-1); err == nil {
			t.Fatalf("form %d: a number above the limit", form)
		}
	}
}
