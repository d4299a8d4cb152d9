package redex

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// modelLog is a log as it should be: a slice of events.
type modelLog struct {
	log    *Log
	name   string
	events []Event // all of them, also those below the floor
	floor  Seq
	json   bool
	byKey  bool
	gone   map[Seq]bool // what compaction took
	tombs  Seq          // tombstones below go with the next compaction
	tails  []*modelTail
}

// left returns the first event from seq on that compaction left, or the end.
func (ml *modelLog) left(seq Seq) Seq {
	for seq < Seq(len(ml.events)) && ml.gone[seq] {
		seq++
	}
	return seq
}

// count returns how many events there are.
func (ml *modelLog) count() (n int64) {
	for seq := ml.left(ml.floor); seq < Seq(len(ml.events)); seq = ml.left(seq + 1) {
		n++
	}
	return n
}

func (ml *modelLog) options() LogOptions {
	o := LogOptions{CheckJSON: ml.json}
	if ml.byKey {
		o.Compaction = Compaction{ByKey: true, TombstonesFor: 1}
	}
	return o
}

type modelTail struct {
	t  *Tail
	at Seq
}

// model runs random operations on a store and compares each answer with that of slices.
type model struct {
	t     *testing.T
	ctx   context.Context
	r     *rand.Rand
	open  func() *Store
	s     *Store
	logs  map[string]*modelLog
	order []*modelLog // living, in order of creation
	gone  []*Log
	cuts  []Cut
	story io.Writer // what happened, without times
	steps int
	disk  bool
	large bool // large payloads are wanted
}

func (m *model) fatalf(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("step %d: "+format, append([]any{m.steps}, args...)...)
}

func (m *model) must(err error) {
	m.t.Helper()
	if err != nil {
		m.fatalf("%v", err)
	}
}

func (m *model) pick() *modelLog {
	if len(m.order) == 0 {
		m.create()
	}
	// A few logs get most of the events, so that there are large and tiny ones.
	i := min(m.r.IntN(len(m.order)), m.r.IntN(len(m.order)), m.r.IntN(len(m.order)))
	return m.order[i]
}

func (m *model) create() {
	name := fmt.Sprintf("%s/%d", []string{"a", "b", "b/c", "tasks"}[m.r.IntN(4)], m.r.IntN(40))
	ml := &modelLog{name: name, json: m.r.IntN(4) == 0, byKey: m.r.IntN(3) == 0, gone: map[Seq]bool{}}
	l, err := m.s.Create(m.ctx, name, ml.options())
	if m.logs[name] != nil {
		if !errors.Is(err, ErrLogExists) {
			m.fatalf("create %q again: %v", name, err)
		}
		return
	}
	m.must(err)
	ml.log = l
	m.logs[name] = ml
	m.order = append(m.order, ml)
	fmt.Fprintln(m.story, "create", name, l.ID())
}

func (m *model) entry() Entry {
	e := Entry{Kind: Kind(m.r.IntN(4) * 1000), Origin: Origin(m.r.IntN(3)), SchemaVersion: uint32(m.r.IntN(3)), Tombstone: m.r.IntN(9) == 0}
	switch m.r.IntN(4) {
	case 0:
		e.Encoding, e.Payload = JSON, fmt.Appendf(nil, `{"n":%d}`, m.r.IntN(1000))
	case 1:
		e.Encoding, e.Payload = Msgpack, []byte{0x80}
	default:
		e.Payload = bytes.Repeat([]byte{byte('a' + m.r.IntN(26))}, m.r.IntN(200))
	}
	if m.r.IntN(50) == 0 && m.large {
		e.Payload = make([]byte, m.r.IntN(40<<10)) // also more than a catalog's row
		for i := range e.Payload {
			e.Payload[i] = byte(m.r.Uint32())
		}
		e.Encoding = Raw
	}
	if m.r.IntN(4) == 0 {
		e.Key = fmt.Appendf([]byte{}, "%.*s", m.r.IntN(5), "key-1")
	}
	for range max(0, m.r.IntN(8)-5) {
		e.Headers = append(e.Headers, Header{Name: fmt.Sprint("h", m.r.IntN(9)), Value: []byte("v")})
	}
	return e
}

func (m *model) entries() []Entry {
	n := 1 + m.r.IntN(5)
	if m.r.IntN(20) == 0 {
		n = 1 + m.r.IntN(100)
	}
	es := make([]Entry, n)
	for i := range es {
		es[i] = m.entry()
	}
	return es
}

