package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/seed69692123/netdb/internal/simdisk"
	"github.com/seed69692123/netdb/redex/journal"
)

// model is what a program knows about its journal, over all lives of the program.
type model struct {
	t        *testing.T
	label    string
	rng      *rand.Rand
	life     int
	frames   []placed // of ordinals from 1 on, as far as they exist in this life
	durable  journal.Ordinal
	released journal.Ordinal
	epoch    journal.Epoch
	used     map[string]bool // epoch and ordinal
	clock    int64
	scale    int // of frames and segments
}

type placed struct {
	body []byte
	time int64
}

func newModel(t *testing.T, seed uint64, label string) *model {
	return &model{t: t, label: label, rng: rand.New(rand.NewPCG(seed, 7)), used: make(map[string]bool), clock: 1e18, scale: 1}
}

func (m *model) fatalf(format string, a ...any) {
	m.t.Helper()
	m.t.Fatalf("%s: life %d: %s", m.label, m.life, fmt.Sprintf(format, a...))
}

func (m *model) options() journal.Options {
	return journal.Options{
		FirstSegmentBytes: int64(m.scale) * 64 << 10, MaxSegmentBytes: int64(m.scale) * 128 << 10, LimitBytes: -1,
		Sync: journal.SyncPolicy{Mode: journal.SyncNever},
		Now:  nil,
	}
}

// open recovers and compares with what the model knows. It returns nil if the disk stopped meanwhile.
func (m *model) open(d *simdisk.Disk, restarted bool) *journal.Journal {
	m.t.Helper()
	m.life++
	var got []journal.Frame
	j, rec, err := journal.Open(context.Background(), d.Journal(), m.options(), m.released, func(f journal.Frame) error {
		f.Body = bytes.Clone(f.Body)
		got = append(got, f)
		return nil
	})
	stopped := false
	select {
	case <-d.Off():
		stopped = true
	default:
	}
	if err != nil && !stopped {
		m.fatalf("open: %v", err)
	}
	m.compare(got, stopped)
	if err != nil {
		return nil
	}
	if stopped {
		_ = j.Close() // the disk is gone
		return nil
	}
	before := journal.Ordinal(len(m.frames))
	if len(rec.Damage) > 0 {
		m.fatalf("damage %v", rec.Damage[0].Err)
	}
	if rec.Last < m.durable || rec.Last > before || rec.Last < m.released+journal.Ordinal(len(got)) {
		m.fatalf("recovered up to %d with %d frames; durable was %d, visible %d, released %d", rec.Last, len(got), m.durable, before, m.released)
	}
	if j.Durable() != rec.Last || j.Visible() != rec.Last {
		m.fatalf("recovered up to %d, durable %d, visible %d", rec.Last, j.Durable(), j.Visible())
	}
	if !restarted && rec.Last < before {
		m.fatalf("recovered up to %d after the death of a process, visible was %d", rec.Last, before)
	}
	if !restarted && rec.MayHaveLost {
		m.fatalf("may have lost frames by the death of a process")
	}
	if rec.Last < before && !rec.NewEpoch {
		m.fatalf("lost %d frames in one epoch: %+v", before-rec.Last, rec)
	}
	m.frames = m.frames[:rec.Last]
	m.durable = rec.Last
	if e := j.Epoch(); e < m.epoch || rec.NewEpoch && e == m.epoch {
		m.fatalf("epoch %d after %d (new: %v)", e, m.epoch, rec.NewEpoch)
	}
	m.epoch = j.Epoch()
	if last := rec.Epochs[len(rec.Epochs)-1]; rec.NewEpoch && last.First != rec.Last+1 {
		m.fatalf("epoch %d begins at %d after %d", last.Epoch, last.First, rec.Last)
	}
	return j
}

// compare checks that what was recovered is a prefix of what was placed, and ends no earlier than what was durable.
func (m *model) compare(got []journal.Frame, partly bool) {
	m.t.Helper()
	var last int64
	for i, f := range got {
		want := m.released + journal.Ordinal(i) + 1
		if f.Ordinal != want || int(f.Ordinal) > len(m.frames) {
			m.fatalf("frame %d recovered as %d of %d", want, f.Ordinal, len(m.frames))
		}
		p := m.frames[f.Ordinal-1]
		if !bytes.Equal(f.Body, p.body) || f.Time != p.time {
			m.fatalf("frame %d differs: %.20q, want %.20q", f.Ordinal, f.Body, p.body)
		}
		if f.Time <= last {
			m.fatalf("frame %d at %d after %d", f.Ordinal, f.Time, last)
		}
		last = f.Time
	}
	if end := m.released + journal.Ordinal(len(got)); !partly && end < m.durable {
		m.fatalf("recovered up to %d, durable was %d", end, m.durable)
	}
}

