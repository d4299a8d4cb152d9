package redex

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seed69692123/netdb/internal/simdisk"
	"github.com/seed69692123/netdb/redex/journal"
)

var (
	crashSeed   = flag.Uint64("redex.crashseed", 1, "seed of the power cut tests")
	crashPoints = flag.Int("redex.crashpoints", 120/onePartOf, "operations of the disk at which the power is cut; 0 means every one")
)

// A crashState is a store as a prefix of its frames makes it. Every change of a store is one frame, and frames are in one
// order, so after a crash the store must be exactly what the frames up to some ordinal make it.
type crashState struct {
	logs map[string]*crashLog
}

type crashLog struct {
	id     LogID
	floor  Seq
	events []crashEvent
}

type crashEvent struct {
	payload  []byte
	key      string
	number   uint64
	time     int64 // 0: unknown
	redacted bool
}

// superseded reports whether compaction may take an event of a log.
func (l *crashLog) superseded(at Seq) bool {
	key := l.events[at].key
	return key != "" && slices.ContainsFunc(l.events[at+1:], func(e crashEvent) bool { return e.key == key })
}

// crashFrame is one frame: what it does, and what was said about it.
type crashFrame struct {
	apply func(*crashState)
	acked bool // visible: the call returned
}

// crashRun is a store on a simulated disk, and everything that was asked of it.
type crashRun struct {
	t       *testing.T
	ctx     context.Context
	r       *rand.Rand
	disk    *simdisk.Disk
	s       *Store
	id      StoreID
	frames  []crashFrame // of ordinal 1 and on
	durable int          // frames that were acknowledged as durable
	view    uint64       // the last ordinal that was committed to a view
	nextID  LogID
	names   int
	epoch   Epoch
	opened  bool // at least once: the store must be there

	refused func(error) // nil, or is told why an operation failed: the store goes on
}

func crashOptions(d *simdisk.Disk) Options {
	return Options{
		MaintainRate: -1, SealBytes: 4 << 10, RunEvents: 4, SegmentBytes: 64 << 10, JournalBytes: 256 << 10, CacheBytes: 64 << 10, OpenFiles: 2,
		Sync: SyncPolicy{Mode: SyncNever},
		Disk: &Disk{Files: d.VFS(), Journal: func(string) (journal.FS, error) { return d.Journal(), nil }},
	}
}

func newCrashRun(t *testing.T, seed uint64) *crashRun {
	return &crashRun{t: t, ctx: context.Background(), r: rand.New(rand.NewPCG(seed, 7)), disk: simdisk.New(seed), nextID: 1}
}

// state returns the store as the first n frames make it.
func (c *crashRun) state(n int) *crashState {
	st := &crashState{logs: map[string]*crashLog{}}
	for _, f := range c.frames[:n] {
		f.apply(st)
	}
	return st
}

// do runs one operation that places one frame. It returns false when the power is off.
func (c *crashRun) do(durable bool, apply func(*crashState), op func() (Ordinal, error)) bool {
	c.t.Helper()
	c.frames = append(c.frames, crashFrame{apply: apply})
	n := len(c.frames)
	o, err := op()
	if err == nil || errors.Is(err, ErrInDoubt) && o != 0 {
		if int(o) != n {
			c.t.Fatalf("frame %d got ordinal %d", n, o)
		}
		c.frames[n-1].acked = true
	}
	if err == nil && durable {
		c.durable = n
	}
	if err != nil && c.refused != nil {
		switch at := int(c.s.Cut().Ordinal); at {
		case n:
			c.frames[n-1].acked = true
		case n - 1:
			c.frames = c.frames[:n-1]
		default:
			c.t.Fatalf("frame %d was refused, the store is at %d: %v", n, at, err)
		}
		c.nextID = c.s.NextLog()
	}
	return err == nil || c.fails(err)
}

// fails notes why an operation failed, and returns false.
func (c *crashRun) fails(err error) bool {
	if c.refused != nil {
		c.refused(err)
	}
	return false
}