// appended brings the model up to what an append said.
func (m *model) appended(ml *modelLog, es []Entry, a Appended) {
	m.t.Helper()
	next := Seq(len(ml.events))
	if a.First != next || a.Count != len(es) || a.Seq != next+Seq(len(es))-1 || a.Log != ml.log.ID() || a.Duplicates != 0 {
		m.fatalf("append to %q at %d of %d: %+v", ml.name, next, len(es), a)
	}
	for i, e := range es {
		ev := Event{
			Log: ml.log.ID(), Seq: next + Seq(i), Time: a.Time, Kind: e.Kind, Encoding: e.Encoding, Tombstone: e.Tombstone, Origin: e.Origin,
			Idempotency: e.Idempotency, SchemaVersion: e.SchemaVersion, Key: e.Key, Headers: e.Headers, Payload: e.Payload,
		}
		ml.events = append(ml.events, ev.Clone())
	}
	for i := range es { // arguments may be reused after return
		clear(es[i].Payload)
		clear(es[i].Key)
	}
	fmt.Fprintln(m.story, "append", ml.name, a.First, a.Count, a.Ordinal, a.Epoch)
}

func (m *model) same(ml *modelLog, got *Event, seq Seq) {
	m.t.Helper()
	want, have := ml.events[seq].Clone(), got.Clone()
	have.Ordinal = 0
	if len(want.Payload) == 0 {
		want.Payload = nil
	}
	if len(want.Headers) == 0 {
		want.Headers = nil
	}
	if len(have.Headers) == 0 {
		have.Headers = nil
	}
	if d := cmp.Diff(want, have); d != "" {
		m.fatalf("log %q sequence %d (-want +got):\n%s", ml.name, seq, d)
	}
}