// append places a frame and returns false when the journal takes no more.
func (m *model) append(j *journal.Journal, size int) bool {
	m.t.Helper()
	o := journal.Ordinal(len(m.frames) + 1)
	body := fmt.Appendf(nil, "life %d ordinal %d %s", m.life, o, strings.Repeat("x", size))
	p, err := j.Append(context.Background(), journal.Body{Head: body[:5], Tail: body[5:]})
	if err != nil {
		return false
	}
	if p.Ordinal != o {
		m.fatalf("placed as %d, want %d", p.Ordinal, o)
	}
	if n := len(m.frames); n > 0 && p.Time <= m.frames[n-1].time {
		m.fatalf("ordinal %d at %d after %d", o, p.Time, m.frames[n-1].time)
	}
	key := fmt.Sprint(m.epoch, o)
	if m.used[key] {
		m.fatalf("ordinal %d placed twice in epoch %d", o, m.epoch)
	}
	m.used[key] = true
	m.frames = append(m.frames, placed{body, p.Time})
	return true
}

// sync returns false when the journal takes no more.
func (m *model) sync(d *simdisk.Disk, j *journal.Journal) bool {
	upTo := journal.Ordinal(len(m.frames))
	if err := j.Sync(context.Background(), upTo); err != nil {
		return false
	}
	m.durable = max(m.durable, upTo)
	return true
}

// script works until the disk stops, or to its end.
func (m *model) script(d *simdisk.Disk, j *journal.Journal) *journal.Journal {
	m.t.Helper()
	for i := range 40 {
		size := []int{1, 50, 400, 3000, 9000, 20000}[m.rng.IntN(6)]
		if i%13 == 12 {
			size = 32 << 10
		}
		if !m.append(j, m.scale*size) {
			return j
		}
		if m.scale > 1 && i%4 == 3 && m.durable > m.released+2 {
			m.released = m.durable - 2
			if err := j.Release(m.released); err != nil {
				return j
			}
		}
		if m.rng.IntN(4) == 0 && !m.sync(d, j) {
			return j
		}
		switch i {
		case 20:
			upTo := max(m.durable-m.durable/4, m.released)
			m.released = max(m.released, upTo) // the owner has all of that before it releases
			if err := j.Release(upTo); err != nil {
				return j
			}
		case 25:
			e, err := j.NewEpoch(context.Background())
			if err != nil {
				return j
			}
			m.epoch = e.Epoch
		case 30:
			if err := j.Close(); err != nil {
				return j
			}
			m.durable = journal.Ordinal(len(m.frames))
			if j = m.open(d, false); j == nil {
				return nil
			}
		}
	}
	if j.Close() == nil {
		m.durable = journal.Ordinal(len(m.frames))
	}
	return nil
}

// work opens the journal and runs the script.
func (m *model) work(d *simdisk.Disk, restarted bool) {
	m.t.Helper()
	j := m.open(d, restarted)
	if j != nil {
		j = m.script(d, j)
	}
	if j != nil {
		_ = j.Close() // the disk is gone
	}
	// An epoch that was asked for when the power failed may have begun.
}

// operations counts those of the script.
func operations(t *testing.T, seed uint64) int64 {
	return operationsOf(newModel(t, seed, "dry run"), seed)
}

func operationsOf(m *model, seed uint64) int64 {
	d := simdisk.New(seed)
	m.work(d, false)
	return d.Ops()
}

// reusing is a model whose segments are large enough that what an earlier use left in them is there for long.
func reusing(t *testing.T, seed uint64, label string) *model {
	m := newModel(t, seed, label)
	m.scale = 64
	return m
}

