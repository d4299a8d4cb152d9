package journal

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// slowFS is a directory in memory whose syncs wait for a permit, or fail.
type slowFS struct {
	FS
	mu      sync.Mutex
	permits chan struct{} // nil: syncs do not wait
	err     error         // what syncs return
	full    bool          // no new file, no more memory
	syncs   int
}

func (s *slowFS) Create(name string, size int64) (File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return nil, syscall.ENOSPC
	}
	f, err := s.FS.Create(name, size)
	return &slowFile{f, s}, err
}

func (s *slowFS) Open(name string, write bool) (File, error) {
	f, err := s.FS.Open(name, write)
	if err != nil {
		return nil, err
	}
	return &slowFile{f, s}, nil
}

func (s *slowFS) setFull(full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = full
}

type slowFile struct {
	File
	s *slowFS
}

func (f *slowFile) SyncRange(off, n int64) error {
	f.s.mu.Lock()
	permits, err := f.s.permits, f.s.err
	f.s.syncs++
	f.s.mu.Unlock()
	if permits != nil && off > 0 { // headers pass
		<-permits
	}
	return err
}

// Populate gives 64 KiB at a time, so that the tests see it happen.
func (f *slowFile) Populate(off, n int64) (int64, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if f.s.full {
		return 0, syscall.ENOSPC
	}
	return off + n, nil
}

func inBubble(t *testing.T, o Options, f func(t *testing.T, j *Journal, s *slowFS)) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowFS{FS: MemFS()}
		j, _, _ := mustOpen(t, s, o, 0)
		f(t, j, s)
		_ = j.Close()
	})
}

func TestIntervalByTime(t *testing.T) {
	o := small
	o.Sync = SyncPolicy{Mode: SyncInterval, Every: 100 * time.Millisecond}
	inBubble(t, o, func(t *testing.T, j *Journal, s *slowFS) {
		mustAppend(t, j, 10)
		time.Sleep(60 * time.Millisecond) // time is simulated
		mustAppend(t, j, 10)
		synctest.Wait()
		if j.Durable() != 0 {
			t.Fatalf("durable %d after 60 ms", j.Durable())
		}
		time.Sleep(41 * time.Millisecond)
		synctest.Wait()
		if j.Durable() != 2 {
			t.Fatalf("durable %d after 101 ms", j.Durable())
		}
		syncs := j.Stats().Syncs
		time.Sleep(time.Hour)
		if got := j.Stats().Syncs; got != syncs {
			t.Fatalf("%d syncs while idle", got-syncs)
		}
	})
}

func TestIntervalByEventsAndBytes(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy SyncPolicy
		body   Body
		before int // frames that are not synced yet
	}{
		{"events", SyncPolicy{Mode: SyncInterval, Events: 10}, Body{Head: make([]byte, 100)}, 9},
		{"batches", SyncPolicy{Mode: SyncInterval, Events: 10}, Body{Head: make([]byte, 100), Events: 4}, 2},
		{"bytes", SyncPolicy{Mode: SyncInterval, Bytes: 1000}, Body{Head: make([]byte, 168)}, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := small
			o.Sync = c.policy
			inBubble(t, o, func(t *testing.T, j *Journal, s *slowFS) {
				ctx := context.Background()
				for range c.before {
					if _, err := j.Append(ctx, c.body); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				if j.Durable() != 0 {
					t.Fatalf("durable %d after %d frames", j.Durable(), c.before)
				}
				if _, err := j.Append(ctx, c.body); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if j.Durable() != Ordinal(c.before+1) {
					t.Fatalf("durable %d after %d frames", j.Durable(), c.before+1)
				}
			})
		})
	}
}

