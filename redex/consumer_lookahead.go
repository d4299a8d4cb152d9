package redex

import (
	"time"
)

// lookahead is what a consumer knows of the events from its position on, as far as it has read: one item for each, in a ring. The
// consumer's lock guards it.
type lookahead struct {
	base  Seq    // of the first item: no event below is unsettled
	n     int    // items
	items []item // the one of a sequence is at its lower bits; the length is a power of two

	chains map[uint64]chain // of events that must not be in flight together
	fresh  seqHeap          // ready, and never delivered
	redo   seqHeap          // ready for another attempt
	timers []timer          // heap: of what is in flight its deadline, of what waits the end of that
	dying  []Seq            // to be moved to the dead-letter log

	outstanding int   // delivered at least once and not settled
	flight      int   // delivered now
	cached      int64 // bytes of events in items
}

// itemState says what an event waits for.
type itemState uint8

const (
	itemSettled itemState = iota
	itemReady             // a member
	itemBlocked           // those before it in its chain
	itemFlight            // the member that has it
	itemWaiting           // its time
	itemDying             // the dead-letter log
)

type item struct {
	state    itemState
	chained  bool
	exact    bool   // attempts is recorded, not only reserved
	attempts uint32 // so far
	chain    uint64
	next     Seq // in its chain, plus 1; 0 at the end
	timer    int // in lookahead.timers, plus 1; 0 when it has none
	delivery uint64
	member   *Member
	ev       *Event // as long as there is room for it; read again otherwise
	why      string // of itemDying
}

// chain is the first and the last event of those that go one after the other.
type chain struct {
	first, last Seq
}

type timer struct {
	at  time.Duration
	seq Seq
}

// lookaheadCache bounds the memory of events that are read and not delivered yet. One event may be over it.
const lookaheadCache = 4 << 20

// end returns the sequence after the last item.
func (w *lookahead) end() Seq { return w.base + Seq(w.n) }

// at returns the item of a sequence, or nil. It is valid until add.
func (w *lookahead) at(seq Seq) *item {
	if seq-w.base >= Seq(w.n) {
		return nil
	}
	return &w.items[int(seq)&(len(w.items)-1)]
}

// place makes room for the next item.
func (w *lookahead) place() *item {
	if w.n == len(w.items) {
		grown := make([]item, max(64, 2*w.n))
		for seq := w.base; seq < w.end(); seq++ {
			grown[int(seq)&(len(grown)-1)] = *w.at(seq)
		}
		w.items = grown
	}
	w.n++
	it := w.at(w.end() - 1)
	*it = item{}
	return it
}

// add adds the next event. The consumer's options say whether it has had its attempts.
func (w *lookahead) add(ev *Event, chained bool, chainID uint64, attempts uint32, exact bool, o *ConsumerOptions) {
	seq := w.end()
	it := w.place()
	it.attempts, it.exact = attempts, exact
	if attempts > 0 {
		w.outstanding++
	}
	if size := eventBytes(ev); w.cached == 0 || w.cached+size <= lookaheadCache {
		it.ev = ev
		w.cached += size
	}
	if chained {
		it.chained, it.chain = true, chainID
		c, ok := w.chains[chainID]
		if !ok {
			if w.chains == nil {
				w.chains = map[uint64]chain{}
			}
			c.first = seq
		} else {
			w.at(c.last).next = seq + 1
		}
		c.last = seq
		w.chains[chainID] = c
		if ok {
			it.state = itemBlocked
			return
		}
	}
	w.ready(seq, o)
}

// pass adds events that are settled already.
func (w *lookahead) pass(n int) {
	for range n {
		w.place()
	}
	w.advance()
}

// jump moves an empty lookahead.
func (w *lookahead) jump(to Seq) { w.base = to }

// ready lets a member have the event, or has it moved when it had its attempts.
func (w *lookahead) ready(seq Seq, o *ConsumerOptions) {
	it := w.at(seq)
	switch {
	case it.exhausted(o):
		w.doom(seq, "attempts")
	case it.attempts == 0:
		it.state = itemReady
		w.fresh.push(seq)
	default:
		it.state = itemReady
		w.redo.push(seq)
	}
}

func (it *item) exhausted(o *ConsumerOptions) bool {
	return o.MaxAttempts > 0 && int(it.attempts) >= o.MaxAttempts && (it.exact || it.attempts > 1)
}

// doom has an event moved to the dead-letter log.
func (w *lookahead) doom(seq Seq, why string) {
	it := w.at(seq)
	it.state, it.why = itemDying, why
	w.dying = append(w.dying, seq)
}

// pick returns what a member is to get next: the lowest sequence that may be delivered now.
func (w *lookahead) pick(o *ConsumerOptions) (Seq, bool) {
	f, isFresh := w.top(&w.fresh)
	r, isRedo := w.top(&w.redo)
	switch {
	case w.flight >= o.MaxInFlight:
	case isFresh && w.outstanding < o.MaxInFlight && !(isRedo && r < f):
		return f, true
	case isRedo:
		return r, true
	}
	return 0, false
}

