package journal

import (
	"testing"
	"time"
)

// TestClock compares the clock with the system's, over the time in which it learns the scale and some looks more. What a thread
// loses its processor for between the two is between the two readings around.
func TestClock(t *testing.T) {
	c := clock{base: time.Now()}
	sure := false
	for begin := time.Now(); time.Since(begin) < 30*time.Millisecond; {
		before := time.Now().UnixNano()
		got := c.now()
		after := time.Now().UnixNano()
		if slack := int64(100 * time.Microsecond); got < before-slack || got > after+slack {
			t.Fatalf("%d, the system's clock went from %d to %d (scale %d)", got, before, after, c.scale)
		}
		sure = sure || c.within > 0
	}
	if sure != stamps {
		t.Errorf("time stamps are steady: %v, used: %v", stamps, sure)
	}
}

// TestClockForgets makes time stamps jump, as when a machine is moved: the clock must not follow them.
func TestClockForgets(t *testing.T) {
	if !stamps {
		return // nothing to jump
	}
	for _, jump := range []int64{1 << 20, -1 << 20, 1 << 40, -1 << 40} {
		c := clock{base: time.Now()}
		for c.within == 0 {
			c.now()
		}
		c.stamp -= uint64(jump)
		for begin := time.Now(); time.Since(begin) < 10*time.Millisecond; {
			before := time.Now().UnixNano()
			got := c.now()
			if d := got - before; d < -clockLook-1e5 {
				t.Fatalf("jump of %d: %v behind", jump, time.Duration(d))
			}
			if after := time.Now().UnixNano(); got-after > clockLook+1e5 {
				t.Fatalf("jump of %d: %v ahead", jump, time.Duration(got-after))
			}
		}
	}
}

func TestScaleOf(t *testing.T) {
	for _, c := range []struct {
		passed  int64
		counted uint64
		known   bool
	}{{1e6, 2.4e6, true}, {1e6, 0, false}, {0, 1e6, false}, {-5, 10, false}, {1e6, 1e5, false}, {1e6, 1e8, false}, {1e6, 1 << 63, false}} {
		if got := scaleOf(c.passed, c.counted); (got != 0) != c.known {
			t.Errorf("%d ns in %d: %d", c.passed, c.counted, got)
		}
	}
}

func BenchmarkClock(b *testing.B) {
	c := clock{base: time.Now()}
	for b.Loop() {
		c.now()
	}
}
