package redex

import (
	"context"
	"fmt"
	"sync"
	"testing"
)

// BenchmarkConsumer delivers and acknowledges; an operation is one event.
func BenchmarkConsumer(b *testing.B) {
	for _, order := range []Order{OrderFree, OrderByKey} {
		for _, members := range []int{1, 8} {
			for _, sync := range []bool{false, true} {
				b.Run(fmt.Sprintf("order=%v/members=%d/sync=%v", order, members, sync), func(b *testing.B) {
					benchConsumer(b, order, members, sync)
				})
			}
		}
	}
}

func benchConsumer(b *testing.B, order Order, members int, durable bool) {
	ctx := context.Background()
	s := mustOpen(b, b.TempDir()+"/store", Options{Sync: SyncPolicy{Mode: SyncNever}})
	defer s.Close()
	l := mustLog(b, s, "log")
	es := make([]Entry, 1000)
	for i := range es {
		es[i] = Entry{Key: fmt.Appendf(nil, "key%d", i%500), Payload: make([]byte, 100)}
	}
	for n := 0; n < b.N; n += len(es) {
		if _, err := l.AppendBatch(ctx, es, AppendOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Sync(ctx); err != nil {
		b.Fatal(err)
	}
	c := mustConsumer(b, l, "c", ConsumerOptions{Order: order})
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for i := range members {
		m := mustJoin(b, c)
		n := b.N / members
		if i == 0 {
			n += b.N % members
		}
		wg.Go(func() {
			for range n {
				d, err := m.Next(ctx)
				if err == nil && durable {
					err = d.AckSync(ctx)
				} else if err == nil {
					err = d.Ack()
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
			_ = m.Close()
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
