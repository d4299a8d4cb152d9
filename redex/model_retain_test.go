package redex

import (
	"errors"
	"fmt"
)

// rename gives a log the name of another, which is refused, or one that is free.
func (m *model) rename() {
	ml, other := m.pick(), m.pick()
	if err := m.s.Rename(m.ctx, ml.name, other.name); !errors.Is(err, ErrLogExists) {
		m.fatalf("rename %q to %q, which there is: %v", ml.name, other.name, err)
	}
	name := fmt.Sprintf("%s/%d", []string{"a", "b", "b/c", "tasks"}[m.r.IntN(4)], m.r.IntN(40))
	if m.logs[name] != nil {
		return
	}
	m.must(m.s.Rename(m.ctx, ml.name, name))
	if _, err := m.s.Log(ml.name); !errors.Is(err, ErrNoLog) {
		m.fatalf("the name that %q had: %v", name, err)
	}
	delete(m.logs, ml.name)
	ml.name = name
	m.logs[name] = ml
	l, err := m.s.Log(name)
	m.must(err)
	if l != ml.log || l.Name() != name || l.Info().Name != name {
		m.fatalf("renamed %q, found %v", name, l)
	}
	fmt.Fprintln(m.story, "rename", l.ID(), name)
}

// retain has a retention applied and takes it back, so that none is applied at a moment the model does not know.
func (m *model) retain() {
	ml := m.pick()
	have := ml.count()
	keep := 1 + m.r.Int64N(have+3)
	o := ml.options()
	o.Retention = Retention{Events: keep}
	m.must(m.s.SetOptions(m.ctx, ml.name, o))
	_, err := m.s.Retain(m.ctx, ml.name)
	m.must(err)
	for ; have > keep; have-- {
		ml.floor = ml.left(ml.left(ml.floor) + 1)
	}
	m.bounds(ml)
	m.must(m.s.SetOptions(m.ctx, ml.name, ml.options()))
	n, err := ml.log.Retain(m.ctx) // waits for one in the background that began before
	m.must(err)
	if n != 0 {
		m.fatalf("retention that was taken back gave up %d events", n)
	}
	fmt.Fprintln(m.story, "retain", ml.name, keep)
}

// quota checks both sides of a bound.
func (m *model) quota() {
	ml := m.pick()
	if ml.byKey { // what compaction took below the floor counts until its run goes
		return
	}
	have := int64(len(ml.events)) - int64(ml.floor)
	es := m.entries()
	limit := have + int64(len(es)) - int64(m.r.IntN(2))
	if limit == 0 {
		return
	}
	m.must(m.s.SetOptions(m.ctx, ml.name, LogOptions{CheckJSON: ml.json, Quota: Quota{Events: limit}}))
	a, err := ml.log.AppendBatch(m.ctx, es, AppendOptions{})
	if have+int64(len(es)) > limit {
		if q, ok := errors.AsType[*QuotaError](err); !ok || !errors.Is(err, ErrQuota) || q.Events != have+int64(len(es)) || q.Quota.Events != limit {
			m.fatalf("append of %d to %d of %d events: %v", len(es), have, limit, err)
		}
	} else {
		m.must(err)
		m.appended(ml, es, a)
	}
	m.must(m.s.SetOptions(m.ctx, ml.name, ml.options()))
}

// compact compacts a log by key, and says of each event whether it goes.
func (m *model) compact() {
	ml := m.pick()
	before := ml.count()
	n, err := ml.log.Compact(m.ctx)
	if !ml.byKey {
		if !errors.Is(err, ErrOptions) {
			m.fatalf("compaction of %q, which has none: %v", ml.name, err)
		}
		return
	}
	m.must(err)
	if ml.floor == Seq(len(ml.events)) {
		return
	}
	last := Seq(len(ml.events) - 1)
	newest := map[string]Seq{}
	for seq := ml.floor; seq <= last; seq++ {
		if ev := &ml.events[seq]; ev.Key != nil {
			newest[string(ev.Key)] = seq
		}
	}
	for seq := ml.floor; seq < last; seq++ {
		if ev := &ml.events[seq]; ev.Key != nil && (newest[string(ev.Key)] > seq || ev.Tombstone && seq < ml.tombs) {
			ml.gone[seq] = true
		}
	}
	ml.tombs = Seq(len(ml.events))
	if gone := before - ml.count(); n < gone { // what it took below the floor counts too
		m.fatalf("compaction of %q took %d events, want %d", ml.name, n, gone)
	}
	fmt.Fprintln(m.story, "compact", ml.name, ml.count())
}

// redact takes the payloads of some events.
func (m *model) redact() {
	ml := m.pick()
	if ml.floor == Seq(len(ml.events)) {
		return
	}
	var seqs []Seq
	for range 1 + m.r.IntN(3) {
		seq := ml.left(ml.floor + Seq(m.r.IntN(len(ml.events)-int(ml.floor))))
		seqs = append(seqs, seq)
		ev := &ml.events[seq]
		ev.Redacted, ev.Payload, ev.Headers, ev.Encoding = true, nil, nil, Raw
	}
	m.must(ml.log.Redact(m.ctx, seqs...))
	for _, seq := range seqs {
		ev, err := ml.log.Read(m.ctx, seq)
		m.must(err)
		m.same(ml, &ev, seq)
	}
	fmt.Fprintln(m.story, "redact", ml.name, seqs)
}