// TestTwiceTheBoundWaits has a sync that does not return: appends go on up to twice the bound.
func TestTwiceTheBoundWaits(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy SyncPolicy
		body   Body
		fit    int // frames placed while the sync hangs
	}{
		{"events", SyncPolicy{Mode: SyncInterval, Events: 10}, Body{Head: make([]byte, 100)}, 20},
		{"bytes", SyncPolicy{Mode: SyncInterval, Bytes: 1000}, Body{Head: make([]byte, 168)}, 10},
		{"a batch over the bound", SyncPolicy{Mode: SyncInterval, Events: 10}, Body{Head: make([]byte, 100), Events: 30}, 1},
		{"no bound reached", SyncPolicy{Mode: SyncInterval, Events: 10}, Body{Head: make([]byte, 100), Events: 7}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := small
			o.Sync = c.policy
			inBubble(t, o, func(t *testing.T, j *Journal, s *slowFS) {
				s.mu.Lock()
				s.permits = make(chan struct{})
				s.mu.Unlock()
				ctx := context.Background()
				for range c.fit {
					if _, err := j.TryAppend(c.body); err != nil {
						t.Fatalf("%d placed: %v", j.Visible(), err)
					}
				}
				synctest.Wait()
				if _, err := j.TryAppend(c.body); !errors.Is(err, ErrBusy) {
					t.Fatalf("over twice the bound: %v", err)
				}
				if over := j.Stats(); over.AtRiskEvents == 0 || over.AtRiskBytes == 0 {
					t.Fatalf("stats %+v", over)
				}
				short, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				if _, err := j.Append(short, c.body); !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("append: %v", err)
				}
				done := make(chan error)
				go func() {
					_, err := j.Append(ctx, c.body)
					done <- err
				}()
				synctest.Wait()
				if st := j.Stats(); st.Waiting != 1 || st.RiskWaits != 2 {
					t.Fatalf("stats %+v", st)
				}
				close(s.permits)
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

func TestTwiceTheTimeWaits(t *testing.T) {
	o := small
	o.Sync = SyncPolicy{Mode: SyncInterval, Every: 100 * time.Millisecond}
	inBubble(t, o, func(t *testing.T, j *Journal, s *slowFS) {
		s.mu.Lock()
		s.permits = make(chan struct{})
		s.mu.Unlock()
		mustAppend(t, j, 10)
		time.Sleep(190 * time.Millisecond)
		mustAppend(t, j, 10)
		time.Sleep(20 * time.Millisecond)
		if _, err := j.TryAppend(Body{Head: []byte("late")}); !errors.Is(err, ErrBusy) {
			t.Fatalf("append 210 ms after the first frame at risk: %v", err)
		}
		close(s.permits)
		synctest.Wait()
		mustAppend(t, j, 10)
	})
}

func TestSyncIsShared(t *testing.T) {
	inBubble(t, small, func(t *testing.T, j *Journal, s *slowFS) {
		s.mu.Lock()
		s.permits = make(chan struct{})
		s.mu.Unlock()
		ctx := context.Background()
		var wg sync.WaitGroup
		for range 50 {
			p := mustAppend(t, j, 10)
			wg.Go(func() {
				if err := j.Sync(ctx, p.Ordinal); err != nil {
					t.Error(err)
				}
				if j.Durable() < p.Ordinal {
					t.Errorf("durable %d, synced %d", j.Durable(), p.Ordinal)
				}
			})
			synctest.Wait()
		}
		// The first leads alone; all others wait for the second.
		s.permits <- struct{}{}
		synctest.Wait()
		if j.Durable() != 1 {
			t.Fatalf("durable %d after the first sync", j.Durable())
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := j.Sync(short, 50); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("follower whose time is up: %v", err)
		}
		s.permits <- struct{}{}
		wg.Wait()
		if st := j.Stats(); st.Syncs != 2 || st.Durable != 50 {
			t.Fatalf("%d syncs up to %d", st.Syncs, st.Durable)
		}
		if err := j.Sync(ctx, 51); !errors.Is(err, ErrRange) {
			t.Fatalf("sync of what is not visible: %v", err)
		}
		close(s.permits)
	})
}

func TestFailedSyncPoisons(t *testing.T) {
	inBubble(t, small, func(t *testing.T, j *Journal, s *slowFS) {
		ctx := context.Background()
		first := mustAppend(t, j, 10)
		if err := j.Sync(ctx, 1); err != nil {
			t.Fatal(err)
		}
		second := mustAppend(t, j, 10)
		s.mu.Lock()
		s.permits, s.err = make(chan struct{}), syscall.EIO
		s.mu.Unlock()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if err := j.Sync(ctx, 2); !errors.Is(err, ErrPoisoned) || !errors.Is(err, syscall.EIO) {
					t.Errorf("sync: %v", err)
				}
			})
		}
		synctest.Wait()
		close(s.permits)
		wg.Wait()
		s.mu.Lock()
		s.permits, s.err = nil, nil // the next sync would succeed
		n := s.syncs
		s.mu.Unlock()
		for range 2 {
			if err := j.Sync(ctx, 2); !errors.Is(err, ErrPoisoned) {
				t.Fatalf("sync: %v", err)
			}
			if _, err := j.Append(ctx, Body{Head: []byte("x")}); !errors.Is(err, ErrPoisoned) || !errors.Is(err, syscall.EIO) {
				t.Fatalf("append: %v", err)
			}
			if _, err := j.NewEpoch(ctx); !errors.Is(err, ErrPoisoned) {
				t.Fatalf("epoch: %v", err)
			}
		}
		if err := j.Sync(ctx, 1); err != nil || j.Durable() != 1 {
			t.Fatalf("sync of what is durable: %v, durable %d", err, j.Durable())
		}
		if _, err := j.Read(first.Loc, 0, 8, nil); err != nil {
			t.Fatalf("read up to durable: %v", err)
		}
		if _, err := j.Read(second.Loc, 0, 8, nil); !errors.Is(err, ErrPoisoned) {
			t.Fatalf("read above durable: %v", err)
		}
		if st := j.Stats(); !errors.Is(st.Poisoned, syscall.EIO) {
			t.Fatalf("stats %+v", st)
		}
		if err := j.Close(); !errors.Is(err, ErrPoisoned) {
			t.Fatalf("close: %v", err)
		}
		if s.syncs != n {
			t.Fatalf("%d syncs after the failed one", s.syncs-n)
		}
		k, rec, _ := mustOpen(t, s.FS, small, 0)
		if rec.Clean || !rec.SameBoot || !rec.NewEpoch {
			t.Fatalf("opened after a failed sync: %+v", rec)
		}
		mustClose(t, k)
		k, rec, _ = mustOpen(t, s.FS, small, 0)
		if !rec.Clean || rec.NewEpoch {
			t.Fatalf("opened once more: %+v", rec)
		}
		mustClose(t, k)
	})
}

