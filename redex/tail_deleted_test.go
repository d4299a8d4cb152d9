package redex

import (
	"errors"
	"runtime"
	"testing"
)

// TestTailOfDeletedLog has a tail look for why it was woken before the frame that deletes its log is visible. It may wait again then, but is
// woken when there is something to see.
func TestTailOfDeletedLog(t *testing.T) {
	s := mustOpen(t, t.TempDir()+"/store", Options{Sync: SyncPolicy{Mode: SyncNever}})
	defer mustClose(t, s)
	l := mustLog(t, s, "a")
	tail := l.Tail(0, TailOptions{})
	defer tail.Close()
	waits := func() {
		for l.waiters.Load() == 0 {
			runtime.Gosched()
		}
	}
	ended := make(chan error, 1)
	go func() {
		tail.Next(t.Context())
		ended <- tail.Err()
	}()
	waits()
	early := false
	err := s.changeLog(t.Context(), "delete", l, func() ([]byte, error) {
		return appendPart(nil, partDelete, l.id, l.next, 0), nil
	}, func(o Ordinal) {
		s.deleteLocked(l, o)
		for !early && l.waiters.Load() == 0 { // it comes back to wait, or ends
			select {
			case err := <-ended:
				early = true
				ended <- err
			default:
				runtime.Gosched()
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, ErrLogDeleted) {
		t.Errorf("the tail ended with %v", err)
	}
}
