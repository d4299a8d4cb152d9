package redex

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed69692123/netdb/internal/simdisk"
)

var consumerSeed = flag.Uint64("redex.consumerseed", 0, "seed of the model test of consumers; 0 takes one from the clock")

// consumerModel is a consumer of a log on a simulated disk, and what its members did.
type consumerModel struct {
	t    *testing.T
	ctx  context.Context
	r    *rand.Rand
	disk *simdisk.Disk
	s    *Store
	l    *Log
	c    *Consumer
	o    ConsumerOptions

	made    bool // the consumer, and that is durable
	events  []consumerEvent
	members []*Member
	held    []*Delivery
	seen    Seq // events of the dead-letter log that were looked at
	killed  bool
	cut     bool // the power, and not only the process
}

type consumerEvent struct {
	key       string
	durable   bool
	acked     bool // and not delivered again since
	here      bool // acknowledged since the last crash, which may have taken acknowledgements from before
	kept      bool // acknowledged durably: never to be delivered again
	rejected  bool
	dead      bool
	attempts  int // as Delivery.Attempt said
	delivered int
}

var consumerOrders = []Order{OrderFree, OrderByKey, OrderStrict}

func newConsumerModel(t *testing.T, seed uint64) *consumerModel {
	r := rand.New(rand.NewPCG(seed, 3))
	return &consumerModel{
		t: t, ctx: context.Background(), r: r, disk: simdisk.New(seed),
		o: ConsumerOptions{
			Order: consumerOrders[r.IntN(3)], AckWait: time.Minute, MaxAttempts: 1 + r.IntN(4), DeadLetter: "dead",
			Backoff: []time.Duration{0, time.Second}, MaxInFlight: 1 + r.IntN(20), Lookahead: 20 + r.IntN(100),
		},
	}
}

// open opens everything. It returns false when the power went off meanwhile.
func (m *consumerModel) open() bool {
	m.t.Helper()
	s, err := Open(m.ctx, "/store", crashOptions(m.disk))
	if err == nil {
		m.s = s
		m.l, err = s.OpenLog(m.ctx, "log", LogOptions{})
	}
	if err == nil && m.made {
		if m.c, err = m.l.Consumer("c"); errors.Is(err, ErrNoConsumer) {
			m.t.Fatal("a durable consumer is gone")
		}
	}
	if err == nil {
		m.c, err = m.l.OpenConsumer(m.ctx, "c", m.o)
	}
	if err == nil {
		err = s.Sync(m.ctx)
	}
	if err != nil {
		if !m.off() {
			m.t.Fatal(err)
		}
		return false
	}
	m.made = true
	return true
}

func (m *consumerModel) off() bool {
	select {
	case <-m.disk.Off():
		return true
	default:
		return false
	}
}

// failed reports whether an operation failed for want of power.
func (m *consumerModel) failed(err error) bool {
	m.t.Helper()
	if err != nil && !m.off() {
		m.t.Fatal(err)
	}
	return err != nil
}

// take gives an event to a member, if there is one, and looks whether it may get it. It returns false when the power is off.
func (m *consumerModel) take(mb *Member) (*Delivery, bool) {
	t := m.t
	t.Helper()
	synctest.Wait()
	d, err := mb.TryNext(m.ctx)
	if m.failed(err) {
		return nil, false
	}
	if d == nil {
		return nil, !m.off()
	}
	m.bury()
	seq := d.Event.Seq
	ev := &m.events[seq]
	switch {
	case !ev.durable && d.Event.Ordinal > m.s.Durable():
		t.Fatalf("sequence %d was delivered before it was durable", seq)
	case string(d.Event.Key) != ev.key || string(d.Event.Payload) != fmt.Sprint(ev.key, seq):
		t.Fatalf("sequence %d: %q", seq, d.Event.Payload)
	case ev.kept:
		t.Fatalf("sequence %d was acknowledged durably and delivered again", seq)
	case ev.dead:
		t.Fatalf("sequence %d is a dead letter and was delivered again", seq)
	case ev.acked && !m.killed:
		t.Fatalf("sequence %d was acknowledged and delivered again", seq)
	case !m.cut && ev.delivered >= m.o.MaxAttempts:
		t.Fatalf("sequence %d was delivered %d times of %d, and again", seq, ev.delivered, m.o.MaxAttempts)
	case !m.cut && d.Attempt <= ev.attempts:
		t.Fatalf("attempt %d of sequence %d after %d", d.Attempt, seq, ev.attempts)
	case d.Attempt > m.o.MaxAttempts:
		t.Fatalf("attempt %d of sequence %d", d.Attempt, seq)
	}
	ev.durable = true
	ev.delivered++
	ev.attempts = d.Attempt
	for i := range m.events {
		other := &m.events[i]
		if m.o.Order == OrderFree || m.o.Order == OrderByKey && other.key != ev.key {
			continue
		}
		if Seq(i) < seq && !other.acked && !other.dead {
			t.Fatalf("sequence %d was delivered before %d of its key", seq, i)
		}
		if Seq(i) > seq && ev.acked { // after a crash: what came after it comes again too
			other.acked = false
		}
	}
	ev.acked = false
	return d, true
}

