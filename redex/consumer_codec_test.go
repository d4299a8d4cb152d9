package redex

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

func sampleConsumerOptions() ConsumerOptions {
	return ConsumerOptions{
		Order: OrderStrict, AckWait: time.Hour, MaxAttempts: 5, Backoff: []time.Duration{0, 1, 1 << 40}, DeadLetter: "dead/letters", MaxInFlight: 7,
		Lookahead: 1 << 18, HoldRetention: true,
	}
}

// sampleCursor is a state as large as it gets.
func sampleCursor() *cursorState {
	s := &cursorState{
		options: sampleConsumerOptions(), created: -5, position: 1 << 50, attempts: map[Seq]uint32{}, counts: cursorCounts{1, 1 << 60, 0, 3},
		reserved: seqRanges{{1<<50 + 1, 1<<50 + 65}, {1<<50 + 70, 1<<50 + 71}},
	}
	for i := Seq(1); i < maxLookahead; i += 2 {
		s.settled = s.settled.note(s.position+i, s.position+i+1)
		if i < maxInFlight {
			s.attempts[s.position+i+1] = uint32(i * i)
		}
	}
	return s
}

func TestCursorCodec(t *testing.T) {
	o := sampleConsumerOptions()
	for _, want := range []cursorChange{
		{},
		{options: &o, begin: true, position: 9},
		{begin: true, position: maxSeq, end: true},
		{cut: true, position: 3},
		{settled: seqRanges{{0, 1}, {5, maxSeq}}, attempts: []attempt{{0, 1}, {1, 0}, {maxSeq - 1, 1<<32 - 1}}, clear: true, reserve: seqRanges{{7, 9}}, counts: cursorCounts{1, 2, 3, 4}},
	} {
		p, next, err := nextPart(appendCursor([]byte("xx"), 4, "name", &want), 2)
		if err != nil || p.typ != partCursor || p.log != 4 || p.first != 0 || next != p.off+len(p.data) {
			t.Fatal(p, next, err)
		}
		name, got, err := decodeCursor(p)
		if err != nil || name != "name" || !reflect.DeepEqual(*got, want) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	want := sampleCursor()
	var all []byte
	pieces := encodeCursor(want)
	for _, p := range pieces {
		if len(p) > 32<<10 {
			t.Fatal("a piece is too large:", len(p))
		}
		all = append(all, p...)
	}
	got, err := decodeCursorState(all)
	if err != nil || !reflect.DeepEqual(got, want) || len(pieces) > cursorPieces {
		t.Fatalf("%d pieces, %v", len(pieces), err)
	}
	t.Logf("the largest state takes %d bytes", len(all))
	for i := range pieces { // one is missing
		b := bytes.Join(append(append([][]byte{}, pieces[:i]...), pieces[i+1:]...), nil)
		if _, err := decodeCursorState(b); err == nil {
			t.Error("a state without piece", i)
		}
	}
	for _, k := range [][]byte{cursorKey(1, "a", 0), cursorKey(1<<60, strings.Repeat("n", 255), 1<<16-1)} {
		id, name, piece, err := parseCursorKey(k)
		if err != nil || !bytes.Equal(cursorKey(id, name, piece), k) {
			t.Error(id, name, piece, err)
		}
		if _, _, _, err := parseCursorKey(k[:len(k)-1]); !errors.Is(err, errRecord) {
			t.Error(err)
		}
	}
}

func FuzzCursor(f *testing.F) {
	o := sampleConsumerOptions()
	f.Add(appendCursor(nil, 1, "c", &cursorChange{options: &o, begin: true, position: 9})[partHeaderSize:])
	f.Add(appendCursor(nil, 1, "c", &cursorChange{settled: seqRanges{{3, 9}}, attempts: []attempt{{9, 2}}, clear: true, reserve: seqRanges{{9, 73}}})[partHeaderSize:])
	f.Add(appendCursor(nil, 1, "c", &cursorChange{cut: true, counts: cursorCounts{1, 2, 3, 4}})[partHeaderSize:])
	small := sampleCursor()
	small.settled, small.attempts = small.settled[:3], map[Seq]uint32{1<<50 + 2: 4}
	f.Add(bytes.Join(encodeCursor(small), nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if name, ch, err := decodeCursor(part{typ: partCursor, data: b}); err == nil {
			again, _, err := nextPart(appendCursor(nil, 1, name, ch), 0)
			if err != nil {
				t.Fatal(err)
			}
			name2, ch2, err := decodeCursor(again)
			if err != nil || name != name2 || !reflect.DeepEqual(ch, ch2) {
				t.Errorf("%+v, then %+v, %v", ch, ch2, err)
			}
			var s *cursorState
			s = s.apply(&cursorChange{options: &ConsumerOptions{}, begin: true}, 1)
			if s = s.apply(ch, 1); s != nil && len(s.settled) > 0 && s.settled[0].from <= s.position {
				t.Errorf("%+v", s)
			}
		}
		if s, err := decodeCursorState(b); err == nil {
			again, err := decodeCursorState(bytes.Join(encodeCursor(s), nil))
			if err != nil || !reflect.DeepEqual(s, again) {
				t.Errorf("%+v, then %+v, %v", s, again, err)
			}
		}
	})
}

// TestCursorState compares states with sets.
func TestCursorState(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for trial := range 300 {
		var s *cursorState
		s = s.apply(&cursorChange{options: &ConsumerOptions{}, begin: true}, 1)
		settled, attempts, reserved := map[Seq]bool{}, map[Seq]uint32{}, map[Seq]bool{}
		for range 40 {
			ch := &cursorChange{}
			for range r.IntN(4) {
				from := Seq(r.IntN(60))
				to := from + 1 + Seq(r.IntN(3))
				ch.settled = ch.settled.note(from, to)
				for seq := from; seq < to; seq++ {
					settled[seq] = true
				}
			}
			ch.settled = ch.settled.normal()
			if seq := Seq(r.IntN(60)); !settled[seq] {
				ch.attempts = []attempt{{seq, uint32(r.IntN(9))}}
				attempts[seq] = ch.attempts[0].n
			}
			if ch.clear = r.IntN(10) == 0; ch.clear {
				clear(reserved)
			}
			at := Seq(r.IntN(60))
			ch.reserve = seqRanges{{at, at + 2}}
			reserved[at], reserved[at+1] = true, true
			if r.IntN(12) == 0 {
				cut := Seq(50 + r.IntN(20))
				for seq := cut; seq < 80; seq++ {
					delete(settled, seq)
					delete(attempts, seq)
					delete(reserved, seq)
				}
				s = s.apply(&cursorChange{cut: true, position: cut}, 1)
				for _, g := range ch.settled { // the change comes after the cut
					for seq := g.from; seq < g.to; seq++ {
						settled[seq] = true
					}
				}
				for _, a := range ch.attempts {
					attempts[a.seq] = a.n
				}
				reserved[at], reserved[at+1] = true, true
			}
			before := s.clone()
			kept := before.clone()
			s = s.apply(ch, 1)
			if !reflect.DeepEqual(before, kept) {
				t.Fatal("a copy was changed")
			}
			for seq := range Seq(80) {
				if got := seq < s.position || s.settled.has(seq); got != settled[seq] {
					t.Fatalf("trial %d: sequence %d: settled %v; %+v", trial, seq, got, s)
				}
				if settled[seq] {
					if _, ok := s.attempts[seq]; ok {
						t.Fatalf("attempts of %d, which is settled", seq)
					}
					continue
				}
				if n := s.attempts[seq]; n != attempts[seq] || s.reserved.has(seq) != reserved[seq] {
					t.Fatalf("trial %d: sequence %d: %d attempts, want %d; reserved %v, want %v", trial, seq, n, attempts[seq], s.reserved.has(seq), reserved[seq])
				}
			}
		}
	}
}
