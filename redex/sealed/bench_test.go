package sealed

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"testing"
)

func benchRows(n int) []Row {
	rng := rand.New(rand.NewPCG(1, 2))
	zones := []string{"north", "south", "east", "west", "harbour", "station"}
	out := make([]Row, n)
	for i := range out {
		p := fmt.Appendf(nil, `{"id":"%016x","zone":"%s","user":%d,"level":%.3f,"ok":%v,"path":"/api/v%d/items/%d","agent":"netdb/%d.%d","note":"%s"}`,
			rng.Uint64(), zones[rng.IntN(6)], rng.IntN(50_000), rng.Float64()*100, rng.IntN(2) == 0, rng.IntN(4), rng.IntN(100_000), rng.IntN(3), rng.IntN(20),
			"the quick brown fox jumps over the lazy dog and over the fence"[:rng.IntN(60)])
		for len(p) < 256 {
			p = append(p, ' ')
		}
		out[i] = Row{Seq: uint64(i), Time: 1_700_000_000_000_000_000 + int64(i)*1_234_567 + rng.Int64N(100_000), Origin: 0x1234_5678_9abc_def0 + uint64(i%3), Kind: uint32(i % 5), Encoding: 1, Payload: p}
	}
	return out
}

func BenchmarkScan(b *testing.B) {
	rows := benchRows(100_000)
	for _, c := range []struct {
		name string
		c    Compression
	}{{"s2", S2}, {"zstd", Zstd}, {"none", None}} {
		file, infos, info := write(b, WriterOptions{Compression: c.c}, []run{{log: 1, rows: rows}})
		b.Run("compression="+c.name, func(b *testing.B) {
			run, err := reader(b, file, ReaderOptions{}).Run(infos[0].Location)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			var cur Cursor
			n, sum := 0, uint64(0)
			for b.Loop() {
				if !cur.Next() {
					cur.Reset(run, 0, math.MaxUint64)
					cur.Next()
				}
				sum += cur.Row().Seq
				n++
			}
			b.SetBytes(info.RawBytes / info.Rows)
			b.ReportMetric(float64(info.Bytes)/float64(info.Rows), "storedB/event")
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	rows := benchRows(100_000)
	for _, c := range []struct {
		name string
		c    Compression
	}{{"s2", S2}, {"zstd", Zstd}, {"none", None}} {
		b.Run("compression="+c.name, func(b *testing.B) {
			w, err := NewWriter(io.Discard, WriterOptions{Compression: c.c})
			if err != nil {
				b.Fatal(err)
			}
			if err := w.BeginRun(1); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.SetBytes(256)
			seq := uint64(0)
			i := 0
			for b.Loop() {
				r := &rows[i]
				r.Seq = seq
				if err := w.Add(r); err != nil {
					if _, err := w.EndRun(); err != nil {
						b.Fatal(err)
					}
					if err := errors.Join(w.BeginRun(1), w.Add(r)); err != nil {
						b.Fatal(err)
					}
				}
				seq++
				if i++; i == len(rows) {
					i = 0
				}
			}
		})
	}
}

func BenchmarkReadCached(b *testing.B) {
	file, infos, _ := write(b, WriterOptions{}, []run{{log: 1, rows: benchRows(20_000)}})
	for _, c := range []struct {
		name  string
		cache Cache
	}{{"warm", mapCache{}}, {"none", nil}} {
		b.Run("cache="+c.name, func(b *testing.B) {
			run, err := reader(b, file, ReaderOptions{Cache: c.cache}).Run(infos[0].Location)
			if err != nil {
				b.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(1, 2))
			b.ReportAllocs()
			var row Row
			for b.Loop() {
				if ok, err := run.Read(rng.Uint64N(20_000), &row); !ok || err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
