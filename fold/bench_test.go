package fold_test

import (
	"fmt"
	"testing"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

// BenchmarkReplay folds a log, or several, from the beginning.
func BenchmarkReplay(b *testing.B) {
	for _, logs := range []int{1, 4, 10_000} {
		b.Run(fmt.Sprintf("logs=%d", logs), func(b *testing.B) {
			s := store(b)
			var names []string
			const n = 100_000
			for i := range logs {
				names = append(names, fmt.Sprint("log", i))
				l := openLog(b, s, names[i])
				batch := make([]redex.Entry, min(1000, n/logs))
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

// BenchmarkWriteAndWait appends an event to one of a fold's logs and waits for it to be folded.
func BenchmarkWriteAndWait(b *testing.B) {
	for _, count := range []int{1, 2, 10_000} {
		b.Run(fmt.Sprintf("logs=%d", count), func(b *testing.B) {
			s := store(b)
			d := wordsDef(fold.Options{})
			d.Logs = nil
			var logs []*redex.Log
			for i := range count {
				d.Logs = append(d.Logs, fmt.Sprint("log", i))
				logs = append(logs, openLog(b, s, d.Logs[i]))
			}
			h := open(b, s, d)
			e := word("a")
			for i := 0; b.Loop(); i++ {
				a, err := logs[i*7%count].Append(b.Context(), e, redex.AppendOptions{Durable: redex.DurableNo})
				if err != nil {
					b.Fatal(err)
				}
				if err := h.Wait(b.Context(), fold.TokenOf(a.Position)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
