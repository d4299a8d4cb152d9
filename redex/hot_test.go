package redex

import (
	"math/rand/v2"
	"testing"

	"github.com/seed69692123/netdb/redex/journal"
)

// TestHotAgainstNaive compares the index with a list that has a span for every entry's frame.
func TestHotAgainstNaive(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		type naive struct {
			span
			frame bool // alone in its frame, and so may be joined to others
		}
		var h hot
		var list []naive
		var memory int64
		var seq, floor Seq
		ordinal, now, loc := Ordinal(1), int64(1000), journal.Loc(4096)
		for range 1 + rng.IntN(300) {
			s := span{first: seq, ordinal: ordinal, time: now, loc: loc, off: partHeaderSize, count: 1}
			switch rng.IntN(12) {
			case 0: // several entries in a frame
				s.count = 1 + rng.Uint32N(spanEntries)
				s.size = s.count * 40
				loc = loc.Next(journal.FrameBytes(int(s.size) + partHeaderSize))
			case 1:
				s.count, s.damage = 1+rng.Uint32N(1000), 1+rng.Uint32N(1<<20)
			default:
				s.frames, s.size = true, uint32(journal.FrameBytes(partHeaderSize+1+rng.IntN(spanFramesBytes/4)))
				loc = loc.Next(int(s.size))
			}
			memory += h.add(&s)
			list = append(list, naive{s, s.frames})
			seq = s.end()
			ordinal++
			now += 1 + rng.Int64N(1000)
			switch rng.IntN(40) {
			case 0, 1: // another log's frame
				ordinal++
				loc = loc.Next(64)
			case 2: // a pause longer than a chunk can say
				now += 5e9
			case 3:
				floor += Seq(rng.Uint64N(uint64(seq-floor) + 1))
				memory -= h.drop(floor)
			}
			if h.time != s.time {
				t.Fatalf("seed %d: newest at %d, want %d", seed, h.time, s.time)
			}
		}
		for o := Ordinal(0); o <= ordinal; o++ {
			want := Seq(0)
			for _, n := range list {
				if n.ordinal <= o {
					want = n.end()
				}
			}
			if got, ok := h.nextAt(o); want > floor && (got != want || !ok) {
				t.Fatalf("seed %d: next at %d is %d %v, want %d", seed, o, got, ok, want)
			}
		}
		flat := func(spans []span, from, to Seq) (out []naive) {
			for _, s := range spans {
				if !s.frames {
					out = append(out, naive{s, false})
					continue
				}
				for k := range s.count {
					if q := s.first + Seq(k); q >= from && q < to {
						out = append(out, naive{span{first: q, ordinal: s.ordinal + Ordinal(k), count: 1}, true})
					}
				}
			}
			return out
		}
		check := func(what string, got []naive, from, to Seq) {
			t.Helper()
			for _, n := range list {
				if n.end() <= from || n.first >= to {
					continue
				}
				if len(got) == 0 {
					t.Fatalf("seed %d: %s: nothing for %d", seed, what, n.first)
				}
				g := got[0]
				got = got[1:]
				if g.frame != n.frame || g.first != n.first || g.ordinal != n.ordinal || g.count != n.count || g.damage != n.damage || !g.frame && (g.time != n.time || g.loc != n.loc) {
					t.Fatalf("seed %d: %s: %+v, want %+v", seed, what, g, n)
				}
			}
			if len(got) > 0 {
				t.Fatalf("seed %d: %s: more than there is: %+v", seed, what, got[0])
			}
		}
		if from := floor + Seq(rng.Uint64N(uint64(seq-floor)+1)); from < seq {
			check("spansFrom", flat(h.spansFrom(from, nil, 1<<20), from, seq), from, seq)
		}
		to := list[rng.IntN(len(list))].end()
		var below []span
		chunks := h.below(to)
		memory += h.add(&span{first: seq, ordinal: ordinal, time: now, loc: loc, off: partHeaderSize, count: 1, frames: true, size: 96}) // does not change what below returned
		for _, c := range chunks {
			below = c.unpack(below)
		}
		if to > floor {
			check("below", flat(below, floor, to), floor, to)
		}
		if memory -= h.drop(seq + 1); memory != 0 || len(h.chunks) != 0 {
			t.Fatalf("seed %d: %d bytes are left of an empty index", seed, memory)
		}
	}
}