// bury looks at what has become a dead letter.
func (m *consumerModel) bury() {
	t := m.t
	t.Helper()
	dead, err := m.s.Log("dead")
	if errors.Is(err, ErrNoLog) {
		return
	}
	mustDo(t, err)
	for ev, err := range dead.Scan(m.ctx, m.seen, maxSeq) {
		mustDo(t, err)
		d, ok := ev.DeadLetter()
		if !ok || d.Log != "log" || d.Consumer != "c" {
			t.Fatalf("%+v", ev)
		}
		of := &m.events[d.Seq]
		switch {
		case of.dead:
			t.Fatalf("sequence %d is a dead letter twice", d.Seq)
		case of.kept || of.acked && of.here: // an acknowledgement of the last attempt that is lost leaves an event with too many
			t.Fatalf("sequence %d was acknowledged and is a dead letter", d.Seq)
		case !of.rejected && d.Attempts < m.o.MaxAttempts:
			t.Fatalf("sequence %d is a dead letter after %d attempts of %d", d.Seq, d.Attempts, m.o.MaxAttempts)
		case of.delivered == 0:
			t.Fatalf("sequence %d is a dead letter and was never delivered", d.Seq)
		case string(ev.Payload) != fmt.Sprint(of.key, d.Seq) || string(ev.Key) != of.key:
			t.Fatalf("dead letter of %d: %q", d.Seq, ev.Payload)
		}
		of.dead = true
		m.seen = ev.Seq + 1
	}
}

// step does something. It returns false when the power is off.
func (m *consumerModel) step() bool {
	t, r, ctx := m.t, m.r, m.ctx
	t.Helper()
	switch n := r.IntN(40); {
	case n < 6:
		var es []Entry
		durable := r.IntN(2) == 0
		first := len(m.events)
		for i := range 1 + r.IntN(6) {
			key := fmt.Sprint("key", r.IntN(4))
			es = append(es, Entry{Key: []byte(key), Payload: fmt.Append(nil, key, first+i)})
			m.events = append(m.events, consumerEvent{key: key})
		}
		o := AppendOptions{Durable: DurableNo}
		if durable {
			o.Durable = DurableYes
		}
		if _, err := m.l.AppendBatch(ctx, es, o); m.failed(err) {
			return false
		}
		for i := range m.events[first:] {
			m.events[first+i].durable = durable
		}
	case n < 9 && len(m.members) < 3:
		mb, err := m.c.Join(ctx)
		if m.failed(err) {
			return false
		}
		m.members = append(m.members, mb)
	case n < 10 && len(m.members) > 0:
		i := r.IntN(len(m.members))
		mustDo(t, m.members[i].Close())
		m.members = slices.Delete(m.members, i, i+1)
	case n < 22 && len(m.members) > 0:
		d, ok := m.take(m.members[r.IntN(len(m.members))])
		if !ok {
			return false
		}
		if d != nil {
			m.held = append(m.held, d)
		}
	case n < 35 && len(m.held) > 0:
		i := r.IntN(len(m.held))
		d := m.held[i]
		m.held = slices.Delete(m.held, i, i+1)
		ev := &m.events[d.Event.Seq]
		var err error
		switch r.IntN(12) {
		case 0, 1:
			if err = d.AckSync(ctx); err == nil {
				ev.kept = true
			}
			if !errors.Is(err, ErrDeliveryEnded) {
				ev.acked, ev.here = true, true
			}
		case 2, 3:
			err = d.Nack(time.Duration(r.IntN(3)) * time.Second)
		case 4:
			m.bury()
			if d.m.r.w.at(d.Event.Seq) != nil {
				ev.rejected = true
			}
			err = d.Reject(ctx, "rejected")
		case 5:
			err = d.InProgress()
			m.held = append(m.held, d)
		default:
			if err = d.Ack(); err == nil {
				ev.acked, ev.here = true, true
			}
		}
		if !errors.Is(err, ErrDeliveryEnded) && m.failed(err) {
			return false
		}
	case n < 37:
		time.Sleep(time.Duration(r.IntN(80)) * time.Second)
	case n < 38:
		if m.failed(m.s.Seal(ctx)) {
			return false
		}
	case n < 39:
		before := slices.Clone(m.events)
		if m.failed(m.c.Sync(ctx)) {
			return false
		}
		for i := range before {
			m.events[i].kept = m.events[i].kept || before[i].acked && before[i].here
		}
	case r.IntN(4) == 0:
		if m.failed(m.s.Close()) {
			return false
		}
		for i := range m.events { // closing makes everything durable
			m.events[i].durable, m.events[i].kept = true, m.events[i].kept || m.events[i].acked && m.events[i].here
		}
		m.members, m.held = nil, nil
		return m.open()
	}
	synctest.Wait()
	return !m.off()
}