func TestDiskFullHeals(t *testing.T) {
	inBubble(t, small, func(t *testing.T, j *Journal, s *slowFS) {
		ctx := context.Background()
		s.setFull(true)
		var err error
		var placed []Placed
		for range 1000 {
			var p Placed
			if p, err = j.Append(ctx, Body{Head: bodyOf(j.Visible()+1, 1000)}); err != nil {
				break
			}
			placed = append(placed, p)
		}
		if !errors.Is(err, ErrDiskFull) || !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("append: %v", err)
		}
		if n := len(placed); n < 30 || j.Visible() != Ordinal(n) {
			t.Fatalf("%d placed, visible %d", n, j.Visible())
		}
		for range 3 {
			if _, err := j.Append(ctx, Body{Head: make([]byte, 1000)}); !errors.Is(err, ErrDiskFull) {
				t.Fatalf("append: %v", err)
			}
			if err := j.Ready(ctx, Body{Head: make([]byte, 1000)}); !errors.Is(err, ErrDiskFull) {
				t.Fatalf("ready: %v", err)
			}
		}
		if err := j.Sync(ctx, j.Visible()); err != nil {
			t.Fatalf("sync on a full disk: %v", err)
		}
		if st := j.Stats(); !errors.Is(st.DiskFull, ErrDiskFull) || st.Waiting != 0 {
			t.Fatalf("stats %+v", st)
		}
		for _, p := range placed {
			if _, err := j.Read(p.Loc, 0, 8, nil); err != nil {
				t.Fatalf("read on a full disk: %v", err)
			}
		}
		s.setFull(false)
		if p := mustAppend(t, j, 1000); p.Ordinal != Ordinal(len(placed)+1) {
			t.Fatalf("placed %+v", p)
		}
		if st := j.Stats(); st.DiskFull != nil {
			t.Fatalf("stats %+v", st)
		}
		// A store that is opened while the disk is full can be read, and heals too.
		mustClose(t, j)
		s.setFull(true)
		k, rec, frames := mustOpen(t, s, small, 0)
		if len(frames) != len(placed)+1 || !rec.Clean {
			t.Fatalf("%d frames, %+v", len(frames), rec)
		}
		if _, err := k.Append(ctx, Body{Head: make([]byte, 1000)}); !errors.Is(err, ErrDiskFull) {
			t.Fatalf("append: %v", err)
		}
		s.setFull(false)
		if p := mustAppend(t, k, 10); p.Ordinal != Ordinal(len(placed)+2) {
			t.Fatalf("placed %+v", p)
		}
		mustClose(t, k)
	})
}

