package redex

import (
	"errors"
	"fmt"
)

// Conditions that users of consumers decide on.
var (
	ErrNoConsumer      = errors.New("redex: no such consumer")                // Consumer: the log has none of that name
	ErrConsumerDiffers = errors.New("redex: consumer has other options")      // OpenConsumer: see ConsumerDiffersError
	ErrConsumerBusy    = errors.New("redex: consumer has members")            // UpdateConsumer: the order cannot change now
	ErrConsumerDeleted = errors.New("redex: consumer deleted")                // an operation on a consumer that was deleted meanwhile
	ErrMemberLeft      = errors.New("redex: member has left its consumer")    // Next: the member was closed, or the context of Join ended
	ErrDeliveryEnded   = errors.New("redex: delivery is over")                // Ack and others: see Delivery
	ErrNoDeadLetter    = errors.New("redex: consumer has no dead-letter log") // Reject
)

// ConsumerDiffersError says that a consumer exists with other options.
type ConsumerDiffersError struct {
	Log, Consumer string
	Field         string          // of ConsumerOptions: the first that differs
	Stored        ConsumerOptions // what the consumer has
}

func (e *ConsumerDiffersError) Error() string {
	return fmt.Sprintf("redex: consumer %q of log %q exists with another %s", e.Consumer, e.Log, e.Field)
}

// Is reports whether target is ErrConsumerDiffers.
func (e *ConsumerDiffersError) Is(target error) bool { return target == ErrConsumerDiffers }

// GapError tells a consumer that events it had not settled are gone. It counts them as lost and goes on behind them.
type GapError struct {
	Log, Consumer string
	From, To      Seq   // in [From, To)
	Events        int64 // how many of them were not settled
	Err           error // ErrRangeLost after retention, ErrCorrupt after damage
}

func (e *GapError) Error() string {
	return fmt.Sprintf("redex: consumer %q of log %q: %d events of sequences %d to %d are gone: %v", e.Consumer, e.Log, e.Events, e.From, e.To, e.Err)
}

// Unwrap returns the cause.
func (e *GapError) Unwrap() error { return e.Err }
