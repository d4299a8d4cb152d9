package index_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/seed69692123/netdb/redex"
	"github.com/seed69692123/netdb/redex/index"
)

// BenchmarkCatchUp builds an index with one insert per event: of keys in their order, of keys spread at random, and of values of
// few keys.
func BenchmarkCatchUp(b *testing.B) {
	ctx := context.Background()
	const events = 1_000_000
	for _, disk := range []bool{false, true} {
		s, err := redex.OpenMemory(ctx, redex.Options{})
		if disk {
			s, err = redex.Open(ctx, b.TempDir()+"/store", redex.Options{})
		}
		if err != nil {
			b.Fatal(err)
		}
		l := openLog(b, s, "in")
		batch := make([]redex.Entry, 1000)
		for i := 0; i < events; i += len(batch) {
			for k := range batch {
				// A permutation of all numbers: each key is new.
				p := binary.BigEndian.AppendUint64(nil, uint64(i+k)*0x9e3779b97f4a7c15)
				batch[k].Payload = append(p, make([]byte, 56)...)
			}
			if _, err := l.AppendBatch(ctx, batch, redex.AppendOptions{Durable: redex.DurableNo}); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.Seal(ctx); err != nil {
			b.Fatal(err)
		}
		for _, keys := range []string{"rising", "random", "few"} {
			b.Run(fmt.Sprintf("disk=%v/keys=%s", disk, keys), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					var key, value [8]byte
					x, err := index.Open(ctx, s, index.Definition{Name: "i", Log: "in", Project: func(ev *redex.Event, ops *index.Ops) error {
						binary.BigEndian.PutUint64(value[:], uint64(ev.Seq))
						switch keys {
						case "rising":
							key = value
						case "random":
							copy(key[:], ev.Payload)
						case "few":
							key[7] = ev.Payload[0]
						}
						ops.Insert(key[:], value[:])
						return nil
					}})
					if err != nil {
						b.Fatal(err)
					}
					if err := x.CatchUp(ctx); err != nil {
						b.Fatal(err)
					}
					b.StopTimer()
					if st := x.Stats(); st.Values != events {
						b.Fatalf("%+v", st)
					}
					if err := x.Close(); err != nil {
						b.Fatal(err)
					}
					if err := index.Drop(ctx, s, "i"); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
				b.ReportMetric(float64(b.N)*events/b.Elapsed().Seconds(), "events/s")
			})
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
