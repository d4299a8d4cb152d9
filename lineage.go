package netdb

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/planner/logscan"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/redex"
)

// EventLink names an event by its log and sequence.
type EventLink = planner.Link

// ErrCycle is returned by a query whose lineage has an event that is its own ancestor. The error is a *CycleError.
var ErrCycle = planner.ErrCycle

// CycleError names the events of a cycle.
type CycleError = planner.CycleError

// Lineage is how an application says what an event's parents are: the events that it was caused by, or made from. It is safe for
// concurrent use.
type Lineage interface {
	// Parents returns the parents of an event of a log, each once. They may be in any log, and need not exist. Of the event there are
	// Seq, Time, Kind, Encoding, Origin, Key and Payload, which are valid during the call only. An error ends the query.
	Parents(log string, ev redex.Event) ([]EventLink, error)
}

// LineageFunc is a function as a Lineage.
type LineageFunc func(log string, ev redex.Event) ([]EventLink, error)

// Parents implements Lineage.
func (f LineageFunc) Parents(log string, ev redex.Event) ([]EventLink, error) { return f(log, ev) }

// lineageLog is a log of which an application knows the parents of events.
type lineageLog struct {
	*logscan.Source
	log string
	of  Lineage
}

var _ planner.ParentSource = (*lineageLog)(nil)

// parentColumns are the names of what Parents gets of an event.
var parentColumns = [...]string{"_seq", "_ts", "_kind", "_encoding", "_origin", "_key", "_bytes"}

// ParentColumns implements planner.ParentSource.
func (l *lineageLog) ParentColumns() []int {
	cols := l.Columns()
	out := make([]int, len(parentColumns))
	for i, name := range parentColumns {
		out[i] = slices.IndexFunc(cols, func(c planner.Column) bool { return c.Name == name })
	}
	return out
}

// Parents implements planner.ParentSource.
func (l *lineageLog) Parents(b *vector.Batch, i int, dst []planner.Link) ([]planner.Link, error) {
	ev := redex.Event{
		Seq: redex.Seq(b.Cols[0].Int(i)), Time: b.Cols[1].Int(i), Kind: redex.Kind(b.Cols[2].Int(i)), Payload: b.Cols[6].Bytes(i),
	}
	for _, e := range [...]redex.Encoding{redex.Raw, redex.JSON, redex.Msgpack} {
		if e.String() == string(b.Cols[3].Bytes(i)) {
			ev.Encoding = e
		}
	}
	if origin, err := strconv.ParseUint(string(b.Cols[4].Bytes(i)), 16, 64); err == nil {
		ev.Origin = redex.Origin(origin)
	}
	if !b.Cols[5].Null(i) {
		ev.Key = b.Cols[5].Bytes(i)
	}
	links, err := l.of.Parents(l.log, ev)
	if err != nil {
		return dst, fmt.Errorf("netdb: parents of %q %d: %w", l.log, ev.Seq, err)
	}
	for _, p := range links {
		if p.Seq >= 0 {
			dst = append(dst, p)
		}
	}
	return dst, nil
}
