package logscan

import (
	"fmt"
	"testing"

	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/redex"
)

func BenchmarkScan(b *testing.B) {
	s := openStore(b)
	var entries []redex.Entry
	for i := range 20000 {
		entries = append(entries, jsonEntry(fmt.Sprintf(`{"seq":%d,"repo":"moby/moby","sha":"dae652e2e5e47d99c8febd5bc81df0a3269beb74","path":"daemon/oci_linux.go","dir":"daemon","ext":"go","ins":%d,"del":0,"ts":1591290668}`, i, i%100)))
	}
	l := createLog(b, s, "x", entries...)
	c := New(s)
	src := source(b, c, s, l)
	for _, state := range []string{"new", "taken-in"} {
		if state == "taken-in" {
			if _, err := src.Fields(b.Context(), true); err != nil {
				b.Fatal(err)
			}
		}
		for _, out := range [][]string{{"_seq"}, {"ins"}, {"dir", "ins", "ts"}} {
			for _, threads := range []int{1, 2} {
				b.Run(fmt.Sprintf("rows=%s/fields=%d/first=%s/threads=%d", state, len(out), out[0], threads), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						if state == "new" {
							src = source(b, New(s), s, l)
						}
						it, err := src.Scan(b.Context(), planner.Request{Outputs: outputs(out...), Threads: threads})
						if err != nil {
							b.Fatal(err)
						}
						for {
							batch, err := it.Next(b.Context())
							if err != nil {
								b.Fatal(err)
							}
							if batch == nil {
								break
							}
						}
						if err := it.Close(); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(entries)), "ns/row")
				})
			}
		}
	}
}
