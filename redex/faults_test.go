package redex

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed69692123/netdb/internal/simdisk"
)

var faultPoints = flag.Int("redex.faultpoints", 4/onePartOf, "calls of each kind that fail in TestFaults, in each way; 0 means every one")

var faultNames = [...]string{"none", "full", "io", "files", "short", "flip"}

// faultCase is one call of the disk that fails, or all from it on.
type faultCase struct {
	kind   simdisk.Kind
	n      int64 // the n-th of its kind
	fault  simdisk.Fault
	sticky bool
	plain  bool // the journal is written with WriteAt
}

func (f faultCase) String() string {
	words := []string{
		[]string{"mapped", "plain"}[toInt(f.plain)],
		strings.ReplaceAll(f.kind.String(), " ", "-"),
		faultNames[f.fault],
		[]string{"once", "forever"}[toInt(f.sticky)], fmt.Sprint(f.n),
	}
	return strings.Join(words, "/")
}

func toInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// looks reports whether the call reads.
func (f faultCase) looks() bool { return f.kind >= simdisk.Open }

// faultRun is a crashRun whose disk fails.
type faultRun struct {
	*crashRun
	f      faultCase
	hit    atomic.Bool // the fault was met
	failed bool        // a sync or write failed for good: the store said so
	damage bool        // something was said to be damaged
}

// typed checks that an error can be told from others, and notes what it says.
func (r *faultRun) typed(err error) {
	r.t.Helper()
	known := []error{ErrReadOnly, ErrFailed, ErrInDoubt, ErrCorrupt, ErrFormat, ErrForeignFiles, syscall.EIO, syscall.ENOSPC, syscall.EMFILE}
	is := false
	for _, k := range known {
		is = is || errors.Is(err, k)
	}
	if r.f.fault == simdisk.Flip { // a window of numbers that could not be read remembers none
		is = is || errors.Is(err, ErrTooOld)
	}
	switch {
	case !r.hit.Load():
		r.t.Fatalf("without a fault: %v", err)
	case !is || errors.Is(err, ErrNoLog) || errors.Is(err, ErrClosed) || errors.Is(err, context.DeadlineExceeded):
		r.t.Fatalf("not a typed error: %v", err)
	}
	r.failed = r.failed || errors.Is(err, ErrFailed)
	r.damage = r.damage || errors.Is(err, ErrCorrupt)
}

// open opens the store, if the disk lets it.
func (r *faultRun) open() bool {
	r.t.Helper()
	s, err := Open(r.ctx, "/store", crashOptions(r.disk))
	if err != nil {
		r.typed(err)
		return false
	}
	if !r.opened {
		r.opened, r.id, r.epoch = true, s.ID(), s.Epoch()
	}
	r.s = s
	r.damage = r.damage || len(s.Recovery().Damage) > 0
	return true
}

func (r *faultRun) close() {
	r.t.Helper()
	if r.s == nil {
		return
	}
	if err := r.s.Close(); err != nil {
		r.typed(err)
		r.failed = true // whatever it was, what it left is not a clean end
	}
	r.s = nil
}

// read reads everything. What can be read is what was appended, and what cannot says why.
func (r *faultRun) read() {
	t, s := r.t, r.s
	t.Helper()
	st := r.state(min(len(r.frames), int(s.Cut().Ordinal)))
	mayFail := func(what string, err error) {
		t.Helper()
		r.typed(err)
		if !r.f.looks() && !r.failed && !r.damage {
			t.Fatalf("%s: %v", what, err)
		}
	}
	for name, ml := range st.logs {
		l, err := s.Log(name)
		if errors.Is(err, ErrNoLog) && r.damage {
			continue // the frame that made it is lost
		}
		if err != nil {
			mayFail("log", err)
			continue
		}
		b := l.Bounds()
		if !r.damage && (l.ID() != ml.id || b.Next != Seq(len(ml.events)) || b.Floor > ml.floor || b.Floor < ml.floor && !r.failed) {
			t.Fatalf("log %q: id %d, bounds %v, want %d, %d to %d", name, l.ID(), b, ml.id, ml.floor, len(ml.events))
		}
		at := b.Floor
		for at < min(b.Next, Seq(len(ml.events))) {
			ev, err := l.Read(r.ctx, at)
			switch {
			case errors.Is(err, ErrRangeLost), errors.Is(err, ErrNoEvent) && ml.superseded(at):
			case err != nil:
				mayFail(fmt.Sprintf("log %q sequence %d", name, at), err)
			default:
				r.same(name, at, &ev, &ml.events[at])
			}
			at++
		}
		at = b.Floor
		for ev, err := range l.Scan(r.ctx, b.Floor, maxSeq) {
			if err != nil {
				mayFail(fmt.Sprintf("scan of %q at %d", name, at), err)
				break
			}
			for at < ev.Seq && int(at) < len(ml.events) && ml.superseded(at) {
				at++
			}
			if int(at) >= len(ml.events) {
				t.Fatalf("scan of %q comes to %d, there are %d", name, ev.Seq, len(ml.events))
			}
			r.same(name, at, &ev, &ml.events[at])
			at++
		}
	}
	rep, err := s.Check(r.ctx)
	if err != nil {
		mayFail("check", err)
	}
	if len(rep.Damage) > 0 {
		if !r.f.looks() && !r.failed && !r.damage {
			t.Fatalf("check: %v", rep.Damage)
		}
		r.damage = true
	}
}

