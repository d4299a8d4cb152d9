package logscan

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/redex"
)

// TestTails makes the column file of a log's last chunk as it grows, until it is whole: answers are those of the rows, read from the file, and
// another is made when there is much more.
func TestTails(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	ctx := t.Context()
	for _, o := range []redex.LogOptions{{}, {Compaction: redex.Compaction{ByKey: true}}} {
		s, err := redex.Open(ctx, t.TempDir(), redex.Options{Sync: redex.SyncPolicy{Mode: redex.SyncNever}, MaintainRate: -1}) // nothing is compacted meanwhile
		if err != nil {
			t.Fatal(err)
		}
		compact := func(l *redex.Log) {
			t.Helper()
			if o.Compaction.ByKey {
				if _, err := l.Compact(ctx); err != nil {
					t.Fatal(err)
				}
			}
		}
		entries := variedEvents(seed, redex.ChunkEvents+4000)
		l := variedLog(t, s, "a", nil, o)
		key := chunkKey{l.ID(), false, 0}
		at := 0
		grow := func(to int) {
			t.Helper()
			addVaried(t, l, entries[at:to])
			at = to
			seal(t, s)
		}
		reach := func() redex.Seq {
			c := New(s)
			defer c.Close()
			return c.columns.end(source(t, c, s, l), key, 0)
		}
		check := func() {
			t.Helper()
			c := New(s)
			defer c.Close()
			for round := range 2 {
				src := source(t, c, s, l)
				req := randomRequest(r, src)
				if round%2 == 0 {
					addHints(r, &req)
				}
				req.Columns = planner.ColumnsNever
				want := rowsOrFiltered(t, src, req)
				for _, req.Columns = range []planner.ColumnUse{planner.ColumnsAuto, planner.ColumnsAlways} {
					if got := rowsOrFiltered(t, src, req); !slices.Equal(got, want) {
						t.Fatalf("%+v: %d rows, want %d, or others", req, len(got), len(want))
					}
				}
			}
		}
		for _, step := range []struct {
			rows int
			want redex.Seq
		}{
			{redex.TailEvents - 1, 0},
			{redex.TailEvents + 10, redex.TailEvents},
			{2*redex.TailEvents - 1, redex.TailEvents}, // not much more
			{40_500, 39 * pageEvents},
			{44_000, 39 * pageEvents},
			{45_100, 44 * pageEvents},
			{redex.ChunkEvents + 4000, 44 * pageEvents}, // it is no tail any more
		} {
			grow(step.rows)
			c := New(s)
			c.ShredTail(ctx, l)
			if got := reach(); got != step.want && !o.Compaction.ByKey { // compaction takes files away
				t.Errorf("%d rows: a file of %d, want %d", step.rows, got, step.want)
			}
			c.Close()
			check()
			compact(l)
			check()
		}
		// The scans have made it whole, if one wanted enough of it.
		c := New(s)
		if more, err := c.Shred(ctx, l, 0); !more || err != nil || !s.Columns().HasWhole(l, 0) && reach() != redex.ChunkEvents {
			t.Errorf("not whole: %v %v", more, err)
		}
		if more, err := c.Shred(ctx, l, 1); more || err != nil {
			t.Errorf("chunk 1: %v %v", more, err)
		}
		c.ShredTail(ctx, l)
		if s.Columns().HasWhole(l, 1) {
			t.Error("a file of the tail is taken for one of a whole chunk")
		}
		check()
		if err := l.Redact(ctx, redex.Seq(at-1)); err != nil {
			t.Fatal(err)
		}
		check()
		c.Close()
		closeStore(t, s)
	}
}

// TestTailIsRead counts what a scan reads of a log with a file of its tail, and finds one that is damaged.
func TestTailIsRead(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	defer closeStore(t, s)
	l := variedLog(t, s, "a", variedEvents(5, 10_000), redex.LogOptions{})
	seal(t, s)
	c := New(s)
	c.ShredTail(t.Context(), l)
	c.Close()
	files, err := filepath.Glob(filepath.Join(dir, "columns", "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	req := planner.Request{Outputs: outputs("n", "word")}
	for _, damaged := range []bool{false, true} {
		if damaged {
			if err := os.Truncate(files[0], 5000); err != nil {
				t.Fatal(err)
			}
		}
		c := New(s)
		req.Columns = planner.ColumnsNever
		want := rowsText(t, source(t, c, s, l), req)
		req.Columns = planner.ColumnsAuto
		if got := rowsText(t, source(t, c, s, l), req); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("damaged %v: other rows", damaged)
		}
		pages := 0
		for key := range c.columns.chunks {
			if key.page {
				pages++
			}
		}
		if (pages > 1) != damaged { // there is always that of the newest rows
			t.Errorf("damaged %v: %d pages were made", damaged, pages)
		}
		if ids := s.Columns().TakeTails(); len(ids) != 1 {
			t.Errorf("damaged %v: tails of %v are to be made", damaged, ids) // of sealing, then of the scan
		}
		c.Close()
	}
	c = New(s)
	c.ShredTail(t.Context(), l)
	if got := c.columns.end(source(t, c, s, l), chunkKey{l.ID(), false, 0}, 0); got != 9*pageEvents {
		t.Errorf("made again up to %d", got)
	}
	c.Close()
}
