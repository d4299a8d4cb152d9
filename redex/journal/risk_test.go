package journal

import (
	"testing"
	"testing/synctest"
)

// TestAppendedDuringSync appends while a sync is under way: it is not counted as synced, and both can be read meanwhile.
func TestAppendedDuringSync(t *testing.T) {
	inBubble(t, small, func(t *testing.T, j *Journal, s *slowFS) {
		synctest.Wait()
		first := mustAppend(t, j, 100)
		one := j.Stats().AtRiskBytes
		if one == 0 {
			t.Fatal("a frame puts no bytes at risk")
		}
		permits := make(chan struct{})
		s.mu.Lock()
		s.permits = permits
		s.mu.Unlock()
		done := make(chan error)
		go func() { done <- j.Sync(t.Context(), first.Ordinal) }()
		synctest.Wait()
		second := mustAppend(t, j, 100)
		for _, p := range []Placed{first, second} {
			if b, err := j.Read(p.Loc, 0, 100, nil); err != nil || len(b) != 100 {
				t.Errorf("a read during a sync: %d bytes, %v", len(b), err)
			}
		}
		close(permits)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if st := j.Stats(); st.AtRiskBytes != one || st.AtRiskEvents != 1 || st.Durable != first.Ordinal {
			t.Errorf("after the sync of the first of two frames of %d bytes: %d bytes of %d events at risk, durable %d", one, st.AtRiskBytes, st.AtRiskEvents, st.Durable)
		}
	})
}