// workload does n operations, or as many as the disk takes.
func (c *crashRun) workload(n int) {
	st := c.state(len(c.frames))
	for range n {
		if !c.step(st) {
			return
		}
		c.frames[len(c.frames)-1].apply(st)
	}
}

func (c *crashRun) entry(tag string) (Entry, crashEvent) {
	p := fmt.Appendf(nil, "%s %d %d ", tag, len(c.frames), c.r.Uint64())
	if c.r.IntN(10) == 0 {
		p = append(p, bytes.Repeat([]byte{'x'}, c.r.IntN(12<<10))...)
	}
	e := Entry{Payload: p, Origin: 1}
	ev := crashEvent{payload: p}
	if c.r.IntN(2) == 0 {
		ev.key = fmt.Sprint("key", c.r.IntN(4))
		e.Key = []byte(ev.key)
	}
	return e, ev
}

// step does one operation that places a frame, and some that do not. st is the state before.
func (c *crashRun) step(st *crashState) bool {
	t, ctx, r, s := c.t, c.ctx, c.r, c.s
	t.Helper()
	names := make([]string, 0, len(st.logs))
	for n := range st.logs {
		names = append(names, n)
	}
	slices.Sort(names)
	switch r.IntN(12) {
	case 0:
		if err := s.Seal(ctx); err != nil {
			return c.fails(err)
		}
	case 1:
		o := uint64(s.Cut().Ordinal)
		b := &ViewBatch{}
		b.Set([]byte("at"), binary.BigEndian.AppendUint64(nil, o))
		b.Set(fmt.Appendf(nil, "x%d", o), bytes.Repeat([]byte("v"), 100))
		c.view = o // also when it fails: it may have been applied
		if err := s.Views("fold/test").Commit(ctx, b, Ordinal(o)); err != nil {
			return c.fails(err)
		}
	case 2:
		if err := s.Sync(ctx); err != nil {
			return c.fails(err)
		}
		c.durable = len(c.frames)
	case 3:
		if err := s.Maintain(ctx); err != nil {
			return c.fails(err)
		}
	case 4:
		if len(names) > 0 {
			l, err := s.Log(names[r.IntN(len(names))])
			if err != nil {
				return c.fails(err)
			}
			if _, err := l.Compact(ctx); err != nil {
				return c.fails(err)
			}
		}
	}
	durable := r.IntN(4) == 0
	opt := AppendOptions{Durable: DurableNo}
	if durable {
		opt.Durable = DurableYes
	}
	if len(names) < 2 || r.IntN(10) == 0 {
		c.names++
		name, id := fmt.Sprintf("log/%d", c.names), c.nextID
		c.nextID++
		return c.do(false, func(st *crashState) { st.logs[name] = &crashLog{id: id} }, func() (Ordinal, error) {
			l, err := s.Create(ctx, name, LogOptions{Compaction: Compaction{ByKey: true}})
			if err != nil {
				return 0, err
			}
			if l.ID() != id {
				t.Fatalf("log %q has id %d, want %d", name, l.ID(), id)
			}
			return s.Cut().Ordinal, nil
		})
	}
	name := names[min(r.IntN(len(names)), r.IntN(len(names)))]
	l, err := s.Log(name)
	if err != nil {
		return c.fails(err)
	}
	ml := st.logs[name]
	switch op := r.IntN(20); {
	case op == 0 && len(names) > 3:
		return c.do(false, func(st *crashState) { delete(st.logs, name) }, func() (Ordinal, error) {
			if err := s.Delete(ctx, name); err != nil {
				return 0, err
			}
			return s.Cut().Ordinal, nil
		})
	case op == 1:
		floor := ml.floor + Seq(r.IntN(len(ml.events)-int(ml.floor)+1))
		return c.do(true, func(st *crashState) { st.logs[name].floor = max(st.logs[name].floor, floor) }, func() (Ordinal, error) {
			if err := l.Trim(ctx, floor); err != nil {
				return 0, err
			}
			return s.Cut().Ordinal, nil
		})
	case op == 2:
		c.names++
		to := fmt.Sprintf("log/%d", c.names)
		if len(names) > 3 && r.IntN(2) == 0 { // that of a log which goes first
			gone := names[(slices.Index(names, name)+1)%len(names)]
			if !c.do(false, func(st *crashState) { delete(st.logs, gone) }, func() (Ordinal, error) {
				if err := s.Delete(ctx, gone); err != nil {
					return 0, err
				}
				return s.Cut().Ordinal, nil
			}) {
				return false
			}
			c.frames[len(c.frames)-1].apply(st)
			to = gone
		}
		return c.do(false, func(st *crashState) { st.logs[to] = st.logs[name]; delete(st.logs, name) }, func() (Ordinal, error) {
			if err := s.Rename(ctx, name, to); err != nil {
				return 0, err
			}
			return s.Cut().Ordinal, nil
		})
	case op < 5 && len(ml.events) > int(ml.floor):
		at := ml.floor + Seq(r.IntN(len(ml.events)-int(ml.floor)))
		if ev, err := l.Read(ctx, at); err != nil || ev.Redacted {
			break
		}
		return c.do(true, func(st *crashState) {
			ev := &st.logs[name].events[at]
			ev.redacted, ev.payload = true, nil
		}, func() (Ordinal, error) {
			if err := l.Redact(ctx, at); err != nil {
				return 0, err
			}
			return s.Cut().Ordinal, nil
		})
	case op < 8: // several logs at once
		var bs []Batch
		var evs [][]crashEvent
		var to []string
		for i := range 2 + r.IntN(2) {
			n := names[(i+r.IntN(len(names)))%len(names)]
			if slices.Contains(to, n) {
				continue
			}
			bl, err := s.Log(n)
			if err != nil {
				return c.fails(err)
			}
			b := Batch{Log: bl}
			var list []crashEvent
			for range 1 + r.IntN(3) {
				e, ev := c.entry(n)
				b.Entries, list = append(b.Entries, e), append(list, ev)
			}
			bs, evs, to = append(bs, b), append(evs, list), append(to, n)
		}
		return c.do(durable, func(st *crashState) {
			for i, n := range to {
				st.logs[n].events = append(st.logs[n].events, evs[i]...)
			}
		}, func() (Ordinal, error) {
			as, err := s.Append(ctx, bs, opt)
			if len(as) == 0 {
				return 0, err
			}
			for i := range as {
				for k := range evs[i] {
					evs[i][k].time = as[i].Time
				}
			}
			return as[0].Ordinal, err
		})
	}
	var es []Entry
	var evs []crashEvent
	for range 1 + max(0, r.IntN(12)-7) {
		e, ev := c.entry(name)
		if r.IntN(2) == 0 {
			e.Idempotency = uint64(len(c.frames)*100 + len(es) + 1)
			ev.number = e.Idempotency
		}
		es, evs = append(es, e), append(evs, ev)
	}
	return c.do(durable, func(st *crashState) { st.logs[name].events = append(st.logs[name].events, evs...) }, func() (Ordinal, error) {
		a, err := l.AppendBatch(ctx, es, opt)
		for k := range evs {
			evs[k].time = a.Time
		}
		return a.Ordinal, err
	})
}