// restart is the end of the process, or the power, and what comes after it.
func (m *consumerModel) restart(kill bool) {
	t := m.t
	t.Helper()
	if m.s != nil {
		_ = m.s.Close() // it fails: the disk is gone
	}
	m.members, m.held, m.killed, m.cut = nil, nil, true, m.cut || !kill
	if kill {
		m.disk = m.disk.Kill(m.r.Uint64())
	} else {
		m.disk = m.disk.Restart(m.r.Uint64())
	}
	if !m.open() {
		t.Fatal("no power")
	}
	rep, err := m.s.Check(m.ctx)
	if err != nil || len(rep.Damage) > 0 {
		t.Fatal(rep.Damage, err)
	}
	next := m.l.Bounds().Next
	for i := range m.events {
		if m.events[i].durable && Seq(i) >= next {
			t.Fatalf("sequence %d was durable and is gone", i)
		}
	}
	if st := m.c.Stats(); st.Position > next {
		t.Fatalf("position %d of %d", st.Position, next)
	}
	m.events = m.events[:next]
	for i := range m.events {
		m.events[i].durable, m.events[i].here = true, false
	}
	m.seen = 0 // after a power cut some dead letters are gone
	for i := range m.events {
		m.events[i].dead = false
	}
	m.bury()
}

// drain acknowledges everything there is, and looks that nothing is missing.
func (m *consumerModel) drain() {
	t := m.t
	t.Helper()
	mustDo(t, m.s.Sync(m.ctx))
	for _, mb := range m.members {
		mustDo(t, mb.Close())
	}
	m.members, m.held = nil, nil
	mb := mustJoin(t, m.c)
	for range 3 { // what waits is delivered in a while
		for {
			d, ok := m.take(mb)
			if !ok {
				t.Fatal("no power")
			}
			if d == nil {
				break
			}
			mustDo(t, d.Ack())
			m.events[d.Event.Seq].acked = true
		}
		time.Sleep(2 * time.Minute)
	}
	m.bury()
	for i, ev := range m.events {
		if !ev.acked && !ev.dead {
			t.Fatalf("sequence %d was settled and never acknowledged: %+v; %+v", i, ev, m.c.Stats())
		}
	}
	st := m.c.Stats()
	if int(st.Position) != len(m.events) || st.Pending != 0 || st.InFlight != 0 || st.Waiting != 0 || st.Err != nil || st.Lost != 0 {
		t.Fatalf("%+v, %d events", st, len(m.events))
	}
	if dead := m.seen; st.DeadLettered != uint64(dead) {
		t.Fatalf("%d dead letters, %d counted", dead, st.DeadLettered)
	}
	mustDo(t, mb.Close())
}

// TestConsumerModel does many things to a consumer, without crashes.
func TestConsumerModel(t *testing.T) {
	seed := *consumerSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed: -redex.consumerseed=%d", seed)
	for i := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			m := newConsumerModel(t, seed+i)
			m.open()
			for range 400 {
				m.step()
			}
			m.drain()
			mustDo(t, m.s.Close())
			m.open()
			m.drain()
			mustDo(t, m.s.Close())
		})
	}
}

// TestConsumerCrash cuts the power, or kills the process, at operations of the disk, twice in a row.
func TestConsumerCrash(t *testing.T) {
	for _, kill := range []bool{false, true} {
		for seed := *crashSeed; seed < *crashSeed+4; seed++ {
			total := int64(0)
			synctest.Test(t, func(t *testing.T) {
				m := newConsumerModel(t, seed)
				m.open()
				for range 100 {
					m.step()
				}
				total = m.disk.Ops()
				mustDo(t, m.s.Close())
			})
			step := int64(1)
			if *crashPoints > 0 {
				step = max(1, total/int64(max(*crashPoints/4, 1)))
			}
			for n := int64(1); n <= total; n += step {
				t.Run(fmt.Sprintf("kill=%v/seed=%d/%d", kill, seed, n), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { consumerCrashAt(t, seed, n, kill) })
				})
			}
		}
	}
}

func consumerCrashAt(t *testing.T, seed uint64, n int64, kill bool) {
	m := newConsumerModel(t, seed)
	arm := func(n int64) {
		if kill {
			m.disk.KillAt(n)
		} else {
			m.disk.CutAt(n)
		}
	}
	arm(n)
	if m.open() {
		for range 100 {
			if !m.step() {
				break
			}
		}
	}
	m.restart(kill)
	arm(m.disk.Ops() + 1 + m.r.Int64N(100))
	for range 60 {
		if !m.step() {
			break
		}
	}
	m.restart(kill)
	for range 20 {
		m.step()
	}
	m.drain()
	mustDo(t, m.s.Close())
	m.open()
	m.drain()
	mustDo(t, m.s.Close())
}
