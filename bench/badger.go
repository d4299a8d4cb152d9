package main

import (
	"context"
	"encoding/binary"
	"errors"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"
)

// badgerLog keeps an event under its number, eight bytes big endian; of many logs each has four bytes before that.
type badgerLog struct {
	db   *badger.DB
	next atomic.Uint64
	logs []uint64 // the next number of each of many logs
	tick *ticker
}

func openBadger(_ context.Context, s settings) (engine, error) {
	o := badger.DefaultOptions(s.dir).WithLogger(nil).WithMetricsEnabled(false).WithSyncWrites(s.sync == always).
		WithDetectConflicts(false).WithBlockCacheSize(cacheBytes)
	db, err := badger.Open(o)
	if err != nil {
		return nil, err
	}
	b := &badgerLog{db: db}
	key, _, err := b.newest()
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if key != nil {
		b.next.Store(binary.BigEndian.Uint64(key) + 1)
	}
	if s.sync == interval {
		b.tick = startTicker(db.Sync)
	}
	return b, nil
}

// newest returns the last key and its value.
func (b *badgerLog) newest() (key, value []byte, err error) {
	err = b.db.View(func(tx *badger.Txn) error {
		it := tx.NewIterator(badger.IteratorOptions{Reverse: true, PrefetchSize: 1})
		defer it.Close()
		it.Rewind()
		if !it.Valid() {
			return nil
		}
		key = it.Item().KeyCopy(nil)
		value, err = it.Item().ValueCopy(nil)
		return err
	})
	return key, value, err
}

func (b *badgerLog) append(_ context.Context, payloads [][]byte) error {
	at := b.next.Add(uint64(len(payloads))) - uint64(len(payloads))
	return b.db.Update(func(tx *badger.Txn) error {
		// A transaction keeps the slices of its keys until it is committed.
		keys := make([]byte, 0, 8*len(payloads))
		for i, v := range payloads {
			keys = binary.BigEndian.AppendUint64(keys, at+uint64(i))
			if err := tx.Set(keys[8*i:8*i+8:8*i+8], v); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *badgerLog) prepare(_ context.Context, logs int) error {
	b.logs = make([]uint64, logs)
	return nil
}

func (b *badgerLog) spread(_ context.Context, first int, payloads [][]byte) error {
	return b.db.Update(func(tx *badger.Txn) error {
		for i, v := range payloads {
			log := (first + i) % len(b.logs)
			key := binary.BigEndian.AppendUint32(make([]byte, 0, 12), uint32(log))
			if err := tx.Set(binary.BigEndian.AppendUint64(key, b.logs[log]), v); err != nil {
				return err
			}
			b.logs[log]++
		}
		return nil
	})
}

func (b *badgerLog) scan(context.Context) (events, bytes int64, err error) {
	err = b.db.View(func(tx *badger.Txn) error {
		it := tx.NewIterator(badger.DefaultIteratorOptions)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			if err := it.Item().Value(func(v []byte) error {
				events++
				bytes += int64(len(v))
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	})
	return events, bytes, err
}

func (b *badgerLog) at(_ context.Context, number uint64) (out []byte, err error) {
	err = b.db.View(func(tx *badger.Txn) error {
		item, err := tx.Get(binary.BigEndian.AppendUint64(nil, number))
		if err != nil {
			return err
		}
		out, err = item.ValueCopy(nil)
		return err
	})
	return out, err
}

func (b *badgerLog) last(context.Context) ([]byte, error) {
	_, v, err := b.newest()
	return v, err
}

func (b *badgerLog) Close() error { return errors.Join(b.tick.close(), b.db.Close()) }
