package main

import (
	"context"
	"errors"
	"sync"

	"github.com/tidwall/wal"
)

// walLog is tidwall/wal: entries are numbered from 1 and written one after the other.
type walLog struct {
	mu   sync.Mutex
	l    *wal.Log
	next uint64
	b    wal.Batch
	tick *ticker
}

func openWAL(_ context.Context, s settings) (engine, error) {
	l, err := wal.Open(s.dir+"/wal", &wal.Options{NoSync: s.sync != always, NoCopy: true})
	if err != nil {
		return nil, err
	}
	last, err := l.LastIndex()
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	w := &walLog{l: l, next: last + 1}
	if s.sync == interval {
		w.tick = startTicker(l.Sync)
	}
	return w, nil
}

func (w *walLog) append(_ context.Context, payloads [][]byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(payloads) == 1 {
		if err := w.l.Write(w.next, payloads[0]); err != nil {
			return err
		}
		w.next++
		return nil
	}
	w.b.Clear()
	for i, v := range payloads {
		w.b.Write(w.next+uint64(i), v)
	}
	if err := w.l.WriteBatch(&w.b); err != nil {
		return err
	}
	w.next += uint64(len(payloads))
	return nil
}

func (w *walLog) scan(context.Context) (events, bytes int64, err error) {
	for i := uint64(1); i < w.next; i++ {
		v, err := w.l.Read(i)
		if err != nil {
			return 0, 0, err
		}
		events++
		bytes += int64(len(v))
	}
	return events, bytes, nil
}

func (w *walLog) at(_ context.Context, number uint64) ([]byte, error) { return w.l.Read(number + 1) }

func (w *walLog) last(context.Context) ([]byte, error) { return w.l.Read(w.next - 1) }

func (w *walLog) Close() error { return errors.Join(w.tick.close(), w.l.Close()) }