// same compares an event with what was appended. A redaction whose sync failed is not seen before it is known to be durable, and one
// whose frame is damaged is lost.
func (r *faultRun) same(name string, at Seq, ev *Event, want *crashEvent) {
	r.t.Helper()
	if (r.failed || r.damage) && want.redacted && !ev.Redacted && ev.Seq == at {
		return
	}
	if ev.Seq != at || string(ev.Key) != want.key || ev.Redacted != want.redacted || !bytes.Equal(ev.Payload, want.payload) || ev.Idempotency != want.number {
		r.t.Fatalf("log %q sequence %d: %d %.40q, want %.40q", name, at, ev.Seq, ev.Payload, want.payload)
	}
}

// work does n operations, whatever becomes of each.
func (r *faultRun) work(n int) {
	st := r.state(len(r.frames))
	for range n {
		if r.step(st) {
			r.frames[len(r.frames)-1].apply(st)
		} else {
			st = r.state(len(r.frames))
		}
	}
}

// fault says how a call fails.
func (r *faultRun) fault(c simdisk.Call) simdisk.Fault {
	if c.Kind != r.f.kind || c.N < r.f.n || c.N > r.f.n && !r.f.sticky {
		return simdisk.NoFault
	}
	r.hit.Store(true)
	return r.f.fault
}

// heal gives the disk room, or the process descriptors: the store goes on by itself.
func (r *faultRun) heal() {
	t := r.t
	switch r.f.fault {
	case simdisk.DiskFull, simdisk.Short, simdisk.TooManyFiles:
	default:
		return
	}
	if r.failed {
		t.Fatal("a lack of room failed the store")
	}
	r.disk.SetFaults(nil)
	steps := []func() bool{
		func() bool { return r.step(r.state(len(r.frames))) },
		func() bool {
			err := r.s.Seal(r.ctx)
			return err == nil || r.fails(err)
		},
	}
	for i, step := range steps {
		for began := time.Now(); !step(); time.Sleep(100 * time.Millisecond) {
			if time.Since(began) > time.Minute {
				t.Fatalf("a minute after there was room again, step %d fails", i)
			}
		}
	}
	if r.failed {
		t.Fatal("the store failed when there was room again")
	}
	r.disk.SetFaults(r.fault)
}

// run works, closes, and opens again on a disk that fails, and looks at what is there when it fails no longer.
func (r *faultRun) run() {
	t := r.t
	r.disk.SetPlain(r.f.plain)
	r.disk.SetFaults(r.fault)
	r.refused = r.typed
	if r.open() {
		r.work(40)
		r.read()
		r.heal()
	}
	r.close()
	if r.opened && r.open() {
		r.read()
		r.work(5)
	}
	r.close()
	r.disk.SetFaults(nil)
	r.refused = nil
	r.disk = r.disk.Kill(r.f.faultSeed())
	r.disk.SetPlain(r.f.plain)
	if r.f.fault == simdisk.Flip && r.hit.Load() {
		r.damage = true // a pass may have met it, and noted what it took for lost
	}
	if r.damage {
		r.afterDamage()
		return
	}
	lost := r.failed || r.f.kind == simdisk.Sync || r.f.kind == simdisk.Write && r.f.fault == simdisk.IOError
	if !r.opened { // it was not made, or nobody was told
		if b, err := readSmall(r.disk.VFS(), "/store/"+formatName); err == nil {
			id, err := decodeFormat(b)
			if err != nil {
				t.Fatal(err)
			}
			r.id = id.store
		}
		if !r.crashRun.open() {
			t.Fatal("off")
		}
		mustClose(t, r.s)
		lost = false
	}
	r.crashRun.verify(!lost)
	r.refused = func(err error) { t.Fatalf("on a disk that is well: %v", err) }
	r.work(8)
	mustClose(t, r.s)
	r.durable = len(r.frames)
	r.crashRun.verify(true)
	mustClose(t, r.s)
}

