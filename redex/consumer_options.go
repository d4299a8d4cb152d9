package redex

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Order says which events of a consumer may be in flight together.
type Order uint8

// The orders of a consumer.
const (
	// OrderFree lets every event be in flight with every other.
	OrderFree Order = iota
	// OrderByKey gives the events of one key one after the other: the next one when the one before is settled, whoever gets it,
	// and also when it has to be redelivered. Other keys go on meanwhile, and so do events without a key, which have no order.
	OrderByKey
	// OrderStrict has one event in flight at a time.
	OrderStrict
)

// String returns "free", "by key" or "strict".
func (o Order) String() string {
	switch o {
	case OrderFree:
		return "free"
	case OrderByKey:
		return "by key"
	case OrderStrict:
		return "strict"
	}
	return fmt.Sprintf("order(%d)", uint8(o))
}

// Start says where a consumer that is made begins. The zero value is the log's first event.
type Start struct {
	kind startKind
	seq  Seq
	time int64
}

type startKind uint8

const (
	startFirst startKind = iota
	startEnd
	startSeq
	startTime
)

// FromFirst begins with the first event that the log holds.
func FromFirst() Start { return Start{} }

// FromEnd begins with the first event that is appended afterwards.
func FromEnd() Start { return Start{kind: startEnd} }

// FromSeq begins with sequence seq, or with the first event if that comes later. It is at most the next sequence.
func FromSeq(seq Seq) Start { return Start{kind: startSeq, seq: seq} }

// FromTime begins with the first event that arrived at t or later.
func FromTime(t time.Time) Start { return Start{kind: startTime, time: t.UnixNano()} }

// ConsumerOptions configure a consumer. The zero value is the default of each field. All but From are kept with the consumer.
type ConsumerOptions struct {
	// From says where the consumer begins when it is made. It means nothing to one that exists: Consumer.Seek moves that.
	From Start
	// Order says which events may be in flight together.
	Order Order
	// AckWait is how long a member has to settle an event before another attempt is due; Delivery.InProgress begins it anew.
	// Default 30 s, at least 1 ms.
	AckWait time.Duration
	// MaxAttempts is how often an event is delivered before it moves to DeadLetter, which must then be set. 0 is no bound.
	MaxAttempts int
	// Backoff is how long an event waits for its second attempt, its third, and so on; the last one is for all that follow. It
	// holds after AckWait has passed and after Nack(0). Without it, and when a member leaves, there is no wait. At most 64.
	Backoff []time.Duration
	// DeadLetter names the log that gets what was attempted MaxAttempts times or rejected. It is made when it is needed. See
	// Delivery.Reject.
	DeadLetter string
	// MaxInFlight bounds the events that were delivered and are not settled, waiting ones included: when there are so many, only
	// those are delivered. Default 1,024, at most 65,536.
	MaxInFlight int
	// Lookahead bounds how far from the first event not settled the consumer reads on, and with it its memory (about 100 bytes for
	// an event) and what is stored of it. Events behind the bound wait. Default 65,536, at least MaxInFlight, at most 262,144.
	Lookahead int
	// HoldRetention keeps Retention from giving up what the consumer has not settled. Log.Trim is not held up. A consumer that
	// nobody reads holds up retention for good.
	HoldRetention bool
}

// Bounds of ConsumerOptions.
const (
	maxInFlight  = 1 << 16
	maxLookahead = 1 << 18
	maxBackoff   = 64
	maxAttempts  = 1 << 30
)

// withDefaults returns o with each zero field replaced by its default.
func (o ConsumerOptions) withDefaults() ConsumerOptions {
	o.AckWait = cmp.Or(o.AckWait, 30*time.Second)
	o.MaxInFlight = cmp.Or(o.MaxInFlight, 1024)
	o.Lookahead = cmp.Or(o.Lookahead, 1<<16)
	o.Backoff = slices.Clone(o.Backoff)
	return o
}

// validate reports every fault of options with defaults.
func (o *ConsumerOptions) validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("%w: "+format, append([]any{ErrOptions}, args...)...))
		}
	}
	check(o.Order <= OrderStrict, "unknown order %d", o.Order)
	check(o.AckWait >= time.Millisecond, "AckWait %v is below 1 ms", o.AckWait)
	check(o.MaxAttempts >= 0 && o.MaxAttempts <= maxAttempts, "MaxAttempts %d is not in 0 to 2^30", o.MaxAttempts)
	check(o.MaxAttempts == 0 || o.DeadLetter != "", "MaxAttempts without a DeadLetter log")
	check(len(o.Backoff) <= maxBackoff, "%d waits in Backoff, at most %d", len(o.Backoff), maxBackoff)
	for _, d := range o.Backoff {
		check(d >= 0, "negative Backoff %v", d)
	}
	if o.DeadLetter != "" {
		if err := CheckName(o.DeadLetter); err != nil {
			errs = append(errs, fmt.Errorf("%w: DeadLetter: %w", ErrOptions, err))
		}
	}
	check(o.MaxInFlight >= 1 && o.MaxInFlight <= maxInFlight, "MaxInFlight %d is not in 1 to %d", o.MaxInFlight, maxInFlight)
	check(o.Lookahead >= o.MaxInFlight && o.Lookahead <= maxLookahead, "Lookahead %d is not in MaxInFlight to %d", o.Lookahead, maxLookahead)
	return errors.Join(errs...)
}

// differs names the first field in which two sets of options that are kept with a consumer differ, or "".
func (o *ConsumerOptions) differs(p *ConsumerOptions) string {
	switch {
	case o.Order != p.Order:
		return "Order"
	case o.AckWait != p.AckWait:
		return "AckWait"
	case o.MaxAttempts != p.MaxAttempts:
		return "MaxAttempts"
	case !slices.Equal(o.Backoff, p.Backoff):
		return "Backoff"
	case o.DeadLetter != p.DeadLetter:
		return "DeadLetter"
	case o.MaxInFlight != p.MaxInFlight:
		return "MaxInFlight"
	case o.Lookahead != p.Lookahead:
		return "Lookahead"
	case o.HoldRetention != p.HoldRetention:
		return "HoldRetention"
	}
	return ""
}

// backoff returns how long an event waits after its attempt n.
func (o *ConsumerOptions) backoff(n uint32) time.Duration {
	if len(o.Backoff) == 0 {
		return 0
	}
	return o.Backoff[min(int(n), len(o.Backoff))-1]
}