// TestPowerCutReused cuts power while files of released segments are used again: when they get their new name and header, and when frames
// stand between bytes of the earlier use.
func TestPowerCutReused(t *testing.T) {
	n := operationsOf(reusing(t, 5, "dry run"), 5)
	for cut := int64(1); cut <= n; cut += 3 * onePartOf {
		m := reusing(t, 5, fmt.Sprintf("cut at %d", cut))
		d := simdisk.New(uint64(cut))
		d.CutAt(cut)
		m.work(d, false)
		d = d.Restart(uint64(cut))
		d.CutAt(1 + (cut*7)%60)
		m.work(d, true)
		m.work(d.Restart(uint64(cut)), true)
	}
}

func TestPowerCutAtEveryOperation(t *testing.T) {
	seeds := uint64(4)
	if testing.Short() {
		seeds = 1
	}
	cuts := 0
	for seed := range seeds {
		n := operations(t, seed)
		for cut := int64(1); cut <= n; cut++ {
			m := newModel(t, seed, fmt.Sprintf("seed %d, cut at %d", seed, cut))
			d := simdisk.New(seed*1000 + uint64(cut))
			d.CutAt(cut)
			m.work(d, false)
			// Twice more, within the recovery and the first appends after it, or later.
			for again := range uint64(2) {
				d = d.Restart(uint64(cut)*10 + again)
				d.CutAt(1 + (cut*7+int64(again)*3)%40)
				m.work(d, true)
				cuts++
			}
			d = d.Restart(uint64(cut))
			j := m.open(d, true)
			if !m.append(j, 10) || !m.sync(d, j) {
				m.fatalf("does not take appends")
			}
			if err := j.Close(); err != nil {
				m.fatalf("close: %v", err)
			}
		}
	}
	t.Logf("%d cuts", cuts)
}

func TestPowerCutAtEveryOperationOfRecovery(t *testing.T) {
	for cut := int64(5); cut < 90; cut += 9 {
		for second := int64(1); second < 30; second++ {
			m := newModel(t, 1, fmt.Sprintf("cut at %d and %d", cut, second))
			d := simdisk.New(uint64(cut*100 + second))
			d.CutAt(cut)
			m.work(d, false)
			d = d.Restart(uint64(second))
			d.CutAt(second)
			if j := m.open(d, true); j != nil {
				m.append(j, 100)
				_ = j.Close() // with or without power
			}
			m.work(d.Restart(3), true)
		}
	}
}

func TestKillAtEveryOperation(t *testing.T) {
	n := operations(t, 2)
	for kill := int64(1); kill <= n; kill++ {
		m := newModel(t, 2, fmt.Sprintf("kill at %d", kill))
		d := simdisk.New(uint64(kill))
		d.KillAt(kill)
		m.work(d, false)
		d = d.Kill(1)
		d.KillAt(1 + kill%30)
		m.work(d, false)
		d = d.Kill(2)
		d.CutAt(1 + kill%50)
		m.work(d, false)
		d = d.Restart(3)
		m.work(d, true)
	}
}