func (f faultCase) faultSeed() uint64 { return uint64(f.n)<<8 | uint64(f.kind)<<4 | uint64(f.fault) }

// afterDamage opens a store of which something was said to be damaged: what can be read is right, and it goes on.
func (r *faultRun) afterDamage() {
	t := r.t
	s, err := Open(r.ctx, "/store", crashOptions(r.disk))
	if err != nil {
		t.Fatalf("open after damage: %v", err)
	}
	r.s = s
	r.read()
	for name := range r.state(len(r.frames)).logs {
		l, err := s.Log(name)
		if errors.Is(err, ErrNoLog) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		a, err := l.Append(r.ctx, Entry{Payload: []byte("goes on")}, AppendOptions{})
		if err != nil {
			t.Fatalf("log %q does not go on: %v", name, err)
		}
		if ev, err := l.Read(r.ctx, a.Seq); err != nil || string(ev.Payload) != "goes on" {
			t.Fatalf("log %q: %q, %v", name, ev.Payload, err)
		}
	}
	if err := s.Seal(r.ctx); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	s, err = Open(r.ctx, "/store", crashOptions(r.disk))
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
}

func runFault(t *testing.T, seed uint64, f faultCase) (hit bool) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		r := &faultRun{crashRun: newCrashRun(t, seed), f: f}
		r.ctx = ctx
		defer func() { // so that the bubble ends when the test failed
			if t.Failed() && r.s != nil {
				r.disk.SetFaults(nil)
				_ = r.s.Close()
			}
		}()
		r.run()
		hit = r.hit.Load()
	})
	return hit
}

// TestFaults has one call of the disk fail after the other, once or from then on: of journal, row files and catalog, while the
// store is opened, used, closed and opened again. Whatever fails, what can be read is what was appended, every error says what it
// is, and when the disk is well again the store is what its frames made it.
func TestFaults(t *testing.T) {
	for _, plain := range []bool{false, true} {
		counts := countCalls(t, plain)
		for _, kind := range simdisk.Kinds() {
			faults := []simdisk.Fault{simdisk.IOError}
			switch kind {
			case simdisk.Place:
				continue // memory takes what it is given
			case simdisk.Write:
				faults = append(faults, simdisk.DiskFull, simdisk.Short)
			case simdisk.Create, simdisk.Allocate, simdisk.Populate, simdisk.Rename, simdisk.MakeDir:
				faults = append(faults, simdisk.DiskFull)
			case simdisk.Read:
				faults = append(faults, simdisk.Flip)
			}
			if kind == simdisk.Create || kind == simdisk.Open {
				faults = append(faults, simdisk.TooManyFiles)
			}
			for _, fault := range faults {
				for _, sticky := range []bool{false, true} {
					step := int64(1)
					if *faultPoints > 0 {
						step = max(1, counts[kind]/int64(*faultPoints))
					}
					for n := int64(1); n <= counts[kind]; n += step {
						f := faultCase{kind, n, fault, sticky, plain}
						t.Run(f.String(), func(t *testing.T) { runFault(t, *crashSeed, f) })
					}
				}
			}
		}
	}
}

// countCalls returns how many calls of each kind there are when none fails.
func countCalls(t *testing.T, plain bool) map[simdisk.Kind]int64 {
	counts := map[simdisk.Kind]int64{}
	synctest.Test(t, func(t *testing.T) {
		r := &faultRun{crashRun: newCrashRun(t, *crashSeed), f: faultCase{kind: simdisk.Place, plain: plain}}
		r.disk.SetPlain(plain)
		r.disk.SetFaults(func(c simdisk.Call) simdisk.Fault {
			counts[c.Kind] = c.N
			return simdisk.NoFault
		})
		for _, n := range []int{40, 5} {
			r.open()
			r.work(n)
			r.read()
			r.close()
		}
	})
	t.Logf("plain=%v: %v", plain, counts)
	return counts
}
