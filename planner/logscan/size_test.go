package logscan

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/seed69692123/netdb/redex"
)

// TestColumnFileSize: columns of events that are like real ones take a small part of them. The bound is a tenth above what they take.
func TestColumnFileSize(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 9))
	entries := make([]redex.Entry, redex.ChunkEvents)
	raw, ts, sha := 0, 1_500_000_000, ""
	for i := range entries {
		if i%4 == 0 {
			ts += rng.IntN(5000)
			sha = fmt.Sprintf("%016x%016x%08x", rng.Uint64(), rng.Uint64(), rng.Uint32())
		}
		entries[i] = jsonEntry(fmt.Sprintf(
			`{"seq":%d,"repo":"repository-%d","sha":"%s","path":"planner/exec/part%03d/file_%d.go","dir":"planner","ext":"go","ins":%d,"del":%d,"ts":%d}`,
			i, i>>13, sha, rng.IntN(200), rng.IntN(40), rng.IntN(300), rng.IntN(90), ts))
		raw += len(entries[i].Payload)
	}
	s := openStore(t)
	l := createLog(t, s, "x", entries...)
	seal(t, s)
	c := New(s)
	defer c.Close()
	if made, err := c.Shred(t.Context(), l, 0); err != nil || !made {
		t.Fatal(made, err)
	}
	n, err := s.Columns().StoredBytes(l)
	if err != nil {
		t.Fatal(err)
	}
	got := float64(n) / float64(raw)
	t.Logf("columns take %.4f of the events", got)
	const most = 0.1025
	if got > most {
		t.Errorf("columns take %.4f of the events, more than %.4f", got, most)
	}
}
