package fold

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"weak"

	"github.com/seed69692123/netdb/redex"
)

// numbered makes logs named by numbers.
func numbered(t *testing.T, s *redex.Store, count int) (logs []foldLog) {
	t.Helper()
	for i := range count {
		name := fmt.Sprintf("%03d", i)
		l, err := s.OpenLog(t.Context(), name, redex.LogOptions{})
		if err != nil {
			t.Fatal(err)
		}
		logs = append(logs, foldLog{l.ID(), name, l})
	}
	return logs
}

// TestMergeHoldsLittle: what is read ahead of many logs is bounded, whatever the size of events, and is the same events.
func TestMergeHoldsLittle(t *testing.T) {
	s, err := redex.OpenMemory(t.Context(), redex.Options{Sync: redex.SyncPolicy{Mode: redex.SyncNever}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const count, rounds = directLanes + 20, 60
	width := func(k int) int {
		if k%10 > 7 {
			return 3 * leastAhead
		}
		return k * 7
	}
	logs := numbered(t, s, count)
	for k := range rounds {
		for i, l := range logs {
			e := redex.Entry{
				Payload: fmt.Appendf(nil, "%d of %d %0*d", k, i, width(k), 0), Key: fmt.Append(nil, k),
				Headers: []redex.Header{{Name: "n", Value: fmt.Append(nil, i)}},
			}
			if _, err := l.log.Append(t.Context(), e, redex.AppendOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if k == rounds/2 {
			if err := s.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	m := newMerged(ctx, storeTail, s, logs, make([]redex.Seq, count))
	defer m.close()
	if m.ahead == 0 {
		t.Fatal("nothing is read ahead of", count, "logs")
	}
	m.ahead = leastAhead
	for n := range count * rounds {
		if !m.try() {
			t.Fatal(n, m.failed)
		}
		log, ev := m.event()
		k := n / count
		if log != n%count || ev.Seq != redex.Seq(k) || string(ev.Payload) != fmt.Sprintf("%d of %d %0*d", k, log, width(k), 0) ||
			string(ev.Key) != fmt.Sprint(k) || string(ev.Headers[0].Value) != fmt.Sprint(log) {
			t.Fatalf("%d: log %d, %+v", n, log, ev)
		}
		if n%count > 0 {
			continue
		}
		held := 0
		for i := range m.lanes {
			if f := m.lanes[i].feed; f != nil {
				held += f.bytes()
			}
		}
		if most := count * (leastAhead + eventBytes + 500); held > most {
			t.Fatal(held, "bytes are read ahead, not", most)
		}
	}
	if m.try() || m.failed != nil || len(m.spare) != directLanes {
		t.Fatal("not at the end:", m.failed, len(m.spare))
	}
}

// TestMergeTrimmed: events that are cut away after their time was read, and before they are due, are missed, and nothing else.
func TestMergeTrimmed(t *testing.T) {
	s, err := redex.OpenMemory(t.Context(), redex.Options{Sync: redex.SyncPolicy{Mode: redex.SyncNever}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const count, each, which = directLanes + 1, 3, 5
	logs := numbered(t, s, count)
	for range each {
		for _, l := range logs {
			if _, err := l.log.Append(t.Context(), redex.Entry{Payload: make([]byte, mostAhead)}, redex.AppendOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	m := newMerged(t.Context(), storeTail, s, logs, make([]redex.Seq, count))
	next := make([]redex.Seq, count)
	for n := 0; n < count*each-1; {
		if m.try() {
			log, ev := m.event()
			if ev.Seq != next[log] || len(ev.Payload) != mostAhead {
				t.Fatal("log", log, "sequence", ev.Seq, "is not", next[log])
			}
			next[log]++
			if n++; n == count { // the second events are at hand
				if err := logs[which].log.Trim(t.Context(), 2); err != nil {
					t.Fatal(err)
				}
			}
			continue
		}
		log, err := m.err()
		if lost, ok := errors.AsType[*redex.RangeLostError](err); !ok || log != which || lost.From != 1 || lost.To != 2 {
			t.Fatal(n, log, err)
		}
		next[which] = 2
		m.reopen(which, 2)
	}
	if m.try() || m.failed != nil || next[which] != each {
		t.Fatal("not at the end:", m.failed, next)
	}
	follower := weak.Make(m.follow)
	m.close()
	m.follow = nil
	if runtime.GC(); follower.Value() != nil {
		t.Fatal("the logs keep the follower of a merge that was closed")
	}
	runtime.KeepAlive(logs)
}
