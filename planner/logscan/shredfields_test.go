package logscan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/seed69692123/netdb/redex"
)

// byRow returns the catalogue that comes of taking in the first rows of a log one by one.
func byRow(t *testing.T, l *redex.Log, rows redex.Seq) *fields {
	t.Helper()
	f := newFields(l.ID())
	for ev, err := range l.Scan(t.Context(), 0, rows) {
		if err != nil {
			t.Fatal(err)
		}
		f.take(&ev, nil)
	}
	return f
}

// describe says all that a catalogue knows.
func describe(f *fields) string {
	bad, _ := f.badBetween(nil, 0, f.position())
	c := f.catalogue()
	var all strings.Builder
	fmt.Fprint(&all, "to ", f.walked, " ordinal ", f.ordinal, " malformed ", f.malformed, " no object ", f.noObject, " open ", c.Open, " bad ", bad, ": ")
	for _, x := range c.Fields {
		fmt.Fprintln(&all, x.Path, x.Type, x.Types)
	}
	return all.String()
}

// TestFieldsOfChunks: a catalogue that takes chunks in is the one that takes rows in, wherever it stood before.
func TestFieldsOfChunks(t *testing.T) {
	const rows, size = 6000, 1500
	l := variedLog(t, openStore(t), "x", variedEvents(11, rows), redex.LogOptions{})
	want := byRow(t, l, rows)
	if want.malformed == 0 || want.noObject == 0 {
		t.Fatal("the events have no faults")
	}
	for _, at := range []redex.Seq{0, 1, size, 2*size + 700, rows - 1, rows} {
		got := byRow(t, l, at)
		clear(got.dirtyNodes)
		clear(got.dirtyBad)
		was := describe(got)
		for from := redex.Seq(0); from < rows; from += size {
			sh, err := newShredder(l.ID(), from, 1, shredBudget)
			if err != nil {
				t.Fatal(err)
			}
			for ev, err := range l.Scan(t.Context(), from, from+size) {
				if err != nil || !sh.add(&ev, nil) {
					t.Fatal(err)
				}
			}
			got.takeChunk(sh.fieldsOf(got.walked+1, got.walked+size)) // it has not come to these: they are left alone
			got.takeChunk(sh.fieldsOf(from, from+size))
		}
		if describe(got) != describe(want) {
			t.Errorf("from %d on:\n%s\nwant\n%s", at, describe(got), describe(want))
		}
		if changed := was != describe(got); changed && at < rows-1 && (len(got.dirtyNodes) == 0 && at == 0 || len(got.dirtyBad) == 0) {
			t.Errorf("from %d on: what is new would not be saved", at)
		}
		if at == 0 && !maps.Equal(got.dirtyNodes, want.dirtyNodes) {
			t.Errorf("nodes to be saved: %v, want %v", slices.Sorted(maps.Keys(got.dirtyNodes)), slices.Sorted(maps.Keys(want.dirtyNodes)))
		}
	}
}

// TestFieldsBeyondLimits: a chunk with more paths than a catalogue has is left to the walk by row.
func TestFieldsBeyondLimits(t *testing.T) {
	l := createLog(t, openStore(t), "x", jsonEntry(`{"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":{"i":{"j":{"k":{"l":{"m":{"n":{"o":{"p":{"q":1}}}}}}}}}}}}}}}}}`))
	sh, err := newShredder(l.ID(), 0, 1, shredBudget)
	if err != nil {
		t.Fatal(err)
	}
	for ev := range l.Scan(t.Context(), 0, 1) {
		sh.add(&ev, nil)
	}
	if k := sh.fieldsOf(0, 1); k != nil {
		t.Errorf("%d nodes are taken for all there are", len(k.nodes))
	}
}

// TestWalkMakesChunks: with ShredAhead a walk leaves column files behind, and knows the same.
func TestWalkMakesChunks(t *testing.T) {
	const rows = redex.ChunkEvents + 3000
	for _, ahead := range []bool{false, true} {
		s := openStore(t)
		l := variedLog(t, s, "x", variedEvents(3, rows), redex.LogOptions{})
		seal(t, s)
		want := describe(byRow(t, l, rows))
		c := New(s)
		if ahead {
			c.ShredAhead()
		}
		f, err := c.fields(l)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.walk(t.Context(), f, l, 10); err != nil || ahead != (f.position() > 10) {
			t.Errorf("ahead %v: position %d %v", ahead, f.position(), err)
		}
		if err := c.walk(t.Context(), f, l, rows); err != nil {
			t.Fatal(err)
		}
		if got := describe(f); got != want {
			t.Errorf("ahead %v:\n%s\nwant\n%s", ahead, got, want)
		}
		if made := s.Columns().HasWhole(l, 0); made != ahead {
			t.Errorf("ahead %v: made %v", ahead, made)
		}
		// Another instance reads what was saved; one that is not saved finds the file made, and walks by row.
		if err := c.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.Close()
		again := New(s)
		if f, err = again.fields(l); err != nil || describe(f) != want {
			t.Errorf("read back: %v\n%s\nwant\n%s", err, describe(f), want)
		}
		again.ShredAhead()
		f = newFields(l.ID())
		if err := again.walk(t.Context(), f, l, rows); err != nil || describe(f) != want {
			t.Errorf("%v\n%s\nwant\n%s", err, describe(f), want)
		}
		again.Close()
	}
}
