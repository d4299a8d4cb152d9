package main

import (
	"context"
	"encoding/binary"
	"errors"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// pebbleLog keeps an event under its number, eight bytes big endian; of many logs each has four bytes before that.
type pebbleLog struct {
	db   *pebble.DB
	next atomic.Uint64
	w    *pebble.WriteOptions
	logs []uint64 // the next number of each of many logs
	tick *ticker
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(f string, a ...any) {
	pebble.DefaultLogger.Fatalf(f, a...)
}

func openPebble(_ context.Context, s settings) (engine, error) {
	cache := pebble.NewCache(cacheBytes)
	defer cache.Unref()
	db, err := pebble.Open(s.dir, &pebble.Options{
		Cache:        cache,
		MemTableSize: 64 << 20, MemTableStopWritesThreshold: 4, L0StopWritesThreshold: 1000, Logger: quiet{},
		FormatMajorVersion: pebble.FormatNewest,
	})
	if err != nil {
		return nil, err
	}
	p := &pebbleLog{db: db, w: pebble.NoSync}
	if b, err := p.lastKey(); err != nil {
		return nil, errors.Join(err, db.Close())
	} else if b != nil {
		p.next.Store(binary.BigEndian.Uint64(b) + 1)
	}
	switch s.sync {
	case always:
		p.w = pebble.Sync
	case interval:
		p.tick = startTicker(func() error { return db.LogData(nil, pebble.Sync) })
	}
	return p, nil
}

func (p *pebbleLog) lastKey() ([]byte, error) {
	it, err := p.db.NewIter(nil)
	if err != nil {
		return nil, err
	}
	var key []byte
	if it.Last() {
		key = append(key, it.Key()...)
	}
	return key, it.Close()
}

func (p *pebbleLog) append(_ context.Context, payloads [][]byte) error {
	b := p.db.NewBatch()
	at := p.next.Add(uint64(len(payloads))) - uint64(len(payloads))
	var key [8]byte
	for i, v := range payloads {
		binary.BigEndian.PutUint64(key[:], at+uint64(i))
		if err := b.Set(key[:], v, nil); err != nil {
			return err
		}
	}
	return errors.Join(b.Commit(p.w), b.Close())
}

func (p *pebbleLog) prepare(_ context.Context, logs int) error {
	p.logs = make([]uint64, logs)
	return nil
}

func (p *pebbleLog) spread(_ context.Context, first int, payloads [][]byte) error {
	b := p.db.NewBatch()
	var key [12]byte
	for i, v := range payloads {
		log := (first + i) % len(p.logs)
		binary.BigEndian.PutUint32(key[:], uint32(log))
		binary.BigEndian.PutUint64(key[4:], p.logs[log])
		if err := b.Set(key[:], v, nil); err != nil {
			return err
		}
		p.logs[log]++
	}
	return errors.Join(b.Commit(p.w), b.Close())
}

// to appends to one of the logs made by prepare.
func (p *pebbleLog) to(_ context.Context, log int, payload []byte) error {
	var key [12]byte
	binary.BigEndian.PutUint32(key[:], uint32(log))
	binary.BigEndian.PutUint64(key[4:], atomic.AddUint64(&p.logs[log], 1)-1)
	return p.db.Set(key[:], payload, p.w)
}

// finish writes what is in memory to tables. Compactions that are due go on later.
func (p *pebbleLog) finish(context.Context) error { return p.db.Flush() }

// settle writes what is in memory to tables, and waits for compactions to have caught up.
func (p *pebbleLog) settle(ctx context.Context) error {
	if err := p.db.Flush(); err != nil {
		return err
	}
	return p.db.Compact(ctx, []byte{0}, []byte{0xff}, false)
}

func (p *pebbleLog) scan(context.Context) (events, bytes int64, err error) {
	it, err := p.db.NewIter(nil)
	if err != nil {
		return 0, 0, err
	}
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return 0, 0, errors.Join(err, it.Close())
		}
		events++
		bytes += int64(len(v))
	}
	return events, bytes, it.Close()
}

func (p *pebbleLog) at(_ context.Context, number uint64) ([]byte, error) {
	var key [8]byte
	binary.BigEndian.PutUint64(key[:], number)
	v, c, err := p.db.Get(key[:])
	if err != nil {
		return nil, err
	}
	return append([]byte(nil), v...), c.Close()
}

func (p *pebbleLog) last(context.Context) ([]byte, error) {
	it, err := p.db.NewIter(nil)
	if err != nil {
		return nil, err
	}
	var v []byte
	if it.Last() {
		v = append(v, it.Value()...)
	}
	return v, it.Close()
}

func (p *pebbleLog) Close() error { return errors.Join(p.tick.close(), p.db.Close()) }