// open opens the store. It returns false when the power went off meanwhile.
func (c *crashRun) open() bool {
	c.t.Helper()
	s, err := Open(c.ctx, "/store", crashOptions(c.disk))
	if err != nil {
		if !c.off() {
			c.t.Fatalf("open: %v", err)
		}
		return false
	}
	if !c.opened {
		if c.id != (StoreID{}) && c.id != s.ID() {
			c.t.Fatalf("store %s, the first open had made %s", s.ID(), c.id)
		}
		c.opened, c.id, c.epoch = true, s.ID(), s.Epoch()
	}
	c.s = s
	return true
}

func (c *crashRun) off() bool {
	select {
	case <-c.disk.Off():
		return true
	default:
		return false
	}
}

// verify opens the store after a crash and asserts everything that was promised. killed says that only the process died.
func (c *crashRun) verify(killed bool) {
	t := c.t
	t.Helper()
	if !c.open() {
		t.Fatal("power is off")
	}
	s := c.s
	if s.ID() != c.id {
		t.Fatalf("store %s, was %s", s.ID(), c.id)
	}
	if d := s.Recovery().Damage; len(d) > 0 {
		t.Fatalf("damage after a crash: %v", d)
	}
	p := int(s.Cut().Ordinal)
	acked := 0
	for i, f := range c.frames {
		if f.acked {
			acked = i + 1
		}
	}
	switch {
	case p > len(c.frames):
		t.Fatalf("frame %d after a crash at %d", p, len(c.frames))
	case p < c.durable:
		t.Fatalf("frame %d was durable, after the crash there are %d", c.durable, p)
	case killed && p < acked:
		t.Fatalf("the process died and frame %d of %d was lost", p, acked)
	case p < acked && s.Epoch() <= c.epoch:
		t.Fatalf("visible frames %d to %d were lost and the epoch stayed %d", p+1, acked, c.epoch)
	case killed && s.Epoch() != c.epoch:
		t.Fatalf("the process died and the epoch went from %d to %d", c.epoch, s.Epoch())
	case s.Epoch() < c.epoch:
		t.Fatalf("epoch %d, was %d", s.Epoch(), c.epoch)
	}
	if p < acked {
		lost := Position{Store: c.id, Log: 1, Epoch: c.epoch, Ordinal: Ordinal(acked)}
		if err := s.CheckPosition(lost); !errors.Is(err, ErrEpoch) {
			t.Fatalf("position of a lost frame: %v", err)
		}
	}
	if kept := (Position{Store: c.id, Log: 1, Epoch: s.epochOf(Ordinal(p)), Ordinal: Ordinal(p)}); p > 0 {
		if err := s.CheckPosition(kept); err != nil {
			t.Fatalf("position of a frame that is there: %v", err)
		}
	}
	c.frames = c.frames[:p]
	for i := range c.frames {
		c.frames[i].acked = true
	}
	c.epoch, c.durable = s.Epoch(), p
	st := c.state(p)
	c.compare(st)
	if v, err := s.Views("fold/test").Get([]byte("at")); err != nil {
		t.Fatal(err)
	} else if v != nil {
		if at := binary.BigEndian.Uint64(v); at > uint64(p) || at > c.view {
			t.Fatalf("a view is at frame %d, the store at %d", at, p)
		}
	}
	c.check()
	c.nextID = s.NextLog()
	for _, l := range st.logs {
		if l.id >= c.nextID {
			t.Fatalf("next log is %d, there is %d", c.nextID, l.id)
		}
	}
}

