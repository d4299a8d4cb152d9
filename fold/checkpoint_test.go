package fold_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

// filled returns a store whose fold "words" has written a checkpoint of several pieces, and how many events it has folded.
func filled(t testing.TB) (*redex.Store, *redex.Log, int) {
	t.Helper()
	s := store(t)
	l := openLog(t, s, "in")
	const n = 300
	batch := make([]redex.Entry, n)
	for i := range batch {
		batch[i] = word(fmt.Sprintf("%03d %s", i%250, strings.Repeat("long ", 60)))
	}
	if _, err := l.AppendBatch(t.Context(), batch, redex.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	h := open(t, s, wordsDef(fold.Options{}))
	if err := h.CatchUp(short(t)); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	return s, l, n
}

type pair struct{ k, v []byte }

func views(t testing.TB, s *redex.Store) (*redex.Views, []pair) {
	t.Helper()
	v := s.Views("fold/words")
	var all []pair
	for k, val := range v.Scan(nil, nil) {
		if val.Err != nil {
			t.Fatal(val.Err)
		}
		if len(val.Bytes) > 32<<10 {
			t.Fatal("a value of", len(val.Bytes))
		}
		all = append(all, pair{bytes.Clone(k), bytes.Clone(val.Bytes)})
	}
	return v, all
}

func put(t testing.TB, v *redex.Views, p pair) {
	t.Helper()
	var b redex.ViewBatch
	if p.v == nil {
		b.Delete(p.k)
	} else {
		b.Set(p.k, p.v)
	}
	if err := v.Commit(t.Context(), &b, 0); err != nil {
		t.Fatal(err)
	}
}

func rightState(t testing.TB, h *fold.Handle[counts], n int) {
	t.Helper()
	if err := h.CatchUp(short(t)); err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, c := range h.Snapshot().State.Words.All() {
		sum += c
	}
	if sum != n {
		t.Fatal(sum, "instead of", n)
	}
}

// TestCorruptCheckpoint: whatever byte of it is damaged or missing, the state is right and the reason is told.
func TestCorruptCheckpoint(t *testing.T) {
	s, _, n := filled(t)
	v, all := views(t, s)
	if len(all) < 4 {
		t.Fatal("only", len(all), "values")
	}
	for i, p := range all {
		for at := 0; at <= len(p.v); at += 1 + len(p.v)/5 {
			bad := pair{p.k, bytes.Clone(p.v)}
			switch {
			case at < len(p.v):
				bad.v[at] ^= 0x40
			case p.k[0] == 'p':
				bad.v = nil
			default:
				bad.v = bad.v[:len(bad.v)-1]
			}
			put(t, v, bad)
			h, err := fold.Open(t.Context(), s, wordsDef(fold.Options{Checkpoint: fold.Checkpoint{Events: 1 << 40, Bytes: 1 << 50}}))
			if err != nil {
				t.Fatal(i, at, err)
			}
			rightState(t, h, n)
			if st := h.Stats(); st.Resumed || !errors.Is(st.Rebuilt, fold.ErrCheckpoint) || st.Events != int64(n) {
				t.Fatalf("%d %d: %+v", i, at, st)
			}
			// Put the old checkpoint back, for the next.
			if err := h.Close(); err != nil {
				t.Fatal(err)
			}
			_, now := views(t, s)
			for _, x := range now {
				put(t, v, pair{x.k, nil})
			}
			for _, x := range all {
				put(t, v, x)
			}
		}
	}
	h := open(t, s, wordsDef(fold.Options{}))
	rightState(t, h, n)
	if st := h.Stats(); !st.Resumed || st.Events != 0 || st.Rebuilt != nil {
		t.Fatalf("%+v", st)
	}
}

// TestOtherLayout: state of another version, row type or index is rebuilt, never misread.
func TestOtherLayout(t *testing.T) {
	type asFloat struct {
		Words fold.Table[string, float64]
	}
	s, _, n := filled(t)
	d := wordsDef(fold.Options{})
	d.Version = 2
	h := open(t, s, d)
	rightState(t, h, n)
	if st := h.Stats(); !errors.Is(st.Rebuilt, fold.ErrLayout) {
		t.Fatalf("%+v", st)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	d.New = func() *counts {
		return &counts{fold.NewTable(fold.TableOptions[string, int]{Indexes: []fold.Index[string, int]{
			fold.Ordered("count", func(_ string, n *int) int { return *n }),
		}})}
	}
	h = open(t, s, d)
	rightState(t, h, n)
	if st := h.Stats(); !errors.Is(st.Rebuilt, fold.ErrLayout) {
		t.Fatalf("%+v", st)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	f := open(t, s, fold.Definition[asFloat]{Name: "words", Version: 2, Logs: []string{"in"}, Fold: fold.Func[asFloat](func(*asFloat, redex.Event) error { return nil })})
	if st := f.Stats(); !errors.Is(st.Rebuilt, fold.ErrLayout) {
		t.Fatalf("%+v", st)
	}
}

// TestRemadeLog: a log deleted and made again under its name is another log.
func TestRemadeLog(t *testing.T) {
	s, _, _ := filled(t)
	if err := s.Delete(t.Context(), "in"); err != nil {
		t.Fatal(err)
	}
	l := openLog(t, s, "in")
	add(t, l, word("a"))
	h := open(t, s, wordsDef(fold.Options{}))
	rightState(t, h, 1)
	if st := h.Stats(); !errors.Is(st.Rebuilt, fold.ErrCheckpoint) {
		t.Fatalf("%+v", st)
	}
}

// TestInterruptedCheckpoint: pieces that no manifest names are not read, and are gone after the next checkpoint.
func TestInterruptedCheckpoint(t *testing.T) {
	s, l, n := filled(t)
	v, all := views(t, s)
	junk := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64([]byte{'p'}, 2), 9)
	put(t, v, pair{junk, []byte("half a checkpoint")})
	h := open(t, s, wordsDef(fold.Options{}))
	rightState(t, h, n)
	if st := h.Stats(); !st.Resumed {
		t.Fatalf("%+v", st)
	}
	add(t, l, word("one more"))
	if err := h.CatchUp(short(t)); err != nil {
		t.Fatal(err)
	}
	if err := h.Checkpoint(short(t)); err != nil {
		t.Fatal(err)
	}
	_, now := views(t, s)
	if len(now) < len(all) || len(now) > len(all)+1 || slices.ContainsFunc(now, func(p pair) bool { return bytes.Equal(p.k, junk) }) {
		t.Fatal("pieces were left:", len(now))
	}
	if st := h.Stats(); st.Checkpoints != 1 || st.CheckpointErr != nil {
		t.Fatalf("%+v", st)
	}
	if err := h.Checkpoint(short(t)); err != nil || h.Stats().Checkpoints != 1 {
		t.Fatal("a checkpoint of nothing new was written", err)
	}
}

// slowly is a codec of counts that waits before each row.
type slowly struct{ wait func() }

func (c slowly) Append(b []byte, n *int) ([]byte, error) {
	c.wait()
	return binary.AppendVarint(b, int64(*n)), nil
}

func (slowly) Decode(b []byte, n *int) error {
	v, k := binary.Varint(b)
	if k != len(b) {
		return errors.New("no number")
	}
	*n = int(v)
	return nil
}

func (slowly) Layout() string { return "varint" }

// TestAutomaticCheckpoints: after so many events one is written, beside the fold's work, and it is what a fold goes on from that
// was not closed. What was there when the process would have died is put back after a close.
func TestAutomaticCheckpoints(t *testing.T) {
	s := store(t)
	l := openLog(t, s, "in")
	started, released := make(chan struct{}), make(chan struct{})
	start, release := sync.OnceFunc(func() { close(started) }), sync.OnceFunc(func() { close(released) })
	d := wordsDef(fold.Options{Checkpoint: fold.Checkpoint{Events: 100, Every: 1}})
	d.New = func() *counts {
		return &counts{fold.NewTable(fold.TableOptions[string, int]{Codec: slowly{func() { start(); <-released }}})}
	}
	h := open(t, s, d)
	t.Cleanup(release)
	for range 100 {
		add(t, l, word("a"))
	}
	select {
	case <-started:
	case <-short(t).Done():
		t.Fatal("no checkpoint was begun")
	}
	// It is in the making and cannot get on, and the fold does.
	var last fold.WriteToken
	for range 30 {
		last = add(t, l, word("a"))
	}
	if err := h.Wait(short(t), last); err != nil {
		t.Fatal(err)
	}
	if st := h.Stats(); st.Checkpoints != 0 {
		t.Fatalf("%+v", st)
	}
	release()
	until(t, func() bool { return h.Stats().Checkpoints == 1 })
	v, crashed := views(t, s)
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if st := h.Stats(); st.Checkpoints != 2 {
		t.Fatalf("%+v", st)
	}
	_, closed := views(t, s)
	for _, x := range closed {
		put(t, v, pair{x.k, nil})
	}
	for _, x := range crashed {
		put(t, v, x)
	}

	d.Options.Checkpoint = fold.Checkpoint{Off: true}
	off := open(t, s, d)
	rightState(t, off, 130)
	if st := off.Stats(); st.Resumed || st.Events != 130 || st.Rebuilt != nil {
		t.Fatalf("%+v", st)
	}
	if err := off.Close(); err != nil {
		t.Fatal(err)
	}
	d.Options.Checkpoint = fold.Checkpoint{}
	h = open(t, s, d)
	rightState(t, h, 130)
	if st := h.Stats(); !st.Resumed || st.Events != 30 {
		t.Fatalf("%+v", st)
	}
}

// TestImport: an export becomes the checkpoint of a fold that has none.
func TestImport(t *testing.T) {
	s, l, n := filled(t)
	h := open(t, s, wordsDef(fold.Options{}))
	f, err := h.Frozen()
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := f.Export(&file); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := f.Export(&again); err != nil || !bytes.Equal(file.Bytes(), again.Bytes()) {
		t.Fatal("two exports of one state differ", err)
	}
	v, all := views(t, s)
	wipe := func() {
		_, now := views(t, s)
		for _, p := range now {
			put(t, v, pair{p.k, nil})
		}
	}
	wipe()
	if err := fold.Import(t.Context(), s, "words", bytes.NewReader(file.Bytes())); err != nil {
		t.Fatal(err)
	}
	if _, now := views(t, s); len(now) != len(all) {
		t.Fatal(len(now))
	}
	add(t, l, word("after"))
	h = open(t, s, wordsDef(fold.Options{}))
	rightState(t, h, n+1)
	if st := h.Stats(); !st.Resumed || st.Events != 1 || st.Rebuilt != nil {
		t.Fatalf("%+v", st)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}

	// What is no whole export of that fold is refused and not visible.
	_, before := views(t, s)
	cases := map[string]struct {
		name string
		r    io.Reader
	}{
		"empty":   {"words", bytes.NewReader(nil)},
		"cut":     {"words", bytes.NewReader(file.Bytes()[:file.Len()-1])},
		"longer":  {"words", io.MultiReader(bytes.NewReader(file.Bytes()), strings.NewReader("x"))},
		"flipped": {"words", bytes.NewReader(flip(file.Bytes(), file.Len()/2))},
		"version": {"words", bytes.NewReader(flip(file.Bytes(), 7))},
		"text":    {"words", strings.NewReader("no state at all, but long enough")},
		"name":    {"others", bytes.NewReader(file.Bytes())},
	}
	for name, c := range cases {
		if err := fold.Import(t.Context(), s, c.name, c.r); !errors.Is(err, fold.ErrCheckpoint) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := fold.Import(t.Context(), store(t), "words", bytes.NewReader(file.Bytes())); !errors.Is(err, fold.ErrCheckpoint) {
		t.Error("the state of another store:", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := fold.Import(ctx, s, "words", bytes.NewReader(file.Bytes())); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	h = open(t, s, wordsDef(fold.Options{}))
	rightState(t, h, n+1)
	if st := h.Stats(); !st.Resumed {
		t.Fatalf("%+v, %d values before", st, len(before))
	}
}

func flip(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

// TestStoreReopened: what a checkpoint and the journal hold together is the state after a restart of the store.
func TestStoreReopened(t *testing.T) {
	dir := t.TempDir()
	for round := range 4 {
		s, err := redex.Open(t.Context(), dir, redex.Options{})
		if err != nil {
			t.Fatal(err)
		}
		l := openLog(t, s, "in")
		h, err := fold.Open(t.Context(), s, wordsDef(fold.Options{}))
		if err != nil {
			t.Fatal(err)
		}
		rightState(t, h, round*50)
		if st := h.Stats(); st.Resumed != (round > 0) || st.Rebuilt != nil || st.Events > 25 {
			t.Fatalf("%d: %+v", round, st)
		}
		for i := range 50 {
			tok := add(t, l, word("a"))
			if i == 24 {
				if err := h.Wait(short(t), tok); err != nil {
					t.Fatal(err)
				}
				if err := h.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	noGoroutines(t)
}
