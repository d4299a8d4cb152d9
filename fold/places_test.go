package fold

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/seed69692123/netdb/redex"
)

// TestPlaces compares places with plain copies, of numbers of logs around a page's: none changes after it was published, each
// has all that was touched, and shares the pages that were not.
func TestPlaces(t *testing.T) {
	for _, count := range []int{1, pageLogs - 1, pageLogs, pageLogs + 1, 5*pageLogs + 3} {
		logs := make([]foldLog, count)
		for i := range logs {
			logs[i] = foldLog{id: redex.LogID(i + 1), name: "log"}
		}
		own := newOwn(logs)
		plain := func(l *logHeader) logHeader {
			c := *l
			c.skips = skipSet{ranges: slices.Clone(l.skips.ranges), forgotten: l.skips.forgotten}
			return c
		}
		type pair struct {
			p    places
			want []logHeader
		}
		var all []pair
		var last places
		r := rand.New(rand.NewPCG(uint64(count), 3))
		for range 60 {
			touched := map[int]bool{}
			for range r.IntN(6) {
				log := r.IntN(count)
				touched[log/pageLogs] = true
				at := own.touch(log)
				seq := at.mark.Next
				if at.mark.Next++; r.IntN(2) == 0 {
					at.skips.add(seq)
					at.mark.Skipped++
				}
			}
			p := own.publish(last)
			own.settle()
			want := make([]logHeader, count)
			for i := range want {
				want[i] = plain(&own.logs[i])
			}
			for page := range p {
				if last != nil && (&p[page][0] == &last[page][0]) == touched[page] {
					t.Fatal(count, "logs: page", page, "is shared wrongly")
				}
			}
			all = append(all, pair{p, want})
			last = p
		}
		for n, x := range all {
			got := x.p.all()
			for i := range got {
				if &x.p[i/pageLogs][i%pageLogs] != x.p.at(i) {
					t.Fatal("at", i, "is another")
				}
				if got[i] = plain(&got[i]); !reflect.DeepEqual(got[i], x.want[i]) {
					t.Fatalf("%d logs, publication %d, log %d: %+v instead of %+v", count, n, i, got[i], x.want[i])
				}
			}
		}
	}
}

// TestFrozenWhileFolding: a state without tables is written while the driver goes on, its skips and position included.
func TestFrozenWhileFolding(t *testing.T) {
	s, l := memoryStore(t)
	const n = 3000
	d := Definition[int64]{Name: "plain", Logs: []string{"in"}, Options: Options{Checkpoint: Checkpoint{Off: true}}, Fold: Func[int64](func(s *int64, ev redex.Event) error {
		if ev.Seq%3 == 0 {
			return Undecodable(nil)
		}
		*s++
		return nil
	})}
	h, err := Open(t.Context(), s, d)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		for range n {
			fill(t, l, 1)
		}
	})
	for at := redex.Seq(0); at < n; {
		f, err := h.Frozen()
		if err != nil {
			t.Fatal(err)
		}
		head := f.(*frozen).head.logs[0]
		at = head.mark.Next
		if want := (int64(at) + 2) / 3; head.undecodable != want || head.mark.Skipped != want || at > 0 && !head.skips.has((at-1)/3*3) {
			t.Fatalf("%+v", head)
		}
	}
	wg.Wait()
}
