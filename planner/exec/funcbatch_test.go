package exec

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seed69692123/netdb/planner/vector"
)

// TestBatches asserts that functions that calculate whole batches give what they give row by row, errors too.
func TestBatches(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	number, times := &Col{T: vector.Int}, &Col{T: vector.Time}
	calls := []*Call{
		callOf(t, "make_timestamp_ms", number), callOf(t, "make_timestamp_us", number), callOf(t, "make_timestamp_ns", number), callOf(t, "to_timestamp", number),
		callOf(t, "epoch_ms", times), callOf(t, "epoch_us", times), callOf(t, "epoch_ns", times),
	}
	for _, part := range []string{"second", "hour", "day", "week", "month", "year"} {
		calls = append(calls, callOf(t, "date_trunc", textConst(part), times))
	}
	wrong := callOf(t, "date_trunc", textConst("no part"), times)
	for _, e := range append(calls, wrong) {
		slow := *e.Fn
		slow.batch = nil
		byRow := *e
		byRow.Fn = &slow
		failures := 0
		for _, zone := range []*time.Location{time.UTC, paris} {
			s, o := newEvalState(&Env{Zone: zone}), newEvalState(&Env{Zone: zone})
			s.begin(t.Context())
			o.begin(t.Context())
			fast, slow := s.compile(e), o.compile(&byRow)
			for range 200 {
				n := 1 + r.IntN(150)
				v := vector.New(e.Args[len(e.Args)-1].Type(), 0)
				width, at := r.IntN(64), r.Int64N(2e18)
				nulls := r.IntN(2) * 4
				for range n {
					x := at + r.Int64N(1<<min(width, 40)+1)
					switch r.IntN(20) {
					case 0:
						x = int64(r.Uint64() >> (63 - width))
					case 1:
						x = -x
					}
					if e.Args[0] == number {
						x /= 1e9
					}
					if r.IntN(8) < nulls {
						v.AppendNull()
						v.Ints[v.Len-1] = math.MinInt64 // what is under a NULL does not count
						continue
					}
					v.AppendInt(x)
				}
				var sel vector.Sel
				if r.IntN(2) == 0 {
					for i := range n {
						if r.IntN(3) > 0 {
							sel = append(sel, int32(i))
						}
					}
				}
				b := &vector.Batch{N: n, Cols: []*vector.Vector{v}}
				got, err := fast.eval(b, sel)
				want, wantErr := slow.eval(b, sel)
				if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
					t.Fatalf("%s: %v, want %v", e.Fn.Name, err, wantErr)
				}
				if err != nil {
					failures++
					continue
				}
				sel.All(n, func(i int) {
					if got.Null(i) != want.Null(i) || !got.Null(i) && got.Int(i) != want.Int(i) {
						t.Fatalf("%s of %d: %d, want %d", e.Fn.Name, v.Ints[i], got.Int(i), want.Int(i))
					}
				})
			}
		}
		if failures == 400 && e != wrong {
			t.Errorf("%s always failed", e.Fn.Name)
		}
	}
}
