package redex

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestBurst shows that sealing waits for the end of a burst, and not for longer than a quarter of the journal.
func TestBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		s, err := OpenMemory(ctx, Options{SealBytes: 256 << 10, JournalBytes: 64 << 20, SegmentBytes: 4 << 20, Sync: SyncPolicy{Mode: SyncNever}})
		if err != nil {
			t.Fatal(err)
		}
		defer mustClose(t, s)
		l := mustLog(t, s, "a")
		large := strings.Repeat("x", 100<<10)
		for range 40 { // 8 MiB, over four times lullTime
			mustAppend(t, l, large, large)
			<-time.After(lullTime / 10)
			synctest.Wait()
			if n := s.Metrics().SealPasses; n != 0 {
				t.Fatalf("%d passes during a burst", n)
			}
		}
		<-time.After(3 * lullTime)
		synctest.Wait()
		if m := s.Metrics(); m.SealPasses == 0 || m.UnsealedBytes >= 256<<10 {
			t.Fatalf("after the burst %d passes, %d bytes are not sealed", m.SealPasses, m.UnsealedBytes)
		}
		for range 170 { // over a quarter of 64 MiB without a pause
			mustAppend(t, l, large)
		}
		before := s.Metrics().SealPasses
		for range 12 {
			mustAppend(t, l, large)
		}
		synctest.Wait()
		<-time.After(lullTime)
		synctest.Wait()
		if s.Metrics().SealPasses == before {
			t.Fatal("no pass although a quarter of the journal waits")
		}
	})
}