func (m *model) step() {
	m.steps++
	ctx, r := m.ctx, m.r
	switch op := r.IntN(112); {
	case op < 5:
		m.create()
	case op < 25:
		ml := m.pick()
		m.large = true
		es := []Entry{m.entry()}
		m.large = false
		a, err := ml.log.Append(ctx, es[0], AppendOptions{Durable: Durability(r.IntN(3))})
		m.must(err)
		m.appended(ml, es, a)
	case op < 35:
		ml := m.pick()
		es := m.entries()
		a, err := ml.log.AppendBatch(ctx, es, AppendOptions{Durable: Durability(r.IntN(3)), Expect: ExpectSeq(Seq(len(ml.events)))})
		m.must(err)
		m.appended(ml, es, a)
	case op < 42:
		m.multi()
	case op < 46:
		ml := m.pick()
		wrong := Seq(len(ml.events) + 1 + r.IntN(3))
		_, err := ml.log.Append(ctx, m.entry(), AppendOptions{Expect: ExpectSeq(wrong)})
		if c, ok := errors.AsType[*ConflictError](err); !ok || !errors.Is(err, ErrConflict) || c.Next != Seq(len(ml.events)) {
			m.fatalf("append at %d: %v", wrong, err)
		}
	case op < 52:
		m.idempotent()
	case op < 60:
		ml := m.pick()
		seq := Seq(r.IntN(len(ml.events) + 2))
		ev, err := ml.log.Read(ctx, seq)
		switch {
		case seq >= Seq(len(ml.events)):
			if !errors.Is(err, ErrNoEvent) {
				m.fatalf("read %d of %d: %v", seq, len(ml.events), err)
			}
		case ml.gone[seq] && seq >= ml.floor:
			if !errors.Is(err, ErrCompacted) || !errors.Is(err, ErrNoEvent) {
				m.fatalf("read %d, which was compacted: %v", seq, err)
			}
		case seq < ml.floor:
			if l, ok := errors.AsType[*RangeLostError](err); !ok || l.To != ml.floor {
				m.fatalf("read %d below %d: %v", seq, ml.floor, err)
			}
		default:
			m.must(err)
			m.same(ml, &ev, seq)
		}
	case op < 68:
		m.scan(m.pick())
	case op < 72:
		m.bounds(m.pick())
	case op < 78:
		m.tail(m.pick())
	case op < 81:
		ml := m.pick()
		if len(ml.events) > 0 {
			want := ml.floor + Seq(r.IntN(len(ml.events)-int(ml.floor)+1))
			var t int64 = 1 << 62
			if want < Seq(len(ml.events)) {
				t = ml.events[want].Time
				want = Seq(sort.Search(len(ml.events), func(i int) bool { return ml.events[i].Time >= t }))
			}
			got, err := ml.log.SeekTime(ctx, t)
			m.must(err)
			if want = ml.left(max(want, ml.floor)); got != want {
				m.fatalf("seek %q to %d: %d, want %d", ml.name, t, got, want)
			}
		}
	case op < 84:
		m.cut()
	case op < 86:
		m.list()
	case op < 89:
		m.must(m.s.Seal(ctx))
	case op < 91:
		m.reopen()
	case op < 93:
		m.delete()
	case op < 95:
		ml := m.pick()
		floor := ml.floor + Seq(r.IntN(len(ml.events)-int(ml.floor)+1))/Seq(1+r.IntN(3))
		m.must(ml.log.Trim(ctx, floor))
		ml.floor = max(ml.floor, floor)
		fmt.Fprintln(m.story, "trim", ml.name, floor)
	case op < 96:
		ml := m.pick()
		ml.json = !ml.json
		m.must(m.s.SetOptions(ctx, ml.name, ml.options()))
		_, err := ml.log.Append(ctx, Entry{Encoding: JSON, Payload: []byte("{")}, AppendOptions{})
		if errors.Is(err, ErrEncoding) != ml.json {
			m.fatalf("append bad JSON with CheckJSON %v: %v", ml.json, err)
		}
		if err == nil {
			ml.events = append(ml.events, Event{})
			ev, err := ml.log.Latest(ctx)
			m.must(err)
			ev.Ordinal = 0
			ml.events[ev.Seq] = ev
		}
	case op < 97:
		if len(m.gone) > 0 {
			l := m.gone[r.IntN(len(m.gone))]
			if _, err := l.Append(ctx, m.entry(), AppendOptions{}); !errors.Is(err, ErrLogDeleted) {
				m.fatalf("append to a deleted log: %v", err)
			}
			if _, err := l.Read(ctx, 0); !errors.Is(err, ErrLogDeleted) {
				m.fatalf("read a deleted log: %v", err)
			}
			if _, err := m.s.LogByID(l.ID()); !errors.Is(err, ErrLogDeleted) {
				m.fatalf("deleted log by id: %v", err)
			}
		}
	case op < 100:
		m.check()
	case op < 102:
		m.rename()
	case op < 104:
		m.retain()
	case op < 105:
		m.quota()
	case op < 108:
		m.compact()
	case op < 110:
		m.redact()
	default:
		m.must(m.s.Maintain(ctx))
		fmt.Fprintln(m.story, "maintain")
	}
}

func (m *model) multi() {
	var bs []Batch
	var mls []*modelLog
	for range 1 + m.r.IntN(4) {
		ml := m.pick()
		bs = append(bs, Batch{Log: ml.log, Entries: m.entries()})
		mls = append(mls, ml)
	}
	if m.r.IntN(5) == 0 { // one batch spoils all
		bs[len(bs)-1].Expect = ExpectSeq(1 << 40)
		if _, err := m.s.Append(m.ctx, bs, AppendOptions{}); !errors.Is(err, ErrConflict) {
			m.fatalf("append with a wrong expectation: %v", err)
		}
		return
	}
	as, err := m.s.Append(m.ctx, bs, AppendOptions{Durable: Durability(m.r.IntN(3))})
	m.must(err)
	for i := range as {
		m.appended(mls[i], bs[i].Entries, as[i])
		if as[i].Time != as[0].Time || as[i].Ordinal != as[0].Ordinal {
			m.fatalf("batches of one append in different frames")
		}
	}
}