func TestFailedOperations(t *testing.T) {
	n := operations(t, 3)
	poisoned := 0
	for at := int64(1); at <= n; at++ {
		for _, fault := range []simdisk.Fault{simdisk.IOError, simdisk.DiskFull} {
			m := newModel(t, 3, fmt.Sprintf("fault %d at %d", fault, at))
			d := simdisk.New(uint64(at))
			d.FailAt(at, fault)
			var got []journal.Frame
			j, rec, err := journal.Open(context.Background(), d.Journal(), m.options(), 0, nil)
			if err != nil {
				if j, rec, err = journal.Open(context.Background(), d.Journal(), m.options(), 0, nil); err != nil {
					m.fatalf("second open: %v", err)
				}
			}
			m.epoch = rec.Epochs[len(rec.Epochs)-1].Epoch
			failed := false
			for i := range 30 {
				if !m.append(j, 7000*(i%4)) || !m.sync(d, j) {
					failed = true
					break
				}
			}
			st := j.Stats()
			if st.Poisoned != nil {
				poisoned++
				// Nothing is acknowledged any more, whatever the disk says now.
				if _, err := j.Append(context.Background(), journal.Body{Head: []byte("x")}); !errors.Is(err, journal.ErrPoisoned) {
					m.fatalf("append after a failed sync: %v", err)
				}
				if err := j.Sync(context.Background(), j.Visible()); j.Durable() < j.Visible() && !errors.Is(err, journal.ErrPoisoned) {
					m.fatalf("sync after a failed sync: %v", err)
				}
				if err := j.Close(); !errors.Is(err, journal.ErrPoisoned) {
					m.fatalf("close after a failed sync: %v", err)
				}
			} else {
				if failed && !m.append(j, 1) { // no room for a moment
					m.fatalf("does not heal: %+v", st)
				}
				_ = j.Close()
			}
			// The process ends: what a failed sync left in memory is gone, and that is told.
			d = d.Kill(uint64(at))
			k, rec, err := journal.Open(context.Background(), d.Journal(), m.options(), 0, func(f journal.Frame) error {
				f.Body = bytes.Clone(f.Body)
				got = append(got, f)
				return nil
			})
			if err != nil {
				m.fatalf("open after the fault: %v", err)
			}
			m.compare(got, false)
			if len(got) < len(m.frames) && !rec.NewEpoch {
				m.fatalf("%d of %d frames, same epoch", len(got), len(m.frames))
			}
			// What this open said is there is on the disk, though an earlier sync may have lied about it.
			m.durable = journal.Ordinal(len(got))
			d.Cut()
			_ = k.Close() // the disk is gone
			got = nil
			k, _, err = journal.Open(context.Background(), d.Restart(uint64(at)).Journal(), m.options(), 0, func(f journal.Frame) error {
				f.Body = bytes.Clone(f.Body)
				got = append(got, f)
				return nil
			})
			if err != nil {
				m.fatalf("open after the power failed: %v", err)
			}
			m.compare(got, false)
			if err := k.Close(); err != nil {
				m.fatalf("close: %v", err)
			}
		}
	}
	if poisoned == 0 {
		t.Fatal("no fault poisoned the journal")
	}
}

// TestPowerCutConcurrent has appenders that sync what they wrote while others append; what one was told is durable is there.
func TestPowerCutConcurrent(t *testing.T) {
	rounds := uint64(60)
	if testing.Short() {
		rounds = 15
	}
	for seed := range rounds {
		d := simdisk.New(seed)
		d.CutAt(int64(10 + seed*7))
		o := (&model{}).options()
		o.Sync = journal.SyncPolicy{Mode: journal.SyncInterval, Events: 7}
		j, _, err := journal.Open(context.Background(), d.Journal(), o, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		bodies := make(map[journal.Ordinal]string)
		var acked journal.Ordinal
		var wg sync.WaitGroup
		for g := range 3 {
			wg.Go(func() {
				for i := 0; ; i++ {
					body := fmt.Sprintf("%d %d %s", g, i, strings.Repeat("z", i*531%4000))
					mu.Lock() // as an owner does who numbers its events
					p, err := j.Append(context.Background(), journal.Body{Head: []byte(body)})
					if err == nil {
						bodies[p.Ordinal] = body
					}
					mu.Unlock()
					if err != nil {
						return
					}
					if i%3 == g {
						if j.Sync(context.Background(), p.Ordinal) != nil {
							return
						}
						mu.Lock()
						acked = max(acked, p.Ordinal)
						mu.Unlock()
					}
				}
			})
		}
		wg.Wait()
		if durable := j.Durable(); durable < acked {
			t.Fatalf("seed %d: durable %d, acknowledged %d", seed, durable, acked)
		}
		acked = max(acked, j.Durable())
		_ = j.Close() // the disk is gone
		n := journal.Ordinal(0)
		k, rec, err := journal.Open(context.Background(), d.Restart(seed).Journal(), o, 0, func(f journal.Frame) error {
			if n++; f.Ordinal != n || bodies[n] != string(f.Body) {
				return fmt.Errorf("ordinal %d is %d %.20q, want %.20q", n, f.Ordinal, f.Body, bodies[n])
			}
			return nil
		})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if n < acked || rec.Last != n || len(rec.Damage) > 0 {
			t.Fatalf("seed %d: recovered up to %d, acknowledged %d: %+v", seed, n, acked, rec)
		}
		if at := int64(acked) + 14; int64(len(bodies)) > at+3 {
			t.Fatalf("seed %d: %d placed, %d durable: more than twice the bound at risk", seed, len(bodies), acked)
		}
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
