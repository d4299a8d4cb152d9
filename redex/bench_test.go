package redex

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
)

func BenchmarkAppend(b *testing.B) {
	ctx := context.Background()
	for _, disk := range []bool{false, true} {
		for _, size := range []int{32, 256, 1024} {
			b.Run(fmt.Sprintf("disk=%v/size=%d/sync=never", disk, size), func(b *testing.B) {
				o := Options{Sync: SyncPolicy{Mode: SyncNever}}
				var s *Store
				var err error
				if disk {
					s, err = Open(ctx, b.TempDir()+"/store", o)
				} else {
					s, err = OpenMemory(ctx, o)
				}
				if err != nil {
					b.Fatal(err)
				}
				l := mustLog(b, s, "a")
				p := make([]byte, size)
				for i := range p {
					p[i] = byte(i * i >> 3)
				}
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := l.Append(ctx, Entry{Payload: p, Kind: 7, Encoding: JSON}, AppendOptions{}); err != nil {
						b.Fatal(err)
					}
				}
				b.StopTimer()
				mustClose(b, s)
			})
		}
	}
}

func BenchmarkAppendBatch(b *testing.B) {
	ctx := context.Background()
	for _, n := range []int{64, 1000} {
		b.Run(fmt.Sprintf("batch=%d/size=256/sync=never", n), func(b *testing.B) {
			s := mustOpen(b, b.TempDir()+"/store", Options{Sync: SyncPolicy{Mode: SyncNever}})
			l := mustLog(b, s, "a")
			es := make([]Entry, n)
			for i := range es {
				es[i].Payload = make([]byte, 256)
			}
			b.SetBytes(int64(256 * n))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.AppendBatch(ctx, es, AppendOptions{}); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			mustClose(b, s)
		})
	}
}

func BenchmarkAppendDurable(b *testing.B) {
	ctx := context.Background()
	for _, g := range []int{1, 8} {
		b.Run(fmt.Sprintf("goroutines=%d/size=256/sync=always", g), func(b *testing.B) {
			s := mustOpen(b, b.TempDir()+"/store", Options{})
			l := mustLog(b, s, "a")
			p := make([]byte, 256)
			b.SetParallelism(max(1, g/2))
			before := s.Metrics().Journal.Syncs
			var n atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := l.Append(ctx, Entry{Payload: p}, AppendOptions{}); err != nil {
						b.Error(err)
						return
					}
					n.Add(1)
				}
			})
			b.StopTimer()
			if syncs := s.Metrics().Journal.Syncs - before; syncs > 0 {
				b.ReportMetric(float64(n.Load())/float64(syncs), "appends/sync")
			}
			mustClose(b, s)
		})
	}
}

func BenchmarkScan(b *testing.B) {
	ctx := context.Background()
	const events = 200000
	for _, sealed := range []bool{false, true} {
		b.Run(fmt.Sprintf("sealed=%v/size=256", sealed), func(b *testing.B) {
			s := mustOpen(b, b.TempDir()+"/store", Options{Sync: SyncPolicy{Mode: SyncNever}, SealBytes: 256 << 20, HotBytes: 256 << 20})
			l := mustLog(b, s, "a")
			p := make([]byte, 256)
			for i := range events {
				p[i%256] = byte(i)
				if _, err := l.Append(ctx, Entry{Payload: p}, AppendOptions{}); err != nil {
					b.Fatal(err)
				}
			}
			if sealed {
				if err := s.Seal(ctx); err != nil {
					b.Fatal(err)
				}
			}
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				c := l.Cursor(0, maxSeq)
				for c.Next(ctx) {
					n++
				}
				if c.Err() != nil {
					b.Fatal(c.Err())
				}
				c.Close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
			mustClose(b, s)
		})
	}
}

func BenchmarkSeal(b *testing.B) {
	ctx := context.Background()
	s := mustOpen(b, b.TempDir()+"/store", Options{Sync: SyncPolicy{Mode: SyncNever}, SealBytes: 1 << 30, HotBytes: 1 << 30, JournalBytes: 4 << 30})
	l := mustLog(b, s, "a")
	p := make([]byte, 256)
	const events = 100000
	b.SetBytes(events * 256)
	for b.Loop() {
		b.StopTimer()
		for i := range events {
			p[i%256] = byte(i)
			if _, err := l.Append(ctx, Entry{Payload: p}, AppendOptions{}); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		if err := s.Seal(ctx); err != nil {
			b.Fatal(err)
		}
	}
	mustClose(b, s)
}