func TestSizeLimit(t *testing.T) {
	o := small
	o.LimitBytes = 256 << 10
	inBubble(t, o, func(t *testing.T, j *Journal, s *slowFS) {
		ctx := context.Background()
		body := Body{Head: make([]byte, 1000)}
		for {
			if _, err := j.TryAppend(body); err != nil {
				if st := j.Stats(); st.Bytes+1032 > st.LimitBytes {
					break
				}
				if err := j.Ready(ctx, body); err != nil {
					t.Fatal(err)
				}
			}
		}
		done := make(chan error)
		go func() {
			_, err := j.Append(ctx, body)
			done <- err
		}()
		synctest.Wait()
		if st := j.Stats(); st.Waiting != 1 || st.LimitWaits != 1 || st.LimitBytes != 256<<10 {
			t.Fatalf("stats %+v", st)
		}
		urgent := body
		urgent.Urgent = true
		if _, err := j.Append(ctx, urgent); err != nil {
			t.Fatalf("urgent append: %v", err)
		}
		if err := j.Release(j.Visible()); !errors.Is(err, ErrRange) {
			t.Fatalf("release of what is not durable: %v", err)
		}
		if err := j.Sync(ctx, j.Visible()); err != nil {
			t.Fatal(err)
		}
		if err := j.Release(j.Durable()); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if st := j.Stats(); st.Segments != 1 || st.First == 1 {
			t.Fatalf("stats %+v", st)
		}
	})
}

// TestCloseEndsWaiting has every kind of wait when the journal is closed.
func TestCloseEndsWaiting(t *testing.T) {
	o := small
	o.LimitBytes = 256 << 10
	inBubble(t, o, func(t *testing.T, j *Journal, s *slowFS) {
		ctx := context.Background()
		body := Body{Head: make([]byte, 30000)}
		for {
			short, cancel := context.WithTimeout(ctx, time.Second)
			_, err := j.Append(short, body)
			cancel()
			if errors.Is(err, context.DeadlineExceeded) {
				break
			}
		}
		errs := make(chan error)
		go func() { _, err := j.Append(ctx, body); errs <- err }()
		go func() { errs <- j.Ready(ctx, body) }()
		synctest.Wait()
		mustClose(t, j)
		for range 2 {
			if err := <-errs; !errors.Is(err, ErrClosed) {
				t.Fatalf("waiting call: %v", err)
			}
		}
		if err := j.Release(1); !errors.Is(err, ErrClosed) {
			t.Fatalf("release: %v", err)
		}
		if _, err := j.Check(ctx); !errors.Is(err, ErrClosed) {
			t.Fatalf("check: %v", err)
		}
	})
}

// TestAwaited holds a sync, and asserts that the journal says so as long as somebody waits for it.
func TestAwaited(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, j *Journal, s *slowFS) {
		permits := make(chan struct{})
		s.mu.Lock()
		s.permits = permits
		s.mu.Unlock()
		f, err := j.Append(t.Context(), Body{Tail: []byte("x")})
		if err != nil {
			t.Fatal(err)
		}
		if j.Awaited() {
			t.Error("awaited before somebody waits")
		}
		done := make(chan error)
		go func() { done <- j.Sync(t.Context(), f.Ordinal) }()
		synctest.Wait()
		if !j.Awaited() {
			t.Error("not awaited while somebody waits")
		}
		close(permits)
		if err := <-done; err != nil || j.Awaited() {
			t.Errorf("%v, awaited %t after the sync", err, j.Awaited())
		}
	})
}