// compare compares the store with a state.
func (c *crashRun) compare(st *crashState) {
	t, s := c.t, c.s
	t.Helper()
	n := 0
	for info, err := range s.Logs("") {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if st.logs[info.Name] == nil {
			t.Fatalf("log %q should not be there", info.Name)
		}
	}
	if n != len(st.logs) {
		t.Fatalf("%d logs, want %d", n, len(st.logs))
	}
	for name, ml := range st.logs {
		l, err := s.Log(name)
		if err != nil {
			t.Fatal(err)
		}
		if b := l.Bounds(); l.ID() != ml.id || b != (Bounds{ml.floor, Seq(len(ml.events))}) {
			t.Fatalf("log %q: id %d, bounds %v, want %d, %d to %d", name, l.ID(), b, ml.id, ml.floor, len(ml.events))
		}
		at := ml.floor
		for ev, err := range l.Scan(c.ctx, ml.floor, maxSeq) {
			if err != nil {
				t.Fatal(err)
			}
			for at < ev.Seq && ml.superseded(at) {
				at++
			}
			want := &ml.events[at]
			if ev.Seq != at || string(ev.Key) != want.key || ev.Redacted != want.redacted || !bytes.Equal(ev.Payload, want.payload) || ev.Idempotency != want.number || want.time != 0 && ev.Time != want.time {
				t.Fatalf("log %q sequence %d: %d %.40q at %d, want %.40q at %d", name, at, ev.Seq, ev.Payload, ev.Time, want.payload, want.time)
			}
			want.time = ev.Time
			at++
		}
		if at != Seq(len(ml.events)) {
			t.Fatalf("log %q ends at %d, want %d", name, at, len(ml.events))
		}
		for i := len(ml.events) - 1; i >= 0; i-- { // a repeated append is still known
			if n := ml.events[i].number; n != 0 {
				a, err := l.Append(c.ctx, Entry{Origin: 1, Idempotency: n, Payload: []byte("again")}, AppendOptions{})
				if err != nil || a.Duplicates != 1 || a.Seq != Seq(i) || a.Time != ml.events[i].time && Seq(i) >= ml.floor {
					t.Fatalf("log %q: append of number %d again: %+v, %v; want sequence %d", name, n, a, err, i)
				}
				break
			}
		}
	}
}

