package redex

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seed69692123/netdb/internal/simdisk"
)

// TestFailedSync has a sync fail: the append is in doubt, later writes fail with the cause, reads go on, and what is there after
// the restart is what had been durable.
func TestFailedSync(t *testing.T) {
	ctx := t.Context()
	d := simdisk.New(5)
	o := crashOptions(d)
	o.SealBytes, o.JournalBytes = 64<<10, 1<<20
	s := mustOpen(t, "/store", o)
	l := mustLog(t, s, "a")
	durable := AppendOptions{Durable: DurableYes}
	if _, err := l.Append(ctx, Entry{Payload: []byte("kept")}, durable); err != nil {
		t.Fatal(err)
	}
	var failed error
	for i := 0; failed == nil; i++ {
		if i == 100 {
			t.Fatal("no sync failed")
		}
		d.FailAt(d.Ops()+2, simdisk.IOError) // the frame is one operation, its sync the next
		var a Appended
		a, failed = l.Append(ctx, Entry{Payload: []byte("in doubt")}, durable)
		if doubt, ok := errors.AsType[*InDoubtError](failed); failed != nil && (!ok || doubt.Position != a.Position) {
			t.Fatalf("append whose sync failed: %v", failed)
		}
	}
	if !errors.Is(failed, ErrInDoubt) || !errors.Is(failed, ErrFailed) {
		t.Fatalf("append whose sync failed: %v", failed)
	}
	_, err1 := l.Append(ctx, Entry{}, AppendOptions{})
	_, err2 := s.Create(ctx, "b", LogOptions{})
	for i, err := range []error{err1, err2, s.Sync(ctx), s.Seal(ctx), s.Views("v").Commit(ctx, &ViewBatch{}, s.Cut().Ordinal)} {
		if !errors.Is(err, ErrFailed) {
			t.Errorf("write %d after the failure: %v", i, err)
		}
	}
	if ev, err := l.Read(ctx, 0); err != nil || string(ev.Payload) != "kept" {
		t.Errorf("read after the failure: %q, %v", ev.Payload, err)
	}
	tail := l.Tail(l.Bounds().Next-1, TailOptions{Durable: true})
	if tail.Next(ctx) || !errors.Is(tail.Err(), ErrFailed) {
		t.Errorf("tail of durable events: %v", tail.Err())
	}
	if err := tail.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); !errors.Is(err, ErrFailed) {
		t.Errorf("close: %v", err)
	}
	s = mustOpen(t, "/store", crashOptions(d.Kill(1)))
	defer mustClose(t, s)
	if ev, err := mustLog(t, s, "a").Read(ctx, 0); err != nil || string(ev.Payload) != "kept" {
		t.Errorf("read after the restart: %q, %v", ev.Payload, err)
	}
	if s.Epoch() < 2 {
		t.Errorf("epoch %d after events may have been lost", s.Epoch())
	}
}

// TestDiskFull fills the disk: appends fail with the cause, nothing is lost, and when there is room again they go on.
func TestDiskFull(t *testing.T) {
	ctx := t.Context()
	d := simdisk.New(6)
	o := crashOptions(d)
	s := mustOpen(t, "/store", o)
	l := mustLog(t, s, "a")
	put := func(n Seq) error {
		_, err := l.Append(ctx, Entry{Payload: fmt.Appendf(nil, "%d %01000d", n, 0)}, AppendOptions{})
		return err
	}
	next := Seq(0)
	for ; next < 100; next++ {
		if err := put(next); err != nil {
			t.Fatal(err)
		}
	}
	d.SetFull(true)
	var err error
	for ; err == nil && next < 10000; next++ {
		err = put(next)
	}
	next--
	if !errors.Is(err, ErrReadOnly) {
		t.Fatalf("append to a full disk: %v", err)
	}
	if b := l.Bounds(); b.Next != next {
		t.Fatalf("%d events, want %d", b.Next, next)
	}
	if err := s.Seal(ctx); !errors.Is(err, ErrReadOnly) {
		t.Fatalf("seal on a full disk: %v", err)
	}
	d.SetFull(false)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); runtime.Gosched() { // the background notices the room by itself
		if err = put(next); err == nil || errors.Is(err, ErrFailed) {
			break
		}
	}
	if err != nil {
		t.Fatalf("append after there was room again: %v", err)
	}
	next++
	if err := s.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	at := Seq(0)
	for ev, err := range l.Scan(ctx, 0, maxSeq) {
		if err != nil || string(ev.Payload) != fmt.Sprintf("%d %01000d", at, 0) {
			t.Fatalf("sequence %d: %.20q, %v", at, ev.Payload, err)
		}
		at++
	}
	if at != next {
		t.Fatalf("%d events, want %d", at, next)
	}
	mustClose(t, s)
}

func TestOneInstance(t *testing.T) {
	s := mustOpen(t, t.TempDir()+"/store", Options{Sync: SyncPolicy{Mode: SyncNever}})
	defer mustClose(t, s)
	const n = 16
	for round := range 20 {
		name := fmt.Sprint("log/", round)
		got := make(chan *Log, n)
		for range n {
			go func() {
				l, err := s.OpenLog(t.Context(), name, LogOptions{})
				if err != nil {
					t.Error(err)
				}
				got <- l
			}()
		}
		first := <-got
		for range n - 1 {
			if l := <-got; l != first {
				t.Fatalf("two instances of %v: %v", first, l)
			}
		}
		if round%3 == 0 {
			if err := s.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
			runtime.GC()
		}
	}
}