func (m *model) idempotent() {
	ml := m.pick()
	es := []Entry{m.entry(), m.entry(), m.entry()}[:1+m.r.IntN(3)]
	highest := uint64(0)
	for i := range ml.events {
		highest = max(highest, ml.events[i].Idempotency)
	}
	for i := range es {
		es[i].Idempotency = highest + 1 + uint64(m.r.IntN(3)) + 10*uint64(i)
	}
	again := make([]Entry, len(es))
	for i := range es {
		again[i] = es[i]
		again[i].Payload, again[i].Key = bytes.Clone(es[i].Payload), bytes.Clone(es[i].Key)
	}
	first, err := ml.log.AppendBatch(m.ctx, es, AppendOptions{})
	m.must(err)
	m.appended(ml, es, first)
	if m.r.IntN(2) == 0 {
		m.must(m.s.Seal(m.ctx))
	}
	if m.r.IntN(8) == 0 {
		m.reopen()
	}
	second, err := ml.log.AppendBatch(m.ctx, again, AppendOptions{Durable: DurableYes, Expect: ExpectSeq(first.First)})
	m.must(err)
	if second.Duplicates != len(es) {
		m.fatalf("repeated append: %+v", second)
	}
	second.Duplicates = 0
	if second != first {
		m.fatalf("repeated append: %+v, first %+v", second, first)
	}
	if m.r.IntN(2) == 0 { // some are there, others are not
		more := []Entry{m.entry(), again[0]}
		more[0].Idempotency = highest + 100
		a, err := ml.log.AppendBatch(m.ctx, more, AppendOptions{})
		m.must(err)
		if a.Duplicates != 1 {
			m.fatalf("append of which one is there: %+v", a)
		}
		a.Duplicates = 0
		m.appended(ml, more[:1], a)
	}
}

func (m *model) scan(ml *modelLog) {
	from := ml.floor + Seq(m.r.IntN(len(ml.events)-int(ml.floor)+1))
	to := from + Seq(m.r.IntN(400))
	at := ml.left(from)
	for ev, err := range ml.log.Scan(m.ctx, from, to) {
		m.must(err)
		if ev.Seq != at {
			m.fatalf("scan of %q: sequence %d, want %d", ml.name, ev.Seq, at)
		}
		m.same(ml, &ev, at)
		at = ml.left(at + 1)
	}
	if want := max(from, min(to, Seq(len(ml.events)))); at < want {
		m.fatalf("scan of %q from %d to %d ended at %d, want %d", ml.name, from, to, at, want)
	}
}

func (m *model) bounds(ml *modelLog) {
	if b := ml.log.Bounds(); b != (Bounds{ml.floor, Seq(len(ml.events))}) {
		m.fatalf("bounds of %q: %v, want %d to %d", ml.name, b, ml.floor, len(ml.events))
	}
	ev, err := ml.log.Latest(m.ctx)
	if int(ml.floor) == len(ml.events) {
		if !errors.Is(err, ErrNoEvent) {
			m.fatalf("latest of an empty log: %v", err)
		}
		return
	}
	m.must(err)
	m.same(ml, &ev, Seq(len(ml.events)-1))
}

func (m *model) tail(ml *modelLog) {
	from, more, take := ml.floor+Seq(m.r.IntN(len(ml.events)-int(ml.floor)+3)), m.r.IntN(2) == 0, [3]int{m.r.IntN(100), m.r.IntN(100), m.r.IntN(100)}
	if len(ml.tails) < 3 && more {
		ml.tails = append(ml.tails, &modelTail{ml.log.Tail(from, TailOptions{}), from})
	}
	for i := 0; i < len(ml.tails); i++ {
		t := ml.tails[i]
		n := take[i]
		for ; n > 0 && t.t.TryNext(m.ctx); n-- {
			// What a tail has read ahead it may deliver, whatever became of it since.
			ev := t.t.Event()
			for t.at < ev.Seq && ml.gone[t.at] {
				t.at++
			}
			if ev.Seq != t.at {
				m.fatalf("tail of %q: %d, want %d", ml.name, ev.Seq, t.at)
			}
			if want := &ml.events[t.at]; !want.Redacted || ev.Redacted {
				m.same(ml, ev, t.at)
			}
			t.at++
		}
		switch err := t.t.Err(); {
		case n > 0 && err == nil && ml.left(t.at) < Seq(len(ml.events)):
			m.fatalf("tail of %q stopped at %d of %d", ml.name, t.at, len(ml.events))
		case err == nil:
		case errors.Is(err, ErrRangeLost) && t.at < ml.floor:
			m.must(t.t.Close())
			ml.tails = slices.Delete(ml.tails, i, i+1)
			i--
		default:
			m.fatalf("tail of %q at %d: %v", ml.name, t.at, err)
		}
	}
}