func (c *crashRun) check() {
	c.t.Helper()
	rep, err := c.s.Check(c.ctx)
	if err != nil {
		c.t.Fatalf("check: %v", err)
	}
	if len(rep.Damage) > 0 {
		c.t.Fatalf("check: %v", rep.Damage)
	}
	c.s.seal.mu.Lock() // no pass meanwhile
	defer c.s.seal.mu.Unlock()
	names, err := c.s.fs.List(c.s.rows.dir)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, name := range names {
		n, ok := parseRowFileName(name)
		if _, named, err := c.s.kv.Get(fileKey(n), nil); !ok || !named || err != nil {
			c.t.Fatalf("file %s is not in the catalog: %v", name, err)
		}
	}
}

// crashAt runs a workload with a crash at operation n of the disk, perhaps another one during recovery, checks, goes on, and
// crashes once more.
func crashAt(t *testing.T, seed uint64, n int64, kill bool) {
	c := newCrashRun(t, seed)
	chance := rand.New(rand.NewPCG(seed, uint64(n)))
	restart := func() {
		if c.s != nil {
			_ = c.s.Close() // it fails: the disk is gone
			c.s = nil
		}
		if kill {
			c.disk = c.disk.Kill(chance.Uint64())
		} else {
			c.disk = c.disk.Restart(chance.Uint64())
		}
		if b, err := readSmall(c.disk.VFS(), "/store/"+formatName); err == nil && !c.opened { // made, though nobody was told
			id, err := decodeFormat(b)
			if err != nil {
				t.Fatal(err)
			}
			c.id = id.store
		}
	}
	arm := func(n int64) {
		if kill {
			c.disk.KillAt(n)
		} else {
			c.disk.CutAt(n)
		}
	}
	arm(n)
	if c.open() {
		c.workload(60)
	}
	restart()
	for range chance.IntN(3) { // again, during recovery
		arm(1 + chance.Int64N(40))
		if c.open() {
			c.s.Close()
			c.s = nil
		}
		restart()
	}
	c.verify(kill)
	arm(c.disk.Ops() + 1 + chance.Int64N(200))
	c.workload(25)
	restart()
	c.verify(kill)
	c.workload(10)
	if err := c.s.Close(); err != nil {
		t.Fatal(err)
	}
	c.durable = len(c.frames)
	c.verify(true)
	if err := c.s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestPowerCut(t *testing.T) {
	for _, kill := range []bool{false, true} {
		t.Run(fmt.Sprintf("kill=%v", kill), func(t *testing.T) {
			c := newCrashRun(t, *crashSeed)
			c.open()
			c.workload(60)
			total := c.disk.Ops()
			if err := c.s.Close(); err != nil {
				t.Fatal(err)
			}
			step := int64(1)
			if *crashPoints > 0 {
				step = max(1, total/int64(*crashPoints))
			}
			t.Logf("%d operations of the disk, a crash at every %d", total, step)
			for n := int64(1); n <= total; n += step {
				t.Run(fmt.Sprint(n), func(t *testing.T) { crashAt(t, *crashSeed, n, kill) })
			}
		})
	}
}
