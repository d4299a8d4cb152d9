package redex

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// tree returns the files of a directory and a hash of each. A store's LOCK file, which says who had it, is left out.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(path) == lockName {
			return err
		}
		b, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, dir)] = fmt.Sprintf("%x", sha256.Sum256(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func sameTree(t *testing.T, what string, a, b map[string]string) {
	t.Helper()
	for name, hash := range a {
		if b[name] != hash {
			t.Errorf("%s: %s is changed or gone", what, name)
		}
	}
	for name := range b {
		if a[name] == "" {
			t.Errorf("%s: %s is new", what, name)
		}
	}
}

// otherProcess opens a store in another process, which has appended and sealed, and has events in the journal. kill ends it.
func otherProcess(t *testing.T, dir string) (pid int, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestTwoProcesses$")
	cmd.Env = append(os.Environ(), "REDEX_OTHER_DIR="+dir)
	in, err := cmd.StdinPipe() // which ends with this process, and so does the other
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // killed
			_ = in.Close()
		}
	}
	t.Cleanup(kill)
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	return cmd.Process.Pid, kill
}

func otherMain(t *testing.T, dir string) {
	s := mustOpen(t, dir, Options{RunEvents: 4, Sync: SyncPolicy{Mode: SyncNever}})
	for i := range 12 {
		mustAppend(t, mustLog(t, s, "a"), fmt.Sprint(i))
		if i == 5 {
			if err := s.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	fmt.Println("ready")
	_, _ = io.ReadAll(os.Stdin) // until it is killed
	os.Exit(1)
}

// readOther checks that all that the other process had appended is there.
func readOther(t *testing.T, s *Store) {
	t.Helper()
	l, err := s.Log("a")
	if err != nil {
		t.Fatal(err)
	}
	if b := l.Bounds(); b != (Bounds{0, 12}) {
		t.Errorf("bounds %v", b)
	}
	for seq := range Seq(12) {
		if ev, err := l.Read(t.Context(), seq); err != nil || string(ev.Payload) != fmt.Sprint(seq) {
			t.Errorf("sequence %d: %q, %v", seq, ev.Payload, err)
		}
	}
}

// TestTwoProcesses opens a store that another process has open: to write, to read, to restore into it, also when its LOCK file
// was removed. Each time the error says so, and the other goes on.
func TestTwoProcesses(t *testing.T) {
	if dir := os.Getenv("REDEX_OTHER_DIR"); dir != "" {
		otherMain(t, dir)
	}
	ctx := t.Context()
	dir := t.TempDir() + "/store"
	pid, kill := otherProcess(t, dir)
	for _, removed := range []bool{false, true} {
		if removed {
			if d, err := openDirToLock(dir); d == nil {
				break // the LOCK file is all there is, and cannot be removed
			} else if err := errors.Join(err, d.Close(), os.Remove(dir+"/"+lockName)); err != nil {
				t.Fatal(err)
			}
		}
		_, err1 := Open(ctx, dir, Options{})
		_, err2 := Open(ctx, dir, Options{ReadOnly: true})
		for i, err := range []error{err1, err2} {
			l, ok := errors.AsType[*LockedError](err)
			if !ok || !errors.Is(err, ErrLocked) || l.Readers || !removed && l.PID != pid || removed && l.PID != 0 {
				t.Errorf("open %d while process %d has it, LOCK removed %v: %v", i, pid, removed, err)
			}
		}
		if _, err := Create(ctx, dir, Seed{ID: StoreID{1}, Epochs: []EpochStart{{1, 1}}}, Options{}); !errors.Is(err, os.ErrExist) {
			t.Errorf("restore over it: %v", err)
		}
	}
	kill()
	s := mustOpen(t, dir, Options{})
	defer mustClose(t, s)
	readOther(t, s)
	if rep, err := s.Check(ctx); err != nil || len(rep.Damage) > 0 {
		t.Errorf("check: %v, %v", rep.Damage, err)
	}
}

// TestReadOnlyUnclean reads a store whose process was killed. All that was visible is there, nothing is written, and it can
// be opened to write as before.
func TestReadOnlyUnclean(t *testing.T) {
	dir := t.TempDir() + "/store"
	_, kill := otherProcess(t, dir)
	kill()
	before := tree(t, dir)
	for _, noLock := range []bool{false, true} {
		if d, err := openDirToLock(dir); noLock && d == nil {
			break // without a LOCK file nothing can be locked
		} else if d != nil {
			if err := errors.Join(err, d.Close()); err != nil {
				t.Fatal(err)
			}
		}
		if noLock {
			if err := os.Remove(dir + "/" + lockName); err != nil {
				t.Fatal(err)
			}
		}
		r1, r2 := mustOpen(t, dir, Options{ReadOnly: true}), mustOpen(t, dir, Options{ReadOnly: true})
		for _, s := range []*Store{r1, r2} {
			if rec := s.Recovery(); rec.Clean || rec.MayHaveLost || len(rec.Damage) > 0 || s.Epoch() != 1 {
				t.Errorf("epoch %d, %+v", s.Epoch(), rec)
			}
			readOther(t, s)
			if rep, err := s.Check(t.Context()); err != nil || len(rep.Damage) > 0 {
				t.Errorf("check: %v, %v", rep.Damage, err)
			}
			if _, err := mustLog(t, s, "a").Append(t.Context(), Entry{}, AppendOptions{}); !errors.Is(err, ErrReadOnly) {
				t.Errorf("append: %v", err)
			}
		}
		if _, err := Open(t.Context(), dir, Options{}); !errors.Is(err, ErrLocked) {
			t.Errorf("open to write while it is read: %v", err)
		}
		mustClose(t, r1)
		mustClose(t, r2)
		sameTree(t, "reading only", before, tree(t, dir))
	}
	s := mustOpen(t, dir, Options{})
	defer mustClose(t, s)
	readOther(t, s)
	if s.Epoch() != 1 {
		t.Errorf("epoch %d after the death of a process", s.Epoch())
	}
}

// TestReadOnlyAfterPowerCut reads a store whose power was cut, before it is opened to write: no operation reaches the disk, and
// both find the same.
func TestReadOnlyAfterPowerCut(t *testing.T) {
	for seed := range uint64(20) {
		c := newCrashRun(t, seed)
		c.open()
		c.workload(40)
		c.disk.Cut()
		_ = c.s.Close() // its disk is gone
		c.disk = c.disk.Restart(seed)
		o := crashOptions(c.disk)
		o.ReadOnly = true
		c.disk.Trace(func(_ int64, what string) {
			if what != "create /store/LOCK" {
				t.Errorf("seed %d: %s", seed, what)
			}
		})
		s := mustOpen(t, "/store", o)
		cut, rec := s.Cut(), s.Recovery()
		if !rec.MayHaveLost && !rec.Clean || len(rec.Damage) > 0 {
			t.Errorf("seed %d: %+v", seed, rec)
		}
		for info, err := range s.Logs("") {
			if err != nil {
				t.Fatal(err)
			}
			for _, err := range mustLog(t, s, info.Name).Scan(t.Context(), info.Bounds.Floor, info.Bounds.Next) {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		mustClose(t, s)
		c.disk.Trace(nil)
		c.verify(false)
		if c.s.Cut().Ordinal != cut.Ordinal {
			t.Errorf("seed %d: frames up to %d, to be read %d", seed, c.s.Cut().Ordinal, cut.Ordinal)
		}
		mustClose(t, c.s)
	}
}

// TestMoved moves a store that is open, puts another one in its place, and moves it back. In its own place nothing is written to
// the other, nor read from it; errors say what happened, and nothing is lost.
func TestMoved(t *testing.T) {
	ctx := t.Context()
	o := Options{RunEvents: 4, SegmentBytes: 64 << 10, Sync: SyncPolicy{Mode: SyncNever}}
	base := t.TempDir()
	dir, away, other := base+"/store", base+"/away", base+"/other"
	fill := func(s *Store, what string) *Log {
		l := mustLog(t, s, "a")
		for i := range 8 {
			mustAppend(t, l, fmt.Sprint(what, i))
			if i == 5 {
				if err := s.Seal(ctx); err != nil {
					t.Fatal(err)
				}
			}
		}
		return l
	}
	s := mustOpen(t, other, o)
	fill(s, "other ")
	mustClose(t, s)
	s = mustOpen(t, dir, o)
	l := fill(s, "")
	if err := os.Rename(dir, away); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, dir); err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)

	next := l.Bounds().Next
	payload := strings.Repeat("x", 8<<10)
	var failed error
	for failed == nil { // into the segments that are made
		if _, failed = l.Append(ctx, Entry{Payload: []byte(payload)}, AppendOptions{}); failed == nil {
			next++
		}
		if next > 100 {
			t.Fatal("appends go on")
		}
	}
	if next == 8 {
		t.Error("nothing could be appended to the segment there is")
	}
	if err := s.Sync(ctx); err != nil {
		t.Errorf("sync: %v", err)
	}
	_, readErr := l.Read(ctx, 0)
	moved := func(what string, err error) {
		t.Helper()
		if m, ok := errors.AsType[*MovedError](err); !ok || !errors.Is(err, ErrMoved) || errors.Is(err, ErrCorrupt) || !strings.HasPrefix(m.Dir, dir) {
			t.Errorf("%s: %v", what, err)
		}
	}
	moved("append", failed)
	moved("read of a row file", readErr)
	moved("seal", s.Seal(ctx))
	if ev, err := l.Read(ctx, next-1); err != nil || string(ev.Payload) != payload {
		t.Errorf("read from the journal: %v", err)
	}
	sameTree(t, "the other store", before, tree(t, dir))

	// Back in its place all goes on.
	if err := errors.Join(os.Rename(dir, other), os.Rename(away, dir)); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end) && failed != nil; runtime.Gosched() { // which the background notices
		_, failed = l.Append(ctx, Entry{Payload: []byte(payload)}, AppendOptions{})
	}
	if failed != nil {
		t.Fatalf("append after the store was moved back: %v", failed)
	}
	for next++; next < 50; next++ {
		if a := mustAppend(t, l, payload); a.Seq != next {
			t.Fatalf("sequence %d, want %d", a.Seq, next)
		}
	}
	if err := s.Seal(ctx); err != nil {
		t.Fatal(err)
	}

	// Closed while it is away, it is as after the death of its process.
	mustAppend(t, l, "last")
	if err := errors.Join(os.Rename(dir, away), os.Rename(other, dir)); err != nil {
		t.Fatal(err)
	}
	moved("close", s.Close())
	sameTree(t, "the other store", before, tree(t, dir))
	s = mustOpen(t, away, o)
	defer mustClose(t, s)
	if ev, err := mustLog(t, s, "a").Latest(ctx); err != nil || string(ev.Payload) != "last" || ev.Seq != next {
		t.Errorf("sequence %d of %d, %v", ev.Seq, next, err)
	}
	if rep, err := s.Check(ctx); err != nil || len(rep.Damage) > 0 || s.Epoch() != 1 {
		t.Errorf("epoch %d, %v, %v", s.Epoch(), rep.Damage, err)
	}
}

// TestPartMoved moves one directory of a store that is open.
func TestPartMoved(t *testing.T) {
	for _, part := range []string{journalDir, rowsDir, catalogDir} {
		dir := t.TempDir() + "/store"
		s := mustOpen(t, dir, Options{RunEvents: 1})
		mustAppend(t, mustLog(t, s, "a"), "x")
		if err := os.Rename(dir+"/"+part, dir+"/x"); err != nil {
			t.Fatal(err)
		}
		m, ok := errors.AsType[*MovedError](s.Seal(t.Context()))
		if !ok || m.Dir != dir+"/"+part {
			t.Errorf("%s: %+v", part, m)
		}
		if err := os.Rename(dir+"/x", dir+"/"+part); err != nil {
			t.Fatal(err)
		}
		if err := s.Seal(t.Context()); err != nil {
			t.Errorf("%s: %v", part, err)
		}
		mustClose(t, s)
	}
}
