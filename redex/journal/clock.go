package journal

import (
	"math"
	"time"
)

// clock is a wall clock that is cheap to read often. It counts the processor's time stamps from a moment at which it looked at
// the system's clock, and looks again a millisecond later at the latest, so it is never further from it than the two drift apart
// in a millisecond. Where time stamps are not steady it counts the monotonic clock instead. It is not safe for concurrent use.
type clock struct {
	base   time.Time // origin of the monotonic clock
	wall   int64     // when it last looked: Unix nanoseconds, monotonic time and time stamp
	mono   int64
	stamp  uint64
	scale  uint64 // nanoseconds of 1<<scaleBits time stamps, as last measured
	within uint64 // time stamps from stamp on that may be counted, 0: the scale is not sure yet
}

const (
	scaleBits  = 32
	clockLook  = int64(time.Millisecond)
	clockLearn = 4 * clockLook // the shortest time in which the scale is learned
	lookStamps = 1 << 17       // a look that took longer (16 to 160 µs) was interrupted, and does not count
)

// latest is the latest time that a clock gives, in the year 2225. Frames get a greater one only as one nanosecond more than the frame
// before, for which there is room for ever; int64 ends in 2262.
const latest = math.MaxInt64 - 1<<60

// UnixNano is t.UnixNano, but that a clock gone wrong does not wrap: times before 1970 are 0, those after 2225 are in 2225.
func UnixNano(t time.Time) int64 {
	switch s := t.Unix(); {
	case s < 0:
		return 0
	case s >= latest/int64(time.Second):
		return latest
	}
	return t.UnixNano()
}

// now returns Unix nanoseconds.
func (c *clock) now() int64 {
	if stamps {
		t := timeStamp()
		if d := t - c.stamp; d < c.within {
			return c.wall + int64(d*c.scale>>scaleBits)
		}
		return c.look(t)
	}
	mono := int64(time.Since(c.base))
	if c.wall != 0 && mono-c.mono < clockLook {
		return c.wall + mono - c.mono
	}
	return c.look(0)
}

// look reads the system's clock, and learns how fast time stamps count: twice the same, within one part in 64, makes it sure.
// Another rate than before comes of a machine that was stopped or moved, or of processors that do not agree.
func (c *clock) look(stamp uint64) int64 {
	now := time.Now()
	wall, mono := UnixNano(now), int64(now.Sub(c.base))
	if !stamps {
		c.wall, c.mono = wall, mono
		return wall
	}
	before := stamp
	stamp = timeStamp()
	passed, counted := mono-c.mono, stamp-c.stamp
	if stamp-before > lookStamps || c.wall != 0 && c.within == 0 && passed < clockLearn {
		c.within = 0
		return wall
	}
	first := c.wall == 0
	c.wall, c.mono, c.stamp, c.within = wall, mono, stamp, 0
	if first {
		return wall
	}
	was, scale := c.scale, scaleOf(passed, counted)
	if c.scale = scale; scale == 0 || scale > was+was/64 || scale < was-was/64 {
		return wall
	}
	c.scale = was - was/16 + scale/16
	c.within = uint64(clockLook) << scaleBits / c.scale
	return wall
}

// scaleOf returns the nanoseconds of 1<<scaleBits time stamps, or 0 for what no processor has: they count at 0.8 to 8 GHz.
func scaleOf(passed int64, counted uint64) uint64 {
	if passed <= 0 || counted == 0 {
		return 0
	}
	scale := float64(passed) / float64(counted)
	if scale < 0.125 || scale > 1.25 {
		return 0
	}
	return uint64(scale * (1 << scaleBits))
}
