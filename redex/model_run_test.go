package redex

import (
	"context"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"testing"
	"time"
)

var (
	modelSeed  = flag.Uint64("redex.seed", 0, "seed of the model test; 0 takes one from the clock")
	modelSteps = flag.Int("redex.steps", 700, "operations of each run of the model test")
)

// modelOptions are option sets that must not show in any answer.
func modelOptions() map[string]Options {
	return map[string]Options{
		"default": {},
		"tiny": {
			SealBytes: 4 << 10, RunEvents: 3, SegmentBytes: 64 << 10, JournalBytes: 128 << 10, CacheBytes: 64 << 10, OpenFiles: 1,
			HotBytes: 64 << 10, Sync: SyncPolicy{Mode: SyncNever}, Compression: CompressNone,
		},
		"small": {
			SealBytes: 64 << 10, RunEvents: 50, SegmentBytes: 256 << 10, Compression: CompressZstd, OpenFiles: 2,
			Sync: SyncPolicy{Mode: SyncInterval, Every: time.Millisecond, Events: 100, Bytes: 10 << 10},
		},
	}
}

func TestModel(t *testing.T) {
	seed := *modelSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed: -redex.seed=%d", seed)
	for _, disk := range []bool{false, true} {
		stories := map[string]uint64{}
		for name, o := range modelOptions() {
			t.Run(fmt.Sprintf("disk=%v/options=%s", disk, name), func(t *testing.T) {
				ctx := context.Background()
				dir := t.TempDir() + "/store"
				h := fnv.New64a()
				m := &model{t: t, ctx: ctx, r: rand.New(rand.NewPCG(seed, 1)), logs: map[string]*modelLog{}, story: h, disk: disk}
				m.open = func() *Store {
					s, err := Open(ctx, dir, o)
					m.must(err)
					return s
				}
				if !disk {
					m.open = func() *Store {
						s, err := OpenMemory(ctx, o)
						m.must(err)
						return s
					}
				}
				m.s = m.open()
				for range *modelSteps {
					m.step()
				}
				m.whole()
				m.must(m.s.Seal(ctx))
				m.whole()
				m.reopen()
				m.whole()
				for _, ml := range m.order {
					for _, tl := range ml.tails {
						m.must(tl.t.Close())
					}
				}
				m.must(m.s.Close())
				stories[name] = h.Sum64()
			})
		}
		for name, sum := range stories {
			if sum != stories["default"] {
				t.Errorf("disk=%v: the history under options %q differs from that under the default ones", disk, name)
			}
		}
	}
}
