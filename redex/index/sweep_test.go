package index_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed69692123/netdb/internal/simdisk"
	"github.com/seed69692123/netdb/redex"
	"github.com/seed69692123/netdb/redex/index"
)

// eachWord is an index of the words of payloads: the values of a word are the sequences of its events.
func eachWord() index.Definition {
	return index.Definition{
		Name: "words", Log: "in", Project: func(ev *redex.Event, ops *index.Ops) error {
			for w := range strings.FieldsSeq(string(ev.Payload)) {
				ops.Insert([]byte(w), binary.BigEndian.AppendUint64(nil, uint64(ev.Seq)))
			}
			return nil
		},
		Options: index.Options{
			AcceptLost: true, EventOf: func(_, value []byte) redex.Seq { return redex.Seq(binary.BigEndian.Uint64(value)) },
		},
	}
}

// wordsOf returns the entries of such an index that rests, after holding its counts against them.
func wordsOf(t *testing.T, x *index.Index) map[string]bool {
	t.Helper()
	keys, out := entriesOf(t, x)
	if st := x.Stats(); st.Keys != int64(len(keys)) || st.Values != int64(len(out)) {
		t.Errorf("%d keys and %d values are counted, there are %d and %d", st.Keys, st.Values, len(keys), len(out))
	}
	return out
}

func entriesOf(t *testing.T, x *index.Index) (keys, out map[string]bool) {
	t.Helper()
	keys, out = map[string]bool{}, map[string]bool{}
	for e, err := range x.Scan(t.Context(), index.Range{}) {
		if err != nil {
			t.Fatal(err)
		}
		keys[string(e.Key)] = true
		out[fmt.Sprintf("%s %d", e.Key, binary.BigEndian.Uint64(e.Value))] = true
	}
	return keys, out
}

// wordsIn returns what such an index must hold of a log.
func wordsIn(t *testing.T, l *redex.Log) map[string]bool {
	t.Helper()
	b, out := l.Bounds(), map[string]bool{}
	for ev, err := range l.Scan(t.Context(), b.Floor, b.Next) {
		if err != nil {
			t.Fatal(err)
		}
		for w := range strings.FieldsSeq(string(ev.Payload)) {
			out[fmt.Sprintf("%s %d", w, ev.Seq)] = true
		}
	}
	return out
}

func sameWords(t *testing.T, when string, got, want map[string]bool) {
	t.Helper()
	for w := range want {
		if !got[w] {
			t.Errorf("%s: %s is missing", when, w)
		}
	}
	for w := range got {
		if !want[w] {
			t.Errorf("%s: %s is there", when, w)
		}
	}
}

