package fold_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/internal/simdisk"
	"github.com/seed69692123/netdb/redex"
	"github.com/seed69692123/netdb/redex/journal"
)

func onDisk(d *simdisk.Disk, mode redex.SyncMode) redex.Options {
	return redex.Options{
		Sync: redex.SyncPolicy{Mode: mode}, SegmentBytes: 64 << 10, SealBytes: 16 << 10, RunEvents: 8,
		Disk: &redex.Disk{Files: d.VFS(), Journal: func(string) (journal.FS, error) { return d.Journal(), nil }},
	}
}

// crashDef is a fold over two logs, one of whose events fail now and then, with a checkpoint every few events.
func crashDef() fold.Definition[counts] {
	d := wordsDef(fold.Options{Policy: fold.Skip, Checkpoint: fold.Checkpoint{Events: 7, Every: 1}})
	d.Logs = []string{"in", "beside"}
	return d
}

// naive is the state that all events of both logs give: the words of those that do not fail.
func naive(t *testing.T, s *redex.Store) (words map[string]int, skipped int64) {
	t.Helper()
	words = map[string]int{}
	for _, name := range crashDef().Logs {
		l, err := s.Log(name)
		if errors.Is(err, redex.ErrNoLog) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for ev, err := range l.Scan(t.Context(), 0, l.Bounds().Next) {
			if err != nil {
				t.Fatal(err)
			}
			var w struct{ Word string }
			if err := fold.Decode(&ev, &w); err != nil {
				t.Fatal(err)
			}
			if w.Word == "bad" {
				skipped++
			} else {
				words[w.Word]++
			}
		}
	}
	return words, skipped
}

// TestPowerCuts: the power is cut anywhere in appends, folding, checkpoints and recovery, again and again on one disk. After
// each, the fold's state is what its logs say, each event in it once, whether it came from a checkpoint or from a replay.
func TestPowerCuts(t *testing.T) {
	cuts := 60
	if testing.Short() {
		cuts = 15
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 3))
	d := simdisk.New(seed)
	resumed := 0
	for i := range cuts {
		mode := []redex.SyncMode{redex.SyncAlways, redex.SyncNever}[i%2]
		d.CutAt(d.Ops() + 1 + r.Int64N(400))
		run(t, d, mode, r)
		d = d.Restart(r.Uint64())

		// Without a cut: what is there now?
		s, err := redex.Open(t.Context(), "db", onDisk(d, mode))
		if err != nil {
			t.Fatal(seed, i, err)
		}
		h, err := fold.Open(t.Context(), s, crashDef())
		if err != nil {
			t.Fatal(seed, i, err)
		}
		if err := h.CatchUp(short(t)); err != nil {
			t.Fatal(seed, i, err)
		}
		st := h.Stats()
		want, skipped := naive(t, s)
		if diff := cmp.Diff(want, maps.Collect(h.Snapshot().State.Words.All())); diff != "" || st.Skipped != skipped {
			t.Fatalf("seed %d, cut %d: skipped %d, want %d; %+v\n%s", seed, i, st.Skipped, skipped, st, diff)
		}
		if st.Rebuilt != nil {
			t.Fatalf("seed %d, cut %d: %v", seed, i, st.Rebuilt)
		}
		if st.Resumed {
			resumed++
		}
		if i%3 == 0 {
			err = h.Close()
		}
		if err = errors.Join(err, s.Close()); err != nil {
			t.Fatal(seed, i, err)
		}
		h.Close()
	}
	if resumed < cuts/2 {
		t.Fatal("only", resumed, "went on from a checkpoint")
	}
	noGoroutines(t)
}

// run works on a store until its disk fails.
func run(t *testing.T, d *simdisk.Disk, mode redex.SyncMode, r *rand.Rand) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		select {
		case <-d.Off():
			stop()
		case <-ctx.Done():
		}
	}()
	s, err := redex.Open(ctx, "db", onDisk(d, mode))
	if err != nil {
		return
	}
	defer s.Close()
	h, err := fold.Open(ctx, s, crashDef())
	if err != nil {
		return
	}
	defer h.Close()
	var logs []*redex.Log
	for _, name := range crashDef().Logs {
		l, err := s.OpenLog(ctx, name, redex.LogOptions{})
		if err != nil {
			return
		}
		logs = append(logs, l)
	}
	for i := range 500 {
		w := fmt.Sprint("w", r.IntN(20))
		if r.IntN(9) == 0 {
			w = "bad"
		}
		a, err := logs[r.IntN(2)].Append(ctx, word(w), redex.AppendOptions{})
		if err != nil {
			return
		}
		if i%11 == 0 {
			if err := h.Wait(ctx, fold.TokenOf(a.Position)); err != nil && !errors.Is(err, fold.ErrSkipped) {
				return
			}
		}
	}
}

// TestDurableFirst: a checkpoint makes the journal durable up to what it has folded, before it is written.
func TestDurableFirst(t *testing.T) {
	d := simdisk.New(1)
	s, err := redex.Open(t.Context(), "db", onDisk(d, redex.SyncNever))
	if err != nil {
		t.Fatal(err)
	}
	l := openLog(t, s, "in")
	h := open(t, s, wordsDef(fold.Options{}))
	var tok fold.WriteToken
	for range 10 {
		tok = add(t, l, word("a"))
	}
	if err := h.Wait(short(t), tok); err != nil {
		t.Fatal(err)
	}
	if s.Durable() >= tok.Position().Ordinal {
		t.Fatal("durable before the checkpoint: nothing is tested")
	}
	if err := h.Checkpoint(short(t)); err != nil {
		t.Fatal(err)
	}
	if s.Durable() < tok.Position().Ordinal {
		t.Fatal("a checkpoint is ahead of what is durable")
	}
	if err := errors.Join(h.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
}