func TestStats(t *testing.T) {
	s := mustOpen(t, t.TempDir()+"/store", Options{RunEvents: 4})
	defer mustClose(t, s)
	l := mustLog(t, s, "a")
	ctx := t.Context()
	seal := func() {
		if err := s.Seal(ctx); err != nil {
			t.Fatal(err)
		}
	}
	mustAppend(t, l, "one", "two")
	seal()
	if st := l.Stats(); st.RowEvents != 2 || st.RowBytes == 0 || st.Runs != 0 || st.HotEvents != 0 {
		t.Errorf("rows: %+v", st)
	}
	mustAppend(t, l, "three", "four", "five")
	a := mustAppend(t, l, "six")
	if st := l.Stats(); st.RowEvents != 2 || st.HotEvents != 4 || st.LastTime != a.Time || st.Bounds != (Bounds{0, 6}) {
		t.Errorf("rows and hot: %+v", st)
	}
	seal()
	if st := l.Stats(); st.RowEvents != 0 || st.RowBytes != 0 || st.Runs != 1 || st.RawBytes != 22 || st.HotEvents != 0 || st.StoredBytes == 0 || st.LastTime != a.Time {
		t.Errorf("run: %+v", st)
	}
	if err := l.Trim(ctx, 6); err != nil {
		t.Fatal(err)
	}
	seal()
	if st := l.Stats(); st.Runs != 0 || st.RawBytes != 0 || st.StoredBytes != 0 || st.LastTime != a.Time || st.Bounds != (Bounds{6, 6}) {
		t.Errorf("nothing: %+v", st)
	}
	m := s.Metrics()
	if m.Appends != 3 || m.SealPasses != 3 || m.UnsealedBytes != 0 || m.HotBytes != 0 || m.SealError != nil || m.Journal.Syncs == 0 {
		t.Errorf("%+v", m)
	}
	if a := mustAppend(t, l, "seven"); a.First != 6 {
		t.Errorf("numbering went on at %d", a.First)
	}
}

// TestTrimWaitsForTheDisk has the sync of a trim fail: readers keep the events, as they have them after a crash.
func TestTrimWaitsForTheDisk(t *testing.T) {
	ctx := t.Context()
	d := simdisk.New(7)
	s := mustOpen(t, "/store", crashOptions(d))
	l := mustLog(t, s, "a")
	mustAppend(t, l, "one", "two", "three")
	if err := s.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	d.SetFaults(func(c simdisk.Call) simdisk.Fault {
		if c.Kind == simdisk.Sync {
			return simdisk.IOError
		}
		return simdisk.NoFault
	})
	if err := l.Trim(ctx, 2); !errors.Is(err, ErrInDoubt) || !errors.Is(err, ErrFailed) {
		t.Fatalf("trim whose sync failed: %v", err)
	}
	if b := l.Bounds(); b != (Bounds{0, 3}) {
		t.Errorf("bounds %v after it", b)
	}
	if ev, err := l.Read(ctx, 0); err != nil || string(ev.Payload) != "one" {
		t.Errorf("read after it: %q, %v", ev.Payload, err)
	}
	if err := s.Close(); !errors.Is(err, ErrFailed) {
		t.Error(err)
	}
}

// TestEmptyPayloads appends events without a payload: they count for bounds in bytes all the same.
func TestEmptyPayloads(t *testing.T) {
	ctx := t.Context()
	s := mustOpen(t, t.TempDir()+"/store", Options{Sync: SyncPolicy{Mode: SyncNever}})
	defer mustClose(t, s)
	l, err := s.Create(ctx, "a", LogOptions{Quota: Quota{Bytes: 1000}})
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		if _, err := l.Append(ctx, Entry{}, AppendOptions{}); errors.Is(err, ErrQuota) {
			break
		} else if err != nil || n > 1000 {
			t.Fatalf("%d events without a payload under a quota of 1000 bytes: %v", n, err)
		}
	}
	if m := s.Metrics(); m.UnsealedBytes < 100 || m.Journal.AtRiskBytes < 100 {
		t.Errorf("%d bytes are not sealed, %d at risk", m.UnsealedBytes, m.Journal.AtRiskBytes)
	}
}

// TestFullDiskKeepsNoSegments fills the disk so that the catalog cannot be flushed. Files of the journal that wait to be used again make
// room then.
func TestFullDiskKeepsNoSegments(t *testing.T) {
	d := simdisk.New(8)
	o := crashOptions(d)
	o.SealBytes = 64 << 10
	s := mustOpen(t, "/store", o)
	l := mustLog(t, s, "a")
	put := func(payload string) {
		t.Helper()
		if _, err := l.Append(t.Context(), Entry{Payload: []byte(payload)}, AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 64 {
		put(strings.Repeat("x", 6<<10))
		if i%8 == 7 {
			if err := s.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	put("a row of the catalog")
	before := s.j.Stats().AllocatedBytes
	d.SetFull(true)
	if err := s.Seal(t.Context()); !errors.Is(err, ErrReadOnly) {
		t.Errorf("seal on a full disk: %v", err)
	}
	if now := s.j.Stats().AllocatedBytes; now >= before {
		t.Errorf("%d bytes of segments, %d before the disk was full", now, before)
	}
	d.SetFull(false)
	mustClose(t, s)
}
