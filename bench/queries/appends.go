package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/redex"
)

const (
	appenders   = 4
	appendEvery = time.Millisecond
	appendBurst = 20 // unsynced events that a goroutine appends each time
	appendBytes = 256
	appendedFor = 4 * time.Second
	appendedLog = "appended"
)

// appends measures how long an append takes while queries run without a pause, and while none does.
func (p *plan) appends(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp(p.dir, "appends-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	p.say("importing for appends beside queries")
	path := filepath.Join(dir, "netdb")
	if err := loadNetDB(ctx, path, p.events); err != nil {
		return err
	}
	s, err := openNetDB(ctx, path, netOptions())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.db.Close()) }()
	for _, q := range p.queries { // makes what the first query makes
		if err := s.run(ctx, p.facts.fill(q.text)); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(out, "\n## Appends beside queries\n\n%d goroutines append events of %d bytes, one at a time: synced as fast as they can, others %d each %v. The queries are those of the suite, one after the other.\n\n"+
		"| appends | queries | appended | p50 µs | p99 µs | p99.9 µs | most µs |\n|---|---|---:|---:|---:|---:|---:|\n", appenders, appendBytes, appendBurst, appendEvery); err != nil {
		return err
	}
	for _, synced := range []bool{false, true} {
		for _, beside := range []bool{false, true, false, true} {
			p.say("appends: synced %t, beside queries %t", synced, beside)
			took, queries, err := p.appended(ctx, s, synced, beside)
			if err != nil {
				return err
			}
			slices.Sort(took)
			at := func(part float64) float64 {
				return float64(took[min(int(part*float64(len(took))), len(took)-1)]) / 1e3
			}
			if _, err := fmt.Fprintf(out, "| %s | %d | %d | %.1f | %.1f | %.1f | %.1f |\n", map[bool]string{false: "unsynced", true: "synced"}[synced], queries, len(took), at(0.5), at(0.99), at(0.999), at(1)); err != nil {
				return err
			}
		}
	}
	return nil
}

// appended returns how long appends took, and how many queries ended meanwhile.
func (p *plan) appended(ctx context.Context, s *netSystem, synced, beside bool) (took []time.Duration, queries int, err error) {
	ctx, stop := context.WithTimeout(ctx, min(appendedFor, p.budget))
	defer stop()
	var wg sync.WaitGroup
	times, failures := make([][]time.Duration, appenders), make([]error, appenders+1)
	for k := range appenders {
		wg.Go(func() { times[k], failures[k] = appendUntil(ctx, s.db, fmt.Sprintf("%s/%d", appendedLog, k), synced) })
	}
	for beside && ctx.Err() == nil {
		q := p.queries[queries%len(p.queries)]
		if err := s.run(ctx, p.facts.fill(q.text)); err != nil && ctx.Err() == nil {
			failures[appenders] = err
			stop()
		}
		queries++
	}
	wg.Wait()
	for _, t := range times {
		took = append(took, t...)
	}
	if err = errors.Join(failures...); err == nil && len(took) == 0 {
		err = errors.New("nothing was appended")
	}
	return took, queries, err
}

// appendUntil appends to a log until the context ends, and returns how long each append took.
func appendUntil(ctx context.Context, db *netdb.DB, name string, synced bool) (took []time.Duration, err error) {
	o := redex.AppendOptions{Durable: redex.DurableNo}
	if synced {
		o.Durable = redex.DurableYes
	}
	log, err := db.OpenLog(context.WithoutCancel(ctx), name, redex.LogOptions{})
	if err != nil {
		return nil, err
	}
	e := redex.Entry{Encoding: redex.Raw, Payload: make([]byte, appendBytes)}
	one := func() error {
		began := time.Now()
		_, err := log.Append(context.WithoutCancel(ctx), e, o)
		took = append(took, time.Since(began))
		return err
	}
	if synced {
		for ctx.Err() == nil {
			if err := one(); err != nil {
				return nil, err
			}
		}
		return took, nil
	}
	tick := time.NewTicker(appendEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return took, nil
		case <-tick.C:
		}
		for range appendBurst {
			if err := one(); err != nil {
				return nil, err
			}
		}
	}
}
