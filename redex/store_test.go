package redex

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func mustOpen(t testing.TB, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustClose(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func mustLog(t testing.TB, s *Store, name string) *Log {
	t.Helper()
	l, err := s.OpenLog(context.Background(), name, LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustAppend(t testing.TB, l *Log, payloads ...string) Appended {
	t.Helper()
	es := make([]Entry, len(payloads))
	for i, p := range payloads {
		es[i].Payload = []byte(p)
	}
	a, err := l.AppendBatch(context.Background(), es, AppendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestCheckName(t *testing.T) {
	for _, name := range []string{"a", "A-Z_0.9/b", ".a", "a..b", "...", strings.Repeat("a", 255)} {
		if err := CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "/", "a/", "/a", "a//b", ".", "..", "a/./b", "a/..", "a b", "ä", "a\x00", "a\\b", strings.Repeat("a", 256)} {
		if err := CheckName(name); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestLocked(t *testing.T) {
	dir := t.TempDir() + "/store"
	s := mustOpen(t, dir, Options{})
	_, err := Open(t.Context(), dir, Options{})
	l, ok := errors.AsType[*LockedError](err)
	host, _ := os.Hostname()
	if !ok || !errors.Is(err, ErrLocked) || l.PID != os.Getpid() || l.Host != host {
		t.Fatalf("second open: %v", err)
	}
	if _, err := Open(t.Context(), dir, Options{ReadOnly: true}); !errors.Is(err, ErrLocked) {
		t.Fatalf("open to read while it is written: %v", err)
	}
	mustClose(t, s)
	mustClose(t, s)
	s = mustOpen(t, dir, Options{})
	mustClose(t, s)

	// Readers keep a writer out, but not each other. The LOCK file names neither.
	r1, r2 := mustOpen(t, dir, Options{ReadOnly: true}), mustOpen(t, dir, Options{ReadOnly: true})
	_, err = Open(t.Context(), dir, Options{})
	if l, ok := errors.AsType[*LockedError](err); !ok || !l.Readers || l.PID != 0 {
		t.Errorf("open to write while it is read: %v", err)
	}
	mustClose(t, r1)
	mustClose(t, r2)
	s = mustOpen(t, dir, Options{})
	mustClose(t, s)
}

func TestCopied(t *testing.T) {
	if info, err := os.Stat(t.TempDir()); err != nil || inode(info) == 0 {
		return // inodes are not known here
	}
	base := t.TempDir()
	dir := base + "/store"
	s := mustOpen(t, dir, Options{})
	mustAppend(t, mustLog(t, s, "a"), "x")
	copyTree(t, dir, base+"/open")
	mustClose(t, s)
	copyTree(t, dir, base+"/closed")
	for _, o := range []Options{{}, {ReadOnly: true}} {
		if _, err := Open(t.Context(), base+"/open", o); !errors.Is(err, ErrCopied) {
			t.Errorf("open a copy of an open store: %v", err)
		}
	}
	s = mustOpen(t, base+"/closed", Options{})
	mustClose(t, s)
	if err := os.Rename(dir, base+"/moved"); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, base+"/moved", Options{})
	mustClose(t, s)
}

func TestForeignDirectory(t *testing.T) {
	other := t.TempDir()
	if err := os.WriteFile(other+"/precious.txt", []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	file := other + "/precious.txt"
	newer := t.TempDir()
	if err := os.WriteFile(newer+"/FORMAT", []byte("netdb store\nformat 99\nid of another kind\nmore\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{other: "not the directory of a store", file: "not a directory", newer: "format 99"} {
		for _, o := range []Options{{}, {ReadOnly: true}} {
			if _, err := Open(t.Context(), dir, o); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", dir, err, want)
			}
		}
	}
	for _, dir := range []string{other, newer} {
		names, err := os.ReadDir(dir)
		if err != nil || len(names) != 1 {
			t.Errorf("%s: something was made in it: %v", dir, names)
		}
	}
	if _, err := Open(t.Context(), t.TempDir()+"/none", Options{ReadOnly: true}); !errors.Is(err, ErrFormat) {
		t.Errorf("open to read what is not there: %v", err)
	}
}

func TestMissingParts(t *testing.T) {
	for _, part := range []string{journalDir, catalogDir, rowsDir} {
		dir := t.TempDir() + "/store"
		s := mustOpen(t, dir, Options{})
		mustAppend(t, mustLog(t, s, "a"), "x")
		mustClose(t, s)
		if err := os.RemoveAll(filepath.Join(dir, part)); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), dir, Options{}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("open without %s: %v", part, err)
		}
	}
}

func TestOptionsValidate(t *testing.T) {
	err := Options{SealBytes: 1, RunEvents: -1, SegmentBytes: 5, Sync: SyncPolicy{Mode: SyncNever, Every: 1}}.Validate()
	for _, want := range []string{"SealBytes", "RunEvents", "SegmentBytes", "SyncInterval"} {
		if !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: does not speak of %s", err, want)
		}
	}
	if _, err := Open(t.Context(), t.TempDir()+"/s", Options{RunEvents: -1}); !errors.Is(err, ErrOptions) {
		t.Error(err)
	}
}

func TestReadOnly(t *testing.T) {
	dir := t.TempDir() + "/store"
	s := mustOpen(t, dir, Options{RunEvents: 3})
	l := mustLog(t, s, "a")
	mustAppend(t, l, "0", "1", "2", "3")
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, "4", "5")
	mustClose(t, s)
	list := func() string {
		var b strings.Builder
		if err := filepath.Walk(dir, func(p string, i os.FileInfo, err error) error {
			fmt.Fprintln(&b, p, i.Size(), i.ModTime())
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	before := list()
	a, b := mustOpen(t, dir, Options{ReadOnly: true}), mustOpen(t, dir, Options{ReadOnly: true})
	for _, s := range []*Store{a, b} {
		l, err := s.Log("a")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for ev, err := range l.Scan(t.Context(), 0, maxSeq) {
			if err != nil || string(ev.Payload) != strconv.Itoa(n) {
				t.Fatal(n, ev, err)
			}
			n++
		}
		if n != 6 {
			t.Fatal(n)
		}
		ctx := t.Context()
		_, err1 := l.Append(ctx, Entry{}, AppendOptions{})
		_, err2 := s.Create(ctx, "b", LogOptions{})
		for i, err := range []error{err1, err2, s.Delete(ctx, "a"), l.Trim(ctx, 1), s.Seal(ctx), s.Views("v").Commit(ctx, &ViewBatch{}, 0)} {
			if !errors.Is(err, ErrReadOnly) {
				t.Errorf("write %d: %v", i, err)
			}
		}
		if rep, err := s.Check(ctx); err != nil || len(rep.Damage) > 0 {
			t.Error(rep, err)
		}
	}
	mustClose(t, a)
	mustClose(t, b)
	if after := list(); after != before {
		t.Errorf("reading changed the directory from\n%s to\n%s", before, after)
	}
}

func TestLimits(t *testing.T) {
	s, err := OpenMemory(t.Context(), Options{SegmentBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := mustLog(t, s, "a")
	for _, e := range []Entry{{Payload: make([]byte, MaxPayloadBytes+1)}, {Key: make([]byte, MaxKeyBytes+1)}, {Headers: []Header{{Value: make([]byte, MaxHeaderBytes+1)}}}, {Headers: make([]Header, MaxHeaders+1)}} {
		if _, err := l.Append(t.Context(), e, AppendOptions{}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("too large an entry: %v", err)
		}
	}
	if _, err := l.AppendBatch(t.Context(), nil, AppendOptions{}); !errors.Is(err, ErrEmptyBatch) {
		t.Error(err)
	}
	big := []Entry{{Payload: make([]byte, 200<<10)}, {Payload: make([]byte, 200<<10)}}
	if _, err := l.AppendBatch(t.Context(), big, AppendOptions{}); !errors.Is(err, ErrBatchTooLarge) {
		t.Error(err)
	}
	if _, err := l.Append(t.Context(), Entry{Payload: make([]byte, 900<<10)}, AppendOptions{}); !errors.Is(err, ErrBatchTooLarge) {
		t.Error(err)
	}
	if _, err := l.Append(t.Context(), Entry{Encoding: 7}, AppendOptions{}); err == nil {
		t.Error("unknown encoding was taken")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Append(ctx, Entry{}, AppendOptions{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if b := l.Bounds(); b != (Bounds{}) {
		t.Errorf("refused appends left %v", b)
	}
	full := Entry{Payload: make([]byte, MaxPayloadBytes), Key: make([]byte, MaxKeyBytes), Headers: []Header{{Value: make([]byte, MaxHeaderBytes)}}}
	d, err := OpenMemory(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	dl := mustLog(t, d, "a")
	if _, err := dl.Append(t.Context(), full, AppendOptions{}); err != nil {
		t.Fatalf("the largest entry: %v", err)
	}
	for range 2 {
		ev, err := dl.Latest(t.Context())
		if err != nil || len(ev.Payload) != MaxPayloadBytes || len(ev.Key) != MaxKeyBytes {
			t.Fatal(err)
		}
		if err := d.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestIdempotencyWindow(t *testing.T) {
	dir := t.TempDir() + "/store"
	s := mustOpen(t, dir, Options{Sync: SyncPolicy{Mode: SyncNever}})
	ctx := t.Context()
	put := func(n uint64) (Appended, error) {
		return mustLog(t, s, "a").Append(ctx, Entry{Origin: 9, Idempotency: n, Payload: strconv.AppendUint(nil, n, 10)}, AppendOptions{})
	}
	for n := uint64(1); n <= windowNumbers+100; n++ {
		if a, err := put(n); err != nil || a.Seq != Seq(n-1) {
			t.Fatal(n, a, err)
		}
	}
	for range 3 {
		for _, n := range []uint64{1, 100} {
			if _, err := put(n); !errors.Is(err, ErrTooOld) {
				t.Fatalf("number %d: %v", n, err)
			}
		}
		for _, n := range []uint64{101, 500, windowNumbers + 100} {
			if a, err := put(n); err != nil || a.Duplicates != 1 || a.Seq != Seq(n-1) {
				t.Fatalf("number %d: %+v, %v", n, a, err)
			}
		}
		if err := s.Seal(ctx); err != nil {
			t.Fatal(err)
		}
		mustClose(t, s)
		s = mustOpen(t, dir, Options{Sync: SyncPolicy{Mode: SyncNever}})
	}
	if n := mustLog(t, s, "a").Bounds().Next; n != windowNumbers+100 {
		t.Fatalf("%d events", n)
	}
	mustClose(t, s)
}

func TestClosed(t *testing.T) {
	s := mustOpen(t, t.TempDir()+"/store", Options{})
	l := mustLog(t, s, "a")
	mustAppend(t, l, "x")
	tail := l.Tail(1, TailOptions{})
	got := make(chan error)
	go func() {
		tail.Next(context.Background())
		got <- tail.Err()
	}()
	mustClose(t, s)
	if err := <-got; !errors.Is(err, ErrClosed) {
		t.Errorf("tail: %v", err)
	}
	if err := tail.Close(); err != nil {
		t.Error(err)
	}
	ctx := t.Context()
	_, err1 := l.Append(ctx, Entry{}, AppendOptions{})
	_, err2 := l.Read(ctx, 0)
	_, err3 := s.Log("a")
	_, err4 := s.Create(ctx, "b", LogOptions{})
	_, err5 := s.Check(ctx)
	for i, err := range []error{err1, err2, err3, err4, err5, s.Seal(ctx), s.Views("v").Commit(ctx, &ViewBatch{}, 0)} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("operation %d: %v", i, err)
		}
	}
}

// TestAppendClose closes a store while eight goroutines append: what was acknowledged is there afterwards, nothing else.
func TestAppendClose(t *testing.T) {
	dir := t.TempDir() + "/store"
	s := mustOpen(t, dir, Options{SealBytes: 8 << 10})
	l := mustLog(t, s, "a")
	var mu sync.Mutex
	acked := map[Seq]string{}
	var wg sync.WaitGroup
	started := make(chan struct{}, 800)
	for g := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				p := fmt.Sprint(g, i)
				a, err := l.Append(context.Background(), Entry{Payload: []byte(p)}, AppendOptions{})
				if err != nil {
					if !errors.Is(err, ErrClosed) && !errors.Is(err, ErrInDoubt) {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				acked[a.Seq] = p
				mu.Unlock()
				select {
				case started <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 100 {
		<-started
	}
	mustClose(t, s)
	wg.Wait()
	s = mustOpen(t, dir, Options{})
	defer mustClose(t, s)
	l = mustLog(t, s, "a")
	for seq, p := range acked {
		if ev, err := l.Read(t.Context(), seq); err != nil || string(ev.Payload) != p {
			t.Fatalf("sequence %d: %q, %v; want %q", seq, ev.Payload, err, p)
		}
	}
}

// TestManyLogs has many tiny logs: what is idle is not in memory, and listing sees all of it.
func TestManyLogs(t *testing.T) {
	n := 20000
	if testing.Short() {
		n = 2000
	}
	s := mustOpen(t, t.TempDir()+"/store", Options{Sync: SyncPolicy{Mode: SyncNever}, SealBytes: 256 << 10})
	defer mustClose(t, s)
	for i := range n {
		l := mustLog(t, s, fmt.Sprintf("many/%06d", i))
		mustAppend(t, l, "a", "b", "c", "d", fmt.Sprint(i))
	}
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 10 { // weak pointers go with a collection, the registry's entries with the cleanup after it
		runtime.GC()
		if s.Metrics().LogsInMemory < n/10 {
			break
		}
	}
	if m := s.Metrics(); m.LogsInMemory > n/10 || m.HotBytes != 0 || m.DirtyLogs != 0 {
		t.Errorf("%d logs in memory, %d dirty, %d bytes", m.LogsInMemory, m.DirtyLogs, m.HotBytes)
	}
	seen := 0
	for info, err := range s.Logs("many/") {
		if err != nil {
			t.Fatal(err)
		}
		if info.Name != fmt.Sprintf("many/%06d", seen) || info.Bounds.Next != 5 {
			t.Fatalf("%d: %+v", seen, info)
		}
		seen++
	}
	if seen != n {
		t.Fatalf("%d logs, want %d", seen, n)
	}
	ev, err := mustLog(t, s, "many/000777").Latest(t.Context())
	if err != nil || string(ev.Payload) != "777" {
		t.Fatal(ev, err)
	}
}

// TestLeaks opens and closes stores and looks for goroutines and descriptors that stay.
func TestLeaks(t *testing.T) {
	fds := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			return 0
		}
		return len(names)
	}
	use := func(dir string) {
		s := mustOpen(t, dir, Options{OpenFiles: 2, RunEvents: 2})
		l := mustLog(t, s, "a")
		for range 5 {
			mustAppend(t, l, "1", "2", "3")
			if err := s.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		c := l.Cursor(0, 10)
		c.Next(t.Context())
		tl := l.Tail(0, TailOptions{Durable: true})
		tl.Next(t.Context())
		for range l.Scan(t.Context(), 0, 3) {
			break
		}
		if err := errors.Join(c.Close(), tl.Close(), s.Close()); err != nil {
			t.Fatal(err)
		}
	}
	use(t.TempDir() + "/store") // what the process keeps
	dir := t.TempDir() + "/store"
	g, f := runtime.NumGoroutine(), fds()
	for range 5 {
		use(dir)
	}
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > g || fds() > f {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, were %d; %d descriptors, were %d\n%s", runtime.NumGoroutine(), g, fds(), f, buf[:runtime.Stack(buf, true)])
		}
		runtime.Gosched()
	}
}

// TestForgotten has stores that were closed with unsealed events and open tails go with the next collection.
func TestForgotten(t *testing.T) {
	gone := make(chan int, 3)
	use := func(i int) {
		s := mustOpen(t, t.TempDir()+"/store", Options{Sync: SyncPolicy{Mode: SyncNever}})
		l := mustLog(t, s, "a")
		mustAppend(t, l, "x")
		if _, err := l.Append(t.Context(), Entry{Origin: 1, Idempotency: 1}, AppendOptions{}); err != nil {
			t.Fatal(err)
		}
		l.Tail(1, TailOptions{Durable: true}).listen()
		mustClose(t, s)
		runtime.AddCleanup(s, func(i int) { gone <- i }, i)
	}
	for i := range cap(gone) {
		use(i)
	}
	for deadline := time.Now().Add(10 * time.Second); len(gone) < cap(gone); runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d stores are gone", len(gone), cap(gone))
		}
	}
}
