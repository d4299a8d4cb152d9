package redex

import (
	"cmp"
	"maps"
	"slices"
)

// cursorState is what is kept of a consumer: what the frames up to some ordinal make it.
type cursorState struct {
	options  ConsumerOptions
	created  int64 // time of its frame
	position Seq   // every event below is settled
	settled  seqRanges
	// attempts are how often events that are not settled were delivered, where that is known. Of the others, those that are
	// reserved may have been delivered once, and the rest was not.
	attempts map[Seq]uint32
	reserved seqRanges
	counts   cursorCounts
}

// cursorCounts are events, since the consumer was made.
type cursorCounts struct {
	acked, redelivered, dead, lost uint64
}

func (c *cursorCounts) add(d cursorCounts) {
	c.acked += d.acked
	c.redelivered += d.redelivered
	c.dead += d.dead
	c.lost += d.lost
}

func (s *cursorState) clone() *cursorState {
	c := *s
	c.settled, c.reserved = slices.Clone(s.settled), slices.Clone(s.reserved)
	c.attempts = maps.Clone(s.attempts)
	return &c
}

// attempt is how often an event was delivered.
type attempt struct {
	seq Seq
	n   uint32
}

// cursorChange is what one frame does to a consumer. What it says is done in the order of the fields.
type cursorChange struct {
	options  *ConsumerOptions // made or changed
	begin    bool             // at position, and nothing is known of any event
	position Seq
	end      bool // the consumer is deleted
	cut      bool // nothing is known of events from position on: there are none, or they are others
	settled  seqRanges
	attempts []attempt // ascending
	clear    bool      // the reservations
	reserve  seqRanges
	counts   cursorCounts
}

// apply returns the state after a change; it may change s. nil is a consumer that is not there, and stays so unless the change makes it.
func (s *cursorState) apply(ch *cursorChange, time int64) *cursorState {
	if ch.options != nil && ch.begin && s == nil {
		s = &cursorState{created: time}
	}
	if s == nil || ch.end {
		return nil
	}
	if ch.options != nil {
		s.options = *ch.options
	}
	if ch.begin {
		s.position, s.settled, s.attempts, s.reserved = ch.position, nil, nil, nil
	}
	if ch.cut {
		s.cut(ch.position)
	}
	if len(ch.settled) > 0 {
		s.settled = s.settled.union(ch.settled)
		before := s.position
		s.advance()
		for _, r := range ch.settled {
			s.forget(r)
		}
		if s.position > before {
			s.forget(seqRange{before, s.position})
			s.reserved = s.reserved.fromSeq(s.position)
		}
	}
	for _, a := range ch.attempts {
		if a.seq < s.position {
			continue
		}
		if s.attempts == nil {
			s.attempts = map[Seq]uint32{}
		}
		s.attempts[a.seq] = a.n
	}
	if ch.clear {
		s.reserved = nil
	}
	s.reserved = s.reserved.union(ch.reserve)
	s.counts.add(ch.counts)
	return s
}

// advance moves the position over what is settled.
func (s *cursorState) advance() {
	for len(s.settled) > 0 && s.settled[0].from <= s.position {
		s.position = max(s.position, s.settled[0].to)
		s.settled = s.settled[1:]
	}
}

// forget drops the attempts of events that are settled.
func (s *cursorState) forget(r seqRange) {
	if int64(r.to-r.from) > int64(len(s.attempts)) {
		maps.DeleteFunc(s.attempts, func(seq Seq, _ uint32) bool { return seq >= r.from && seq < r.to })
		return
	}
	for seq := r.from; seq < r.to; seq++ {
		delete(s.attempts, seq)
	}
}

// cut drops what the state says of events from end on. It reports whether it said any.
func (s *cursorState) cut(end Seq) bool {
	n := len(s.attempts)
	beyond := s.position > end || len(s.settled) > 0 && s.settled[len(s.settled)-1].to > end
	s.position = min(s.position, end)
	s.settled, s.reserved = s.settled.below(end), s.reserved.below(end)
	maps.DeleteFunc(s.attempts, func(seq Seq, _ uint32) bool { return seq >= end })
	return beyond || len(s.attempts) < n
}

// sortedAttempts returns the attempts that are known, ascending.
func (s *cursorState) sortedAttempts() []attempt {
	out := make([]attempt, 0, len(s.attempts))
	for seq, n := range s.attempts {
		out = append(out, attempt{seq, n})
	}
	slices.SortFunc(out, func(a, b attempt) int { return cmp.Compare(a.seq, b.seq) })
	return out
}
