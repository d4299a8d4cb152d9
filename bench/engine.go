package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// policy is when an append is made durable.
type policy string

const (
	always   policy = "always"   // when Append returns
	interval policy = "interval" // within about 10 ms
	never    policy = "never"    // survives the process, not the machine
)

const every = 10 * time.Millisecond

// cacheBytes is what each store that has a cache of its own may keep in it: NetDB's default.
const cacheBytes = 48 << 20

// errNone is what a contender returns that has nothing to be measured at a point: its cell stays empty.
var errNone = errors.New("nothing to measure")

// engine is a store used as one log of payloads numbered from 0. append is safe for concurrent use.
type engine interface {
	// append adds the payloads as one atomic batch.
	append(ctx context.Context, payloads [][]byte) error
	// scan reads every payload in order, from number 0 on, and returns how many there are and the sum of their lengths.
	scan(ctx context.Context) (events, bytes int64, err error)
	// at returns the payload of that number, valid until the next call.
	at(ctx context.Context, number uint64) ([]byte, error)
	// last returns the newest payload.
	last(ctx context.Context) ([]byte, error)
	io.Closer
}

// settler is an engine that has something to finish before it is read or reopened.
type settler interface {
	settle(ctx context.Context) error
}

// finisher is an engine that puts work off, which counts when a long run is timed.
type finisher interface {
	finish(ctx context.Context) error
}

// spreader is an engine that can hold many logs.
type spreader interface {
	// prepare makes so many logs.
	prepare(ctx context.Context, logs int) error
	// spread appends each payload to a log of its own, the first one to the log given and so on round them, as one batch.
	// It is not called concurrently.
	spread(ctx context.Context, first int, payloads [][]byte) error
}

// tailer is an engine whose readers are told of new events.
type tailer interface {
	// tail returns a reader that begins behind the newest event.
	tail(ctx context.Context) (tail, error)
}

// tail is a reader that goes on with what is appended. It is used by one goroutine, and its payloads are valid until the next call.
type tail interface {
	next(ctx context.Context) ([]byte, error)      // waits for the next event
	try(ctx context.Context) ([]byte, bool, error) // takes the next event if there is one
	io.Closer
}

// settings are what an engine is opened with.
type settings struct {
	dir      string
	sync     policy
	together int // goroutines that will append
}

// contender is a store that is measured.
type contender struct {
	name string
	role role
	open func(ctx context.Context, s settings) (engine, error)
	data string // where below its directory a store keeps what it sealed; "" when that is all of it
	cgo  bool   // it is there only in programs built with cgo
}

// role is which side of the comparison a contender is on.
type role int

const (
	other role = iota
	ours
	floor // no store, but what storing costs at least
)

func contenders() []contender {
	return append([]contender{
		{name: "netdb", role: ours, open: openNetDB(variant{})},
		{name: "copy+crc", role: floor, open: openFloor},
	}, others()...)
}

func others() []contender {
	return []contender{
		{name: "pebble", open: openPebble},
		{name: "badger", open: openBadger},
		{name: "bbolt", open: openBolt},
		{name: "tidwall/wal", open: openWAL},
		{name: "raft-wal", open: openRaftWAL},
		{name: "nats", open: openNATS},
		{name: "sqlite", open: openSQLite("sqlite")},
		{name: "sqlite, cgo", open: openSQLite(cgoDriver), cgo: true},
	}
}

// stores are the contenders that keep what they are given.
func stores() []contender { return append(contenders()[:1], others()...) }

// readers are the contenders of points that read: ours is measured as it keeps events at three stages of their life.
func readers() []contender {
	return append([]contender{
		{name: "netdb, journal", role: ours, open: openNetDB(variant{journal: true})},
		{name: "netdb, sealed s2", role: ours, open: openNetDB(variant{seal: true}), data: "rows"},
		{name: "netdb, sealed zstd", role: ours, open: openNetDB(variant{seal: true, zstd: true}), data: "rows"},
	}, others()...)
}

// spreaders are the contenders that can hold many logs in one store.
func spreaders() []contender {
	return named(contenders(), "netdb", "pebble", "badger", "bbolt", "nats", "sqlite", "sqlite, cgo")
}

// tailers are the contenders whose readers are told of new events.
func tailers() []contender { return named(contenders(), "netdb", "copy+crc", "nats") }

func named(all []contender, names ...string) []contender {
	var out []contender
	for _, name := range names {
		for _, c := range all {
			if c.name == name {
				out = append(out, c)
			}
		}
	}
	return out
}

// find returns the contender of that name.
func find(name string) (contender, error) {
	for _, c := range append(contenders(), readers()...) {
		if c.name == name {
			return c, nil
		}
	}
	return contender{}, fmt.Errorf("no contender %q", name)
}

// ticker calls sync every 10 ms until it is stopped, for stores that have no such policy of their own.
type ticker struct {
	stop chan struct{}
	done sync.WaitGroup
	err  error
}

func startTicker(sync func() error) *ticker {
	t := &ticker{stop: make(chan struct{})}
	t.done.Go(func() {
		c := time.NewTicker(every)
		defer c.Stop()
		for {
			select {
			case <-c.C:
				if t.err = sync(); t.err != nil {
					return
				}
			case <-t.stop:
				return
			}
		}
	})
	return t
}

// close ends the ticker; t may be nil.
func (t *ticker) close() error {
	if t == nil {
		return nil
	}
	close(t.stop)
	t.done.Wait()
	return t.err
}

// checkEnd compares what a scan found with what was written.
func checkEnd(got, want int64) error {
	if got != want {
		return fmt.Errorf("%d events, want %d", got, want)
	}
	return nil
}
