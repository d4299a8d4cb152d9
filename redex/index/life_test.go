package index_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed69692123/netdb/internal/simdisk"
	"github.com/seed69692123/netdb/redex"
	"github.com/seed69692123/netdb/redex/index"
)

func closeIt(t testing.TB, x *index.Index) {
	t.Helper()
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestReopen: what was indexed is not projected again, whatever became of the log's name.
func TestReopen(t *testing.T) {
	s := memory(t)
	l := openLog(t, s, "in")
	x := open(t, s, wordsDef())
	for i := range 1000 {
		add(t, l, fmt.Sprintf("+k%d=%d", i%3, i))
	}
	if err := x.CatchUp(short(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := index.Open(t.Context(), s, wordsDef()); !errors.Is(err, index.ErrOpen) {
		t.Fatal(err)
	}
	if err := index.Drop(t.Context(), s, "words"); !errors.Is(err, index.ErrOpen) {
		t.Fatal(err)
	}
	closeIt(t, x)
	if err := s.Rename(t.Context(), "in", "renamed"); err != nil {
		t.Fatal(err)
	}
	add(t, l, "!k0 !k1 +k2=x")
	d := wordsDef()
	d.Log = "renamed"
	x = open(t, s, d)
	if err := x.CatchUp(short(t)); err != nil {
		t.Fatal(err)
	}
	if st := x.Stats(); !st.Resumed || st.Rebuilt != nil || st.Events != 1 || st.Keys != 1 || st.Values != 334 {
		t.Fatalf("%+v", st)
	}
	closeIt(t, x)
	closeIt(t, x)
	if _, err := x.Get(t.Context(), nil); !errors.Is(err, index.ErrClosed) {
		t.Fatal(err)
	}
	if err := x.Rebuild(t.Context()); !errors.Is(err, index.ErrClosed) {
		t.Fatal(err)
	}
	// Another log that lives is not a reason to drop what is there.
	d.Log = "beside"
	if _, err := index.Open(t.Context(), s, d); !errors.Is(err, index.ErrOtherLog) || !strings.Contains(err.Error(), "renamed") {
		t.Fatal(err)
	}
	if err := index.Drop(t.Context(), s, "words"); err != nil {
		t.Fatal(err)
	}
	want(t, open(t, s, d), "")
	noKeys(t, s, "words", 1)
}

// noKeys fails when the store holds more than that many keys of the index.
func noKeys(t *testing.T, s *redex.Store, name string, most int) {
	t.Helper()
	n := 0
	for range s.Views("index/"+name).Scan(nil, nil) {
		n++
	}
	if n > most {
		t.Fatalf("%d keys of index %q, want %d", n, name, most)
	}
}

// TestChanged: what another definition wrote, or what is damaged or of another history, is built again.
func TestChanged(t *testing.T) {
	s := memory(t)
	l := openLog(t, s, "in")
	for i := range 5 {
		add(t, l, fmt.Sprintf("+k=%d", i))
	}
	d := wordsDef()
	x := open(t, s, d)
	want(t, x, "k=0 k=1 k=2 k=3 k=4")
	views := s.Views("index/words")
	meta, err := views.Get([]byte("m"))
	if err != nil {
		t.Fatal(err)
	}
	put := func(b []byte) {
		var vb redex.ViewBatch
		vb.Set([]byte("m"), b)
		if err := views.Commit(t.Context(), &vb, 0); err != nil {
			t.Fatal(err)
		}
	}
	again := func(why error, what string) {
		t.Helper()
		x = open(t, s, d)
		want(t, x, what)
		if st := x.Stats(); !errors.Is(st.Rebuilt, why) || st.Resumed != (why == nil) {
			t.Fatalf("%+v, want %v", st, why)
		}
		closeIt(t, x)
	}
	closeIt(t, x)
	again(nil, "k=0 k=1 k=2 k=3 k=4")
	d.Version = "2"
	again(index.ErrChanged, "k=0 k=1 k=2 k=3 k=4")
	again(nil, "k=0 k=1 k=2 k=3 k=4")
	d.From = 3
	again(index.ErrChanged, "k=3 k=4")
	again(nil, "k=3 k=4")
	d.From, d.Version = 0, ""
	put(meta[:len(meta)-1])
	again(index.ErrUnusable, "k=0 k=1 k=2 k=3 k=4")
	put([]byte("NDBX\x02 of a later version"))
	again(index.ErrUnusable, "k=0 k=1 k=2 k=3 k=4")
	d.From = 9 // above the end of the log
	again(index.ErrChanged, "")
	for i := range 6 {
		add(t, l, fmt.Sprintf("+k=x%d", i))
	}
	again(nil, "k=x4 k=x5")
	for _, bad := range []index.Definition{
		{Name: "a b", Log: "in", Project: words},
		{Name: "a", Log: "in"},
		{Name: "a", Log: "", Project: words},
		{Name: "a", Log: "in", Project: words, Version: strings.Repeat("v", 129)},
		{Name: "a", Log: "in", Project: words, Options: index.Options{Policy: 9}},
	} {
		if _, err := index.Open(t.Context(), s, bad); !errors.Is(err, index.ErrDefinition) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// TestDeletedLog: an index goes with its log, and a log of the same name is another.
func TestDeletedLog(t *testing.T) {
	for _, opened := range []bool{true, false} {
		t.Run(fmt.Sprintf("open=%v", opened), func(t *testing.T) {
			s := memory(t)
			l := openLog(t, s, "in")
			x := open(t, s, wordsDef())
			p := add(t, l, "+old=1")
			if err := x.Wait(short(t), p); err != nil {
				t.Fatal(err)
			}
			if !opened {
				closeIt(t, x)
			}
			waiting := make(chan error, 1)
			if opened {
				go func() { waiting <- x.WaitFor(short(t), 7) }()
			}
			if err := s.Delete(t.Context(), "in"); err != nil {
				t.Fatal(err)
			}
			if opened {
				if err := <-waiting; !errors.Is(err, redex.ErrLogDeleted) || errors.Is(err, index.ErrStopped) || errors.Is(err, index.ErrClosed) {
					t.Fatal(err)
				}
				_, err := x.Get(t.Context(), []byte("old"))
				for i, err := range []error{err, x.Err(), x.WaitFor(short(t), 0), x.Rebuild(short(t))} {
					if !errors.Is(err, redex.ErrLogDeleted) {
						t.Errorf("%d: %v", i, err)
					}
				}
				closeIt(t, x)
				noKeys(t, s, "words", 0)
			}
			l = openLog(t, s, "in")
			add(t, l, "+new=1")
			x = open(t, s, wordsDef())
			want(t, x, "new=1")
			if st := x.Stats(); !opened && !errors.Is(st.Rebuilt, index.ErrUnusable) || st.Resumed {
				t.Fatalf("%+v", st)
			}
			if err := x.Wait(short(t), p); !errors.Is(err, index.ErrForeign) {
				t.Fatal(err)
			}
			closeIt(t, x)
		})
	}
	noGoroutines(t)
}

// gate is a projection that can be held.
type gate struct {
	reached, goOn chan struct{}
	at            redex.Seq
}

func newGate(at redex.Seq) *gate { return &gate{make(chan struct{}), make(chan struct{}), at} }

func (g *gate) project(ev *redex.Event, ops *index.Ops) error {
	if ev.Seq == g.at {
		close(g.reached)
		<-g.goOn
	}
	return words(ev, ops)
}

// TestLost has retention overtake an index, before it is opened and while it works.
func TestLost(t *testing.T) {
	for _, accept := range []bool{false, true} {
		t.Run(fmt.Sprintf("accept=%v", accept), func(t *testing.T) {
			s := memory(t)
			l := openLog(t, s, "in")
			fill := func() {
				for range 10 {
					add(t, l, fmt.Sprintf("+k=%02d", l.Bounds().Next))
				}
			}
			trim := func(to redex.Seq) {
				if err := l.Trim(t.Context(), to); err != nil {
					t.Fatal(err)
				}
				if err := s.Seal(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			fill()
			trim(8)
			d := wordsDef()
			d.Options.AcceptLost = accept
			x := open(t, s, d)
			stopped := func(x *index.Index, from, to redex.Seq) {
				t.Helper()
				err := x.CatchUp(short(t))
				st, ok := errors.AsType[*index.StoppedError](err)
				lost, ok2 := errors.AsType[*redex.RangeLostError](err)
				if !ok || !ok2 || st.Seq != from || lost.From != from || lost.To != to || st.Index != "words" || st.Log != "in" {
					t.Fatal(err)
				}
			}
			if !accept {
				stopped(x, 0, 8)
				closeIt(t, x)
				d.From = 8
				x = open(t, s, d)
			}
			want(t, x, "k=08 k=09")
			closeIt(t, x)

			// While it works: it is held at 10, and everything it could have read ahead is given up.
			g := newGate(10)
			d.Project = g.project
			x = open(t, s, d)
			add(t, l, "+k=10")
			<-g.reached
			fill()
			trim(19)
			close(g.goOn)
			if !accept {
				stopped(x, 11, 19)
				if got := dump(t, x); got != "k=08 k=09 k=10" {
					t.Fatal(got)
				}
				return
			}
			want(t, x, "k=08 k=09 k=10 k=19 k=20")
			closeIt(t, x)
			d.Project = words
			x = open(t, s, d)
			var lost []string
			for r, err := range x.Lost(t.Context()) {
				lost = append(lost, fmt.Sprint(r.From, r.To, err, strings.Contains(r.Reason, "are gone")))
			}
			if got := strings.Join(lost, ", "); got != "0 8 <nil> true, 11 19 <nil> true" || x.Stats().Lost != 2 {
				t.Fatal(got, x.Stats().Lost)
			}
			for seq, gone := range []bool{0: true, 7: true, 8: false, 10: false, 11: true, 18: true, 19: false, 20: false} {
				if seq > 0 && seq < 7 || seq > 11 && seq < 18 {
					gone = true
				}
				if err := x.WaitFor(short(t), redex.Seq(seq)); gone != errors.Is(err, redex.ErrRangeLost) || !gone && err != nil {
					t.Errorf("%d: %v", seq, err)
				}
			}
		})
	}
}

// TestFailing: a projection that fails, panics or goes over a limit changes nothing, and the index stops there or goes on.
func TestFailing(t *testing.T) {
	big := strings.Repeat("x", index.MaxValueBytes+1)
	for _, c := range []struct {
		event string
		check func(error) bool
	}{
		{"+a=1 bad", func(err error) bool { return errors.Is(err, errBad) }},
		{"+a=1 panic", func(err error) bool {
			p, ok := errors.AsType[*redex.PanicError](err)
			return ok && p.Value == "at the word" && strings.Contains(string(p.Stack), "words")
		}},
		{"+a=1 +b=" + big, func(err error) bool { return errors.Is(err, index.ErrTooLarge) }},
		{"+a=1 !" + big[:index.MaxKeyBytes+1], func(err error) bool { return errors.Is(err, index.ErrTooLarge) }},
	} {
		for _, policy := range []index.Policy{index.Stop, index.Skip} {
			t.Run(fmt.Sprintf("%.10s/%v", c.event, policy), func(t *testing.T) {
				s := memory(t)
				l := openLog(t, s, "in")
				d := wordsDef()
				d.Options.Policy = policy
				x := open(t, s, d)
				add(t, l, "+k=0")
				add(t, l, c.event)
				add(t, l, "+k=2")
				if policy == index.Stop {
					for _, err := range []error{x.WaitFor(short(t), 1), x.WaitFor(short(t), 2), x.CatchUp(short(t)), x.Err()} {
						st, ok := errors.AsType[*index.StoppedError](err)
						if !ok || !errors.Is(err, index.ErrStopped) || st.Seq != 1 || !c.check(err) {
							t.Fatal(err)
						}
					}
					if err := x.WaitFor(short(t), 0); err != nil {
						t.Fatal(err)
					}
					if got := dump(t, x); got != "k=0" {
						t.Fatal(got)
					}
					closeIt(t, x)
					// It goes on there when it is opened again.
					d.Project = func(ev *redex.Event, ops *index.Ops) error {
						if ev.Seq == 0 {
							t.Error("sequence 0 again")
						}
						ops.Insert([]byte("k"), fmt.Append(nil, ev.Seq))
						return nil
					}
					x = open(t, s, d)
					want(t, x, "k=0 k=1 k=2")
					return
				}
				want(t, x, "k=0 k=2")
				closeIt(t, x)
				x = open(t, s, d)
				if err := errors.Join(x.WaitFor(short(t), 0), x.WaitFor(short(t), 2)); err != nil {
					t.Fatal(err)
				}
				err := x.WaitFor(short(t), 1)
				if sk, ok := errors.AsType[*index.SkippedError](err); !ok || !errors.Is(err, index.ErrSkipped) || sk.Seq != 1 || sk.Reason == "" {
					t.Fatal(err)
				}
				n := 0
				for e, err := range x.Skipped(t.Context()) {
					if n++; err != nil || e.Seq != 1 || e.Reason == "" {
						t.Fatal(e, err)
					}
				}
				if n != 1 || x.Stats().Skipped != 1 {
					t.Fatal(n, x.Stats().Skipped)
				}
			})
		}
	}
}

// TestUndecodable: one bad payload does not stop an index, an event of a later program does.
func TestUndecodable(t *testing.T) {
	s := memory(t)
	l := openLog(t, s, "in")
	typed, err := redex.NewTyped(l, redex.TypedOptions[string]{Codec: redex.JSONCodec[string](), Schema: 1})
	if err != nil {
		t.Fatal(err)
	}
	d := index.Definition{Name: "typed", Log: "in", Project: func(ev *redex.Event, ops *index.Ops) error {
		v, err := typed.Decode(ev)
		ops.Insert([]byte(v), fmt.Append(nil, ev.Seq))
		return err
	}}
	for _, e := range []redex.Entry{
		{Encoding: redex.JSON, SchemaVersion: 1, Payload: []byte(`"a"`)},
		{Encoding: redex.JSON, SchemaVersion: 1, Payload: []byte(`7`)},
		{Encoding: redex.Raw, SchemaVersion: 1},
		{Encoding: redex.JSON, SchemaVersion: 1, Payload: []byte(`"b"`)},
		{Encoding: redex.JSON, SchemaVersion: 2, Payload: []byte(`"c"`)},
	} {
		if _, err := l.Append(t.Context(), e, redex.AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	x := open(t, s, d)
	if st, ok := errors.AsType[*index.StoppedError](x.CatchUp(short(t))); !ok || st.Seq != 4 || !errors.Is(st, redex.ErrNewerSchema) {
		t.Fatal(st)
	}
	if got := dump(t, x); got != "a=0 b=3" || x.Stats().Skipped != 2 {
		t.Fatal(got, x.Stats())
	}
}

// TestRebuild: also a stopped index begins again.
func TestRebuild(t *testing.T) {
	s := memory(t)
	l := openLog(t, s, "in")
	var fixed atomic.Bool
	d := wordsDef()
	d.Project = func(ev *redex.Event, ops *index.Ops) error {
		if fixed.Load() {
			ops.Insert([]byte("fixed"), fmt.Append(nil, ev.Seq))
			return nil
		}
		return words(ev, ops)
	}
	x := open(t, s, d)
	add(t, l, "+k=1")
	add(t, l, "bad")
	if err := x.CatchUp(short(t)); !errors.Is(err, index.ErrStopped) {
		t.Fatal(err)
	}
	fixed.Store(true)
	if err := x.Rebuild(short(t)); err != nil {
		t.Fatal(err)
	}
	want(t, x, "fixed=0 fixed=1")
	if err := x.Err(); err != nil {
		t.Fatal(err)
	}
}

// TestFullDisk: on a full disk the index waits for room, and says so; then it goes on by itself.
func TestFullDisk(t *testing.T) {
	d := simdisk.New(1)
	s, err := redex.Open(t.Context(), "db", onDisk(d, redex.SyncAlways))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := openLog(t, s, "in")
	const events, each = 100, 8
	for range events {
		add(t, l, "an event")
	}
	d.SetFull(true)
	def := wordsDef()
	def.Project = func(ev *redex.Event, ops *index.Ops) error { // far more than fits into memory
		value := make([]byte, index.MaxValueBytes)
		for i := range each {
			value[0], value[1] = byte(ev.Seq), byte(i)
			ops.Insert([]byte("k"), value)
		}
		return nil
	}
	x := open(t, s, def)
	for x.Stats().CommitErr == nil {
		if x.Err() != nil || x.Lag().Events == 0 {
			t.Fatalf("%+v", x.Stats())
		}
		runtime.Gosched()
	}
	st := x.Stats()
	over, stop := context.WithCancel(t.Context())
	stop()
	if err := x.CatchUp(over); !errors.Is(st.CommitErr, redex.ErrReadOnly) || st.Err != nil || !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, %+v", err, st)
	}
	last := make([]byte, index.MaxValueBytes)
	if last[0], last[1] = byte(st.Next-1), each-1; st.Next > 0 {
		if has, err := x.Contains([]byte("k"), last); err != nil || !has {
			t.Fatalf("%v, %v: not in the index, which is at %d", has, err, st.Next)
		}
	}
	d.SetFull(false)
	if err := x.CatchUp(short(t)); err != nil {
		t.Fatal(err)
	}
	if st := x.Stats(); st.CommitErr != nil || st.Values != events*each {
		t.Fatalf("%+v", st)
	}
	closeIt(t, x)
}

// TestReadOnly: in a store that is open read-only the index stays where it is.
func TestReadOnly(t *testing.T) {
	d := simdisk.New(1)
	s, err := redex.Open(t.Context(), "db", onDisk(d, redex.SyncAlways))
	if err != nil {
		t.Fatal(err)
	}
	l := openLog(t, s, "in")
	x := open(t, s, wordsDef())
	add(t, l, "+k=1")
	want(t, x, "k=1")
	closeIt(t, x)
	add(t, l, "+k=2")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	o := onDisk(d, redex.SyncAlways)
	o.ReadOnly = true
	if s, err = redex.Open(t.Context(), "db", o); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	x = open(t, s, wordsDef())
	if got := dump(t, x); got != "k=1" {
		t.Fatal(got)
	}
	if err := x.WaitFor(short(t), 0); err != nil {
		t.Fatal(err)
	}
	if err := x.WaitFor(short(t), 1); !errors.Is(err, index.ErrStopped) || !errors.Is(err, redex.ErrReadOnly) {
		t.Fatal(err)
	}
	if lag := x.Lag(); lag.Events != 1 {
		t.Fatal(lag)
	}
	if err := x.Rebuild(short(t)); !errors.Is(err, redex.ErrReadOnly) {
		t.Fatal(err)
	}
	closeIt(t, x)
	v := wordsDef()
	v.Version = "2"
	if _, err := index.Open(t.Context(), s, v); !errors.Is(err, redex.ErrReadOnly) {
		t.Fatal(err)
	}
}

// TestStoreCloses: an index ends with its store, and what it had not committed is projected again.
func TestStoreCloses(t *testing.T) {
	d := simdisk.New(1)
	s, err := redex.Open(t.Context(), "db", onDisk(d, redex.SyncAlways))
	if err != nil {
		t.Fatal(err)
	}
	l := openLog(t, s, "in")
	def := wordsDef()
	def.Options.Every = time.Hour
	x := open(t, s, def)
	for i := range 100 {
		add(t, l, fmt.Sprintf("+k=%02d", i))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := x.WaitFor(short(t), 1000); !errors.Is(err, index.ErrClosed) {
		t.Fatal(err)
	}
	closeIt(t, x)
	noGoroutines(t)
	if s, err = redex.Open(t.Context(), "db", onDisk(d, redex.SyncAlways)); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	x = open(t, s, def)
	l = openLog(t, s, "in")
	for i := range int64(20) { // a wait wakes the index, which else would let its batch be for an hour
		for x.Stats().Events < 100+i {
			runtime.Gosched()
		}
		if err := x.CatchUp(short(t)); err != nil {
			t.Fatal(err)
		}
		add(t, l, fmt.Sprintf("+k=more%d", i))
	}
	if st := x.Stats(); st.Values < 119 {
		t.Fatalf("%+v", st)
	}
	closeIt(t, x)
}
