package redex

import (
	"errors"
	"testing"
)

// TestSeekTimeRowsBetweenRuns leaves rows of the catalog between two runs, as damage does that is only there for a time. Each is
// found by its time.
func TestSeekTimeRowsBetweenRuns(t *testing.T) {
	ctx := t.Context()
	s := mustOpen(t, t.TempDir()+"/store", Options{RunEvents: 4})
	defer mustClose(t, s)
	l := mustLog(t, s, "a")
	var times []int64
	add := func(n int) {
		for range n {
			times = append(times, mustAppend(t, l, "x").Time)
		}
	}
	seal := func() {
		t.Helper()
		if err := s.Seal(ctx); err != nil {
			t.Fatal(err)
		}
	}
	add(6)
	seal() // a run, [0, 6)
	add(3)
	seal() // rows, [6, 9)
	saved := map[Seq][]byte{}
	for seq := Seq(7); seq < 9; seq++ {
		v, ok, err := s.kv.Get(logSeqKey(keyRow, l.id, seq), nil)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		saved[seq] = v
	}
	put := func(value func(Seq) []byte) {
		t.Helper()
		b := s.kv.NewBatch()
		for seq := range saved {
			if err := b.Set(logSeqKey(keyRow, l.id, seq), value(seq)); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(s.kv.Apply(ctx, b), b.Close()); err != nil {
			t.Fatal(err)
		}
	}
	put(func(Seq) []byte { return []byte{255} })
	add(6)
	seal() // a run of row 6, the damaged ones, and a run from 9 on
	st := l.Stats()
	if st.Runs != 3 || st.RowEvents != 0 {
		t.Fatalf("%+v", st)
	}

	// While they are damaged it cannot be told whether one of them is the event that is looked for.
	seek := func(at int64) (Seq, error) { return l.SeekTime(ctx, at) }
	for seq, time := range times {
		got, err := seek(time)
		if within := seq >= 7 && seq <= 9; within && !named(err) || !within && (err != nil || got != Seq(seq)) {
			t.Errorf("damaged: time of sequence %d: %d, %v", seq, got, err)
		}
	}
	if got, err := seek(times[14] + 1); err != nil || got != 15 {
		t.Errorf("after all: %d, %v", got, err)
	}

	put(func(seq Seq) []byte { return saved[seq] })
	for seq, time := range times {
		if got, err := seek(time); err != nil || got != Seq(seq) {
			t.Errorf("time of sequence %d: %d, %v", seq, got, err)
		}
		if seq > 0 {
			if got, err := seek(times[seq-1] + 1); err != nil || got != Seq(seq) {
				t.Errorf("after the time of sequence %d: %d, %v", seq-1, got, err)
			}
		}
	}
	if err := l.Trim(ctx, 8); err != nil {
		t.Fatal(err)
	}
	if got, err := seek(0); err != nil || got != 8 {
		t.Errorf("above the floor: %d, %v", got, err)
	}
}

// TestSeekTimeLost loses frames of a log to damage. From the journal, and when it is sealed, within a run, between runs and as
// rows, the time of a lost event gets an error that names the place; other times are found.
func TestSeekTimeLost(t *testing.T) {
	ctx := t.Context()
	for _, runEvents := range []int{1, 100} {
		dir := t.TempDir() + "/store"
		o := Options{RunEvents: runEvents}
		s := mustOpen(t, dir, o)
		l := mustLog(t, s, "a")
		var times []int64
		for range 10 {
			times = append(times, mustAppend(t, l, "x").Time)
		}
		mustClose(t, s)
		harmFrame(t, dir, s, 5) // sequence 3
		for i := range 3 {
			s = mustOpen(t, dir, o)
			l = mustLog(t, s, "a")
			for seq, time := range times {
				got, err := l.SeekTime(ctx, time)
				if within := seq == 3 || seq == 4; within && !named(err) || !within && (err != nil || got != Seq(seq)) {
					t.Errorf("runs of %d, open %d: time of sequence %d: %d, %v", runEvents, i, seq, got, err)
				}
			}
			if i == 1 {
				if err := s.Seal(ctx); err != nil {
					t.Fatal(err)
				}
			}
			mustClose(t, s)
		}
	}
}
