package fold_test

import (
	"fmt"
	"testing"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

// BenchmarkReplay folds a log, or several, from the beginning.
func BenchmarkReplay(b *testing.B) {
	for _, logs := range []int{1, 4} {
		b.Run(fmt.Sprintf("logs=%d", logs), func(b *testing.B) {
			s := store(b)
			var names []string
			const n = 100_000
			for i := range logs {
				names = append(names, fmt.Sprint("log", i))
				l := openLog(b, s, names[i])
				batch := make([]redex.Entry, 1000)
				for k := range batch {
					batch[k].Payload = make([]byte, 64)
				}
				for range n / logs / len(batch) {
					if _, err := l.AppendBatch(b.Context(), batch, redex.AppendOptions{Durable: redex.DurableNo}); err != nil {
						b.Fatal(err)
					}
				}
			}
			for b.Loop() {
				h, err := fold.Open(b.Context(), s, fold.Definition[fold.Table[int, int]]{
					Name: "n", Logs: names, Options: fold.Options{Checkpoint: fold.Checkpoint{Off: true}},
					Fold: fold.Func[fold.Table[int, int]](func(t *fold.Table[int, int], ev redex.Event) error {
						v, _ := t.Get(len(ev.Payload))
						t.Set(len(ev.Payload), v+1)
						return nil
					}),
				})
				if err != nil {
					b.Fatal(err)
				}
				if err := h.CatchUp(b.Context()); err != nil {
					b.Fatal(err)
				}
				h.Close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/event")
		})
	}
}

// BenchmarkWriteAndWait appends an event and waits for it to be folded.
func BenchmarkWriteAndWait(b *testing.B) {
	s := store(b)
	l := openLog(b, s, "in")
	h := open(b, s, wordsDef(fold.Options{}))
	e := word("a")
	for b.Loop() {
		a, err := l.Append(b.Context(), e, redex.AppendOptions{Durable: redex.DurableNo})
		if err != nil {
			b.Fatal(err)
		}
		if err := h.Wait(b.Context(), fold.TokenOf(a.Position)); err != nil {
			b.Fatal(err)
		}
	}
}
