package redex

import (
	"sync"
	"testing"
)

// TestCutIsOnePair publishes frames while others look: ordinal and time of a cut are of one frame, and neither goes back.
func TestCutIsOnePair(t *testing.T) {
	const frames, readers = 200_000, 3
	timeOf := func(o Ordinal) int64 { return int64(o)*7 + 3 }
	s := &Store{}
	publish := func(o Ordinal) {
		s.mu.Lock()
		s.publishLocked(o, timeOf(o))
		s.mu.Unlock()
	}
	publish(1)
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for last := (Cut{}); last.Ordinal < frames; {
				c := s.Cut()
				if c.Time != timeOf(c.Ordinal) || c.Ordinal < last.Ordinal {
					t.Errorf("cut %+v after %+v", c, last)
					return
				}
				last = c
			}
		})
	}
	for o := Ordinal(2); o <= frames; o++ {
		publish(o)
	}
	wg.Wait()
}
