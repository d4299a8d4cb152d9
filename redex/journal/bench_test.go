package journal

import (
	"context"
	"fmt"
	"hash/crc32"
	"testing"
	"time"
)

func BenchmarkAppend(b *testing.B) {
	dir := b.TempDir()
	ctx := context.Background()
	for _, sync := range []string{"never", "interval", "always"} {
		for _, size := range []int{32, 256, 1024} {
			b.Run(fmt.Sprintf("size=%d/sync=%s", size, sync), func(b *testing.B) {
				o := Options{Sync: SyncPolicy{Mode: SyncNever}, LimitBytes: -1}
				if sync == "interval" {
					o.Sync = SyncPolicy{Mode: SyncInterval, Every: 50 * time.Millisecond, Bytes: 16 << 20}
				}
				j := openBench(b, dir, o)
				body := Body{Head: make([]byte, size)}
				b.SetBytes(int64(size))
				b.ReportAllocs()
				released := 0
				for b.Loop() {
					p, err := j.Append(ctx, body)
					if err == nil && sync == "always" {
						err = j.Sync(ctx, p.Ordinal)
					}
					if released++; err == nil && released%(1<<18) == 0 {
						err = j.Release(j.Durable())
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				b.StopTimer()
				if err := j.Close(); err != nil {
					b.Fatal(err)
				}
				clearDir(b, dir)
			})
		}
	}
}

// BenchmarkAppendParallel has goroutines that share syncs.
func BenchmarkAppendParallel(b *testing.B) {
	dir := b.TempDir()
	ctx := context.Background()
	j := openBench(b, dir, Options{LimitBytes: -1})
	body := Body{Head: make([]byte, 256)}
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p, err := j.Append(ctx, body)
			if err == nil {
				err = j.Sync(ctx, p.Ordinal)
			}
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/float64(j.Stats().Syncs), "appends/sync")
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkCopyCRC is what no append into memory can do without.
func BenchmarkCopyCRC(b *testing.B) {
	for _, size := range []int{32, 256, 1024} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			mem, body, off := make([]byte, 4<<20), make([]byte, size), 0
			b.SetBytes(int64(size))
			var sum uint32
			for b.Loop() {
				if off+size > len(mem) {
					off = 0
				}
				sum ^= crc32.Update(sum, castagnoli, body)
				copy(mem[off:], body)
				off += size
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	j := openBench(b, b.TempDir(), Options{Sync: SyncPolicy{Mode: SyncNever}})
	ctx := context.Background()
	var locs []Loc
	for range 10000 {
		p, err := j.Append(ctx, Body{Head: make([]byte, 256)})
		if err != nil {
			b.Fatal(err)
		}
		locs = append(locs, p.Loc)
	}
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := j.Read(locs[i%len(locs)], 0, 256, buf); err != nil {
			b.Fatal(err)
		}
		i++
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
}

func openBench(b *testing.B, dir string, o Options) *Journal {
	b.Helper()
	fsys, err := OSFS(dir)
	if err != nil {
		b.Fatal(err)
	}
	j, _, err := Open(context.Background(), fsys, o, 0, nil)
	if err != nil {
		b.Fatal(err)
	}
	return j
}

func clearDir(b *testing.B, dir string) {
	b.Helper()
	fsys, err := OSFS(dir)
	if err != nil {
		b.Fatal(err)
	}
	names, err := fsys.List()
	for _, name := range names {
		if err == nil {
			err = fsys.Remove(name)
		}
	}
	if err != nil {
		b.Fatal(err)
	}
}
