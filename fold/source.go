package fold

import (
	"context"
	"fmt"

	"github.com/seed69692123/netdb/redex"
)

// tail is what a fold needs of a *redex.Tail.
type tail interface {
	Next(ctx context.Context) bool
	TryNext(ctx context.Context) bool
	Event() *redex.Event
	Err() error
	Release() error
	Close() error
}

// tailFunc opens a tail of a log.
type tailFunc func(l *redex.Log, from redex.Seq) tail

func storeTail(l *redex.Log, from redex.Seq) tail { return l.Tail(from, redex.TailOptions{}) }

// source gives the driver the events of all logs of a fold in the order in which they arrived.
type source interface {
	// try moves to the next event if there is one now, next waits for one. Both return false when there is none or when the
	// source has ended, which err tells apart.
	try() bool
	next() bool
	// event returns the current event and its log's place in the fold.
	event() (int, *redex.Event)
	// err returns the log and the reason that ended the source.
	err() (int, error)
	// reopen goes on after an error of a log, from a later sequence.
	reopen(log int, from redex.Seq)
	close()
}

func newSource(ctx context.Context, open tailFunc, store *redex.Store, logs []foldLog, from []redex.Seq) source {
	if open == nil {
		open = storeTail
	}
	if len(logs) == 1 {
		return &single{ctx: ctx, open: open, log: logs[0].log, t: open(logs[0].log, from[0])}
	}
	return newMerged(ctx, open, store, logs, from)
}

// single reads one log.
type single struct {
	ctx  context.Context
	open tailFunc
	log  *redex.Log
	t    tail
}

func (s *single) try() bool                  { return s.t.TryNext(s.ctx) }
func (s *single) next() bool                 { return s.t.Next(s.ctx) }
func (s *single) event() (int, *redex.Event) { return 0, s.t.Event() }
func (s *single) err() (int, error)          { return 0, s.t.Err() }
func (s *single) close()                     { s.t.Close() }

func (s *single) reopen(_ int, from redex.Seq) {
	s.t.Close()
	s.t = s.open(s.log, from)
}

// gapError is what a fold stops with when its tail left out events, which no tail may do.
func gapError(log string, want, got redex.Seq) error {
	return fmt.Errorf("tail of log %q gave sequence %d instead of %d: %w", log, got, want, &redex.RangeLostError{Log: log, From: want, To: got})
}
