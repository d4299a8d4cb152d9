package main

import (
	"context"
	"encoding/binary"
	"errors"

	bolt "go.etcd.io/bbolt"
)

// boltLog keeps an event under its number, eight bytes big endian, in one bucket.
type boltLog struct {
	db    *bolt.DB
	group bool // concurrent appends share a transaction
	tick  *ticker
}

func openBolt(_ context.Context, s settings) (engine, error) {
	db, err := bolt.Open(s.dir+"/bolt.db", 0o600, &bolt.Options{
		NoSync: s.sync != always, NoFreelistSync: true, FreelistType: bolt.FreelistMapType, InitialMmapSize: 1 << 30,
	})
	if err != nil {
		return nil, err
	}
	if err := db.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists([]byte("events"))
		return err
	}); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	b := &boltLog{db: db, group: s.together > 1}
	db.MaxBatchSize, db.MaxBatchDelay = max(s.together, 1), every/10
	if s.sync == interval {
		b.tick = startTicker(db.Sync)
	}
	return b, nil
}

func (b *boltLog) append(_ context.Context, payloads [][]byte) error {
	put := func(tx *bolt.Tx) error {
		bucket := tx.Bucket([]byte("events"))
		bucket.FillPercent = 1 // keys only ever grow
		var key [8]byte
		for _, v := range payloads {
			n, err := bucket.NextSequence()
			if err != nil {
				return err
			}
			binary.BigEndian.PutUint64(key[:], n-1)
			if err := bucket.Put(key[:], v); err != nil {
				return err
			}
		}
		return nil
	}
	if b.group {
		return b.db.Batch(put)
	}
	return b.db.Update(put)
}

func (b *boltLog) scan(context.Context) (events, bytes int64, err error) {
	err = b.db.View(func(tx *bolt.Tx) error {
		c := tx.Bucket([]byte("events")).Cursor()
		for k, v := c.First(); k != nil; k, v = c.Next() {
			events++
			bytes += int64(len(v))
		}
		return nil
	})
	return events, bytes, err
}

func (b *boltLog) last(context.Context) (out []byte, err error) {
	err = b.db.View(func(tx *bolt.Tx) error {
		_, v := tx.Bucket([]byte("events")).Cursor().Last()
		out = append(out, v...)
		return nil
	})
	return out, err
}

func (b *boltLog) Close() error { return errors.Join(b.tick.close(), b.db.Close()) }
