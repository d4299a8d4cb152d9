package main

import (
	"context"
	"fmt"
	"io"
	"os"
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

// engine is a store used as one log of payloads numbered from 0. append is safe for concurrent use.
type engine interface {
	// append adds the payloads as one atomic batch.
	append(ctx context.Context, payloads [][]byte) error
	// scan reads every payload in order, from number 0 on, and returns how many there are and the sum of their lengths.
	scan(ctx context.Context) (events, bytes int64, err error)
	// last returns the newest payload.
	last(ctx context.Context) ([]byte, error)
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
	ours bool
	open func(ctx context.Context, s settings) (engine, error)
}

func contenders() []contender {
	return []contender{
		{"netdb", true, openNetDB(variant{})},
		{"pebble", false, openPebble},
		{"bbolt", false, openBolt},
		{"tidwall/wal", false, openWAL},
		{"sqlite", false, openSQLite},
	}
}

// readers are the contenders of points that read: ours is measured as it keeps events at three stages of their life.
func readers() []contender {
	return append([]contender{
		{"netdb, journal", true, openNetDB(variant{journal: true})},
		{"netdb, sealed s2", true, openNetDB(variant{seal: true})},
		{"netdb, sealed zstd", true, openNetDB(variant{seal: true, zstd: true})},
	}, contenders()[1:]...)
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

// dirBytes returns the size of the files below dir.
func dirBytes(dir string) (int64, error) {
	var n int64
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		if e.IsDir() {
			m, err := dirBytes(dir + "/" + e.Name())
			if err != nil {
				return 0, err
			}
			n += m
			continue
		}
		i, err := e.Info()
		if err != nil {
			return 0, err
		}
		n += i.Size()
	}
	return n, nil
}