func (m *model) cut() {
	if len(m.cuts) < 50 || m.r.IntN(4) == 0 {
		m.cuts = append(m.cuts, m.s.Cut())
	}
	c := m.cuts[m.r.IntN(len(m.cuts))]
	ml := m.pick()
	b, err := ml.log.BoundsAt(m.ctx, c)
	m.must(err)
	next := Seq(sort.Search(len(ml.events), func(i int) bool { return ml.events[i].Time > c.Time }))
	if next < ml.floor { // all that was there is gone
		if b.Len() != 0 && ml.left(b.Floor) < b.Next {
			m.fatalf("bounds of %q at %v: %v, want none", ml.name, c, b)
		}
		return
	}
	if b.Next < next || b.Next > max(ml.left(next), next) || b.Floor != min(ml.floor, next) {
		m.fatalf("bounds of %q at %v: %v, want %d to %d", ml.name, c, b, ml.floor, next)
	}
}

func (m *model) list() {
	prefix := []string{"", "a/", "b", "b/c/", "zzz", "a/1"}[m.r.IntN(6)]
	var want, got []string
	for n, ml := range m.logs {
		if strings.HasPrefix(n, prefix) {
			want = append(want, fmt.Sprint(n, ml.log.ID(), ml.floor, len(ml.events), ml.json))
		}
	}
	sort.Strings(want)
	for i, err := range m.s.Logs(prefix) {
		m.must(err)
		got = append(got, fmt.Sprint(i.Name, i.ID, i.Bounds.Floor, i.Bounds.Next, i.Options.CheckJSON))
	}
	if !sort.SliceIsSorted(got, func(a, b int) bool { return strings.Fields(got[a])[0] < strings.Fields(got[b])[0] }) {
		sort.Strings(got)
	}
	sort.Strings(got)
	if d := cmp.Diff(want, got); d != "" {
		m.fatalf("logs of %q (-want +got):\n%s", prefix, d)
	}
}

func (m *model) delete() {
	if len(m.order) < 5 {
		return
	}
	i := m.r.IntN(len(m.order))
	ml := m.order[i]
	m.must(m.s.Delete(m.ctx, ml.name))
	for _, t := range ml.tails {
		for t.t.TryNext(m.ctx) { // what it has read ahead
		}
		if err := t.t.Err(); !errors.Is(err, ErrLogDeleted) {
			m.fatalf("tail of a deleted log: %v", err)
		}
		m.must(t.t.Close())
	}
	m.order = slices.Delete(m.order, i, i+1)
	delete(m.logs, ml.name)
	m.gone = append(m.gone, ml.log)
	fmt.Fprintln(m.story, "delete", ml.name)
}

func (m *model) reopen() {
	if !m.disk {
		return
	}
	epoch, id := m.s.Epoch(), m.s.ID()
	for _, ml := range m.order {
		for _, t := range ml.tails {
			m.must(t.t.Close())
		}
		ml.tails = nil
	}
	m.must(m.s.Close())
	m.s = m.open()
	if m.s.Epoch() != epoch || m.s.ID() != id {
		m.fatalf("reopened with epoch %d and id %s, were %d and %s", m.s.Epoch(), m.s.ID(), epoch, id)
	}
	m.gone = nil
	for _, ml := range m.order {
		l, err := m.s.Log(ml.name)
		m.must(err)
		if l.ID() != ml.log.ID() {
			m.fatalf("log %q has id %d, had %d", ml.name, l.ID(), ml.log.ID())
		}
		ml.log = l
	}
}

func (m *model) check() {
	m.t.Helper()
	rep, err := m.s.Check(m.ctx)
	m.must(err)
	if len(rep.Damage) != 0 {
		m.fatalf("check: %v", rep.Damage)
	}
	var events int64
	for _, ml := range m.order {
		events += ml.count()
	}
	if rep.Logs != int64(len(m.order)) || rep.Events != events {
		m.fatalf("check saw %d logs and %d events, want %d and %d", rep.Logs, rep.Events, len(m.order), events)
	}
}

// whole compares everything.
func (m *model) whole() {
	m.t.Helper()
	for _, ml := range m.order {
		m.bounds(ml)
		at := ml.left(ml.floor)
		for ev, err := range ml.log.Scan(m.ctx, ml.floor, maxSeq) {
			m.must(err)
			m.same(ml, &ev, at)
			at = ml.left(at + 1)
		}
		if int(at) != len(ml.events) {
			m.fatalf("log %q ended at %d of %d", ml.name, at, len(ml.events))
		}
	}
	m.list()
	m.check()
}