func holding(t *testing.T, dir, what string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), "MANIFEST-") {
			return err
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if bytes.Contains(b, []byte(what)) {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestErase redacts and trims events of an index that is open, that is closed meanwhile, and in a store that is opened again in between.
func TestErase(t *testing.T) {
	for _, how := range []string{"open", "many", "closed meanwhile", "opened again", "stopped", "retention"} {
		t.Run(how, func(t *testing.T) {
			dir, ctx := t.TempDir(), t.Context()
			o := redex.Options{Sync: redex.SyncPolicy{Mode: redex.SyncNever}, RunEvents: 64, MaintainRate: -1, Compression: redex.CompressNone}
			s, err := redex.Open(ctx, dir, o)
			if err != nil {
				t.Fatal(err)
			}
			l, d := openLog(t, s, "in"), eachWord()
			stopAt := redex.Seq(1 << 60)
			word := d.Project
			d.Project = func(ev *redex.Event, ops *index.Ops) error {
				if ev.Seq >= stopAt {
					return errBad
				}
				return word(ev, ops)
			}
			x := open(t, s, d)
			var secrets []redex.Seq
			for i := range 6000 {
				p := fmt.Sprintf("word%d other", i%50)
				if i%400 == 7 || how == "many" && i%20 == 7 {
					p, secrets = fmt.Sprintf("secret%d ", i)+p, append(secrets, redex.Seq(i))
				}
				add(t, l, p)
			}
			if err := errors.Join(x.CatchUp(short(t)), s.Maintain(ctx)); err != nil {
				t.Fatal(err)
			}
			if how == "stopped" {
				stopAt = l.Bounds().Next
				add(t, l, "bad")
				if err := x.CatchUp(short(t)); !errors.Is(err, index.ErrStopped) {
					t.Fatal(err)
				}
			}
			if len(holding(t, dir, "secret")) == 0 {
				t.Fatal("the test does not find what it looks for")
			}
			if how == "retention" {
				err = l.Trim(ctx, 5900)
			} else {
				err = l.Redact(ctx, secrets...)
			}
			if err != nil {
				t.Fatal(err)
			}
			switch how {
			case "closed meanwhile":
				closeIt(t, x)
				if err := s.Maintain(ctx); err != nil {
					t.Fatal(err)
				}
				x = open(t, s, d)
				if st := x.Stats(); !errors.Is(st.Rebuilt, index.ErrUnusable) {
					t.Errorf("it goes on with what was redacted: %+v", st)
				}
			case "opened again":
				closeIt(t, x)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if s, err = redex.Open(ctx, dir, o); err != nil {
					t.Fatal(err)
				}
				l, x = openLog(t, s, "in"), open(t, s, d)
			}
			if err := s.Maintain(ctx); err != nil {
				t.Fatal(err)
			}
			if how != "stopped" {
				if err := x.CatchUp(short(t)); err != nil {
					t.Fatal(err)
				}
				sameWords(t, "erased", wordsOf(t, x), wordsIn(t, l))
			}
			for w := range wordsOf(t, x) {
				if strings.HasPrefix(w, "secret") {
					t.Error(w)
				}
			}
			if names := holding(t, dir, "secret"); len(names) > 0 && how != "retention" { // which lets rows stay beside others
				t.Errorf("it is still in %v", names)
			}
			// It goes on as before, also opened again.
			if how != "stopped" {
				add(t, l, "more")
				closeIt(t, x)
				x = open(t, s, d)
				if st := x.Stats(); !st.Resumed {
					t.Errorf("built again for nothing: %v", st.Rebuilt)
				}
				if err := x.CatchUp(short(t)); err != nil {
					t.Fatal(err)
				}
				sameWords(t, "opened again", wordsOf(t, x), wordsIn(t, l))
			}
			closeIt(t, x)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			noGoroutines(t)
		})
	}
}

// TestSweepByItself: what retention takes leaves the index without being asked to, when it is much of it.
func TestSweepByItself(t *testing.T) {
	s := memory(t)
	l, x := openLog(t, s, "in"), open(t, s, eachWord())
	for range 10_000 {
		add(t, l, "a b")
	}
	if err := x.CatchUp(short(t)); err != nil {
		t.Fatal(err)
	}
	if err := l.Trim(t.Context(), 9000); err != nil {
		t.Fatal(err)
	}
	ctx := short(t)
	for x.Stats().Values > 2100 {
		add(t, l, "c")
		if err := x.CatchUp(ctx); err != nil {
			t.Fatalf("%v: %d values", err, x.Stats().Values)
		}
	}
	if got, want := wordsOf(t, x), wordsIn(t, l); len(got) != len(want) {
		sameWords(t, "swept", got, want)
	}
}

// TestErasePowerCuts cuts the power anywhere between redactions, trims and maintenance, again and again on one disk. What an index
// must have it has after each; after maintenance it has nothing else, and it never was built again.
func TestErasePowerCuts(t *testing.T) {
	cuts := 60
	if testing.Short() {
		cuts = 16
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 5))
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("seed", seed)
		}
	})
	d, def := simdisk.New(seed), eachWord()
	options := func(d *simdisk.Disk) redex.Options {
		o := onDisk(d, redex.SyncNever)
		o.MaintainRate = -1
		return o
	}
	redacted := 0
	for i := range cuts {
		d.CutAt(d.Ops() + 1 + r.Int64N(500))
		erasing(d, options(d), def, r)
		d = d.Restart(r.Uint64())
		s, err := redex.Open(t.Context(), "db", options(d))
		if err != nil {
			t.Fatal(i, err)
		}
		x, err := index.Open(t.Context(), s, def)
		if err != nil {
			t.Fatal(i, err)
		}
		if st := x.Stats(); st.Rebuilt != nil {
			t.Fatal(i, st.Rebuilt)
		}
		if err := x.CatchUp(short(t)); err != nil {
			t.Fatal(i, err)
		}
		l := openLog(t, s, "in")
		want := wordsIn(t, l)
		_, got := entriesOf(t, x) // which it may be sweeping
		for w := range want {
			if !got[w] {
				t.Fatalf("%d: %s is missing", i, w)
			}
		}
		if err := s.Maintain(t.Context()); err != nil {
			t.Fatal(i, err)
		}
		sameWords(t, fmt.Sprint(i), wordsOf(t, x), want)
		if l.Erased() > 0 {
			redacted++
		}
		if err := errors.Join(x.Close(), s.Close()); err != nil {
			t.Fatal(i, err)
		}
	}
	if redacted == 0 {
		t.Error("nothing was redacted")
	}
	noGoroutines(t)
}

// erasing works with a store until its disk fails.
func erasing(d *simdisk.Disk, o redex.Options, def index.Definition, r *rand.Rand) {
	untilOff(d, o, def, func(ctx context.Context, s *redex.Store, x *index.Index, l *redex.Log) {
		for {
			for range 1 + r.IntN(20) {
				p := fmt.Sprintf("w%d of%d", r.IntN(50), r.IntN(4))
				if _, err := l.Append(ctx, redex.Entry{Payload: []byte(p)}, redex.AppendOptions{}); err != nil {
					return
				}
			}
			var err error
			b := l.Bounds()
			switch r.IntN(5) {
			case 0, 1:
				if b.Next > b.Floor {
					err = l.Redact(ctx, b.Floor+redex.Seq(r.Uint64N(uint64(b.Next-b.Floor))), b.Next-1)
				}
			case 2:
				err = l.Trim(ctx, b.Floor+redex.Seq(r.Uint64N(uint64(b.Next-b.Floor)/4+1)))
			case 3:
				err = s.Maintain(ctx)
			case 4:
				err = x.CatchUp(ctx)
			}
			if err != nil {
				return
			}
		}
	})
}
