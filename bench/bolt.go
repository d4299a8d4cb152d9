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
	group bool     // concurrent appends share a transaction
	logs  [][]byte // the buckets of many logs
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
		for _, v := range payloads {
			if err := putNext(bucket, v); err != nil {
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

func putNext(bucket *bolt.Bucket, v []byte) error {
	bucket.FillPercent = 1 // keys only ever grow
	n, err := bucket.NextSequence()
	if err != nil {
		return err
	}
	var key [8]byte
	binary.BigEndian.PutUint64(key[:], n-1)
	return bucket.Put(key[:], v)
}

func (b *boltLog) prepare(_ context.Context, logs int) error {
	return b.db.Update(func(tx *bolt.Tx) error {
		for i := range logs {
			b.logs = append(b.logs, binary.BigEndian.AppendUint32(nil, uint32(i)))
			if _, err := tx.CreateBucket(b.logs[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *boltLog) spread(_ context.Context, first int, payloads [][]byte) error {
	return b.db.Update(func(tx *bolt.Tx) error {
		for i, v := range payloads {
			if err := putNext(tx.Bucket(b.logs[(first+i)%len(b.logs)]), v); err != nil {
				return err
			}
		}
		return nil
	})
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

func (b *boltLog) at(_ context.Context, number uint64) (out []byte, err error) {
	err = b.db.View(func(tx *bolt.Tx) error {
		out = append(out, tx.Bucket([]byte("events")).Get(binary.BigEndian.AppendUint64(nil, number))...)
		return nil
	})
	return out, err
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