// top returns the first of a heap that is still ready.
func (w *lookahead) top(h *seqHeap) (Seq, bool) {
	for len(*h) > 0 {
		seq := (*h)[0]
		if it := w.at(seq); it != nil && it.state == itemReady {
			return seq, true
		}
		h.pop()
	}
	return 0, false
}

// deliver gives an event that pick returned to a member.
func (w *lookahead) deliver(seq Seq, m *Member, delivery uint64, deadline time.Duration) {
	it := w.at(seq)
	if it.attempts == 0 {
		w.fresh.pop()
		w.outstanding++
	} else {
		w.redo.pop()
	}
	it.state, it.member, it.delivery = itemFlight, m, delivery
	it.attempts++
	w.flight++
	w.setTimer(seq, deadline)
}

// release takes an event from its member. What becomes of it is for the caller to say.
func (w *lookahead) release(seq Seq) {
	it := w.at(seq)
	if it.state == itemFlight {
		w.flight--
		it.member = nil
	}
	w.dropTimer(seq)
}

// settle ends an event. The next of its chain is ready then.
func (w *lookahead) settle(seq Seq, o *ConsumerOptions) {
	it := w.at(seq)
	w.release(seq)
	if it.attempts > 0 {
		w.outstanding--
	}
	w.uncache(it)
	it.state = itemSettled
	if it.chained {
		c := w.chains[it.chain]
		if it.next == 0 {
			delete(w.chains, it.chain)
		} else if c.first == seq {
			c.first = it.next - 1
			w.chains[it.chain] = c
			w.ready(c.first, o)
		}
	}
	w.advance()
}

// uncache lets the memory of an event go.
func (w *lookahead) uncache(it *item) {
	if it.ev != nil {
		w.cached -= eventBytes(it.ev)
		it.ev = nil
	}
}

// advance drops the items before the first that is not settled.
func (w *lookahead) advance() {
	for w.n > 0 && w.at(w.base).state == itemSettled {
		w.base++
		w.n--
	}
}

// eventBytes is about the memory an event takes.
func eventBytes(ev *Event) int64 {
	n := 200 + len(ev.Key) + len(ev.Payload)
	for i := range ev.Headers {
		n += 40 + len(ev.Headers[i].Name) + len(ev.Headers[i].Value)
	}
	return int64(n)
}

// setTimer sets when something is to be done about an event.
func (w *lookahead) setTimer(seq Seq, at time.Duration) {
	it := w.at(seq)
	if it.timer == 0 {
		w.timers = append(w.timers, timer{at, seq})
		it.timer = len(w.timers)
		w.up(len(w.timers) - 1)
		return
	}
	i := it.timer - 1
	w.timers[i].at = at
	w.down(i)
	w.up(it.timer - 1)
}

func (w *lookahead) dropTimer(seq Seq) {
	it := w.at(seq)
	if it.timer == 0 {
		return
	}
	i, last := it.timer-1, len(w.timers)-1
	w.swap(i, last)
	w.timers = w.timers[:last]
	it.timer = 0
	if i < last {
		moved := w.at(w.timers[i].seq)
		w.down(i)
		w.up(moved.timer - 1)
	}
}

func (w *lookahead) swap(i, k int) {
	t := w.timers
	t[i], t[k] = t[k], t[i]
	w.at(t[i].seq).timer, w.at(t[k].seq).timer = i+1, k+1
}

func (w *lookahead) up(i int) {
	for i > 0 && w.timers[i].at < w.timers[(i-1)/2].at {
		w.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (w *lookahead) down(i int) {
	for {
		k := 2*i + 1
		if k >= len(w.timers) {
			return
		}
		if k+1 < len(w.timers) && w.timers[k+1].at < w.timers[k].at {
			k++
		}
		if w.timers[i].at <= w.timers[k].at {
			return
		}
		w.swap(i, k)
		i = k
	}
}

// seqHeap has the lowest sequence first.
type seqHeap []Seq

func (h *seqHeap) push(seq Seq) {
	*h = append(*h, seq)
	s := *h
	for i := len(s) - 1; i > 0 && s[i] < s[(i-1)/2]; i = (i - 1) / 2 {
		s[i], s[(i-1)/2] = s[(i-1)/2], s[i]
	}
}

func (h *seqHeap) pop() {
	s := *h
	last := len(s) - 1
	s[0] = s[last]
	s = s[:last]
	*h = s
	for i := 0; ; {
		k := 2*i + 1
		if k >= last {
			return
		}
		if k+1 < last && s[k+1] < s[k] {
			k++
		}
		if s[i] <= s[k] {
			return
		}
		s[i], s[k] = s[k], s[i]
		i = k
	}
}
