package kv

import "github.com/cockroachdb/pebble/v2"

// Metrics are figures of a DB at one moment.
type Metrics struct {
	CacheBytes      int64
	MemtableBytes   int64 // unflushed
	DiskBytes       int64
	WrittenBytes    int64 // by flushes and compactions since open
	Tables          int64
	Flushes         int64
	Compactions     int64
	Corruptions     int64
	BallastReleased bool
}

// Metrics returns figures; none after Close. It does not wait for the disk: while the manifest is being written, they are those of
// an earlier call.
func (db *DB) Metrics() Metrics {
	m, err := db.figures()
	if err != nil {
		return Metrics{}
	}
	t := m.Total()
	return Metrics{
		CacheBytes:      m.BlockCache.Size,
		MemtableBytes:   int64(m.MemTable.Size),
		DiskBytes:       int64(m.DiskSpaceUsage()),
		WrittenBytes:    int64(t.TableBytesFlushed + t.TableBytesCompacted),
		Tables:          t.TablesCount,
		Flushes:         m.Flush.Count,
		Compactions:     m.Compact.Count,
		Corruptions:     db.state.corruptions(),
		BallastReleased: !db.fs.ballast.whole(),
	}
}

// figures returns Pebble's figures, or earlier ones while those cannot be had.
func (db *DB) figures() (*pebble.Metrics, error) {
	got, err := db.askFigures()
	if err != nil {
		return nil, err
	}
	for {
		change := db.state.next()
		if writing, _ := db.state.manifest(); writing {
			return db.lastFigures.Load(), nil
		}
		select {
		case m := <-got:
			return m, nil
		case <-change:
		}
	}
}

// askFigures asks for Pebble's figures. They come late while the manifest is being written.
func (db *DB) askFigures() (<-chan *pebble.Metrics, error) {
	if err := db.enter(); err != nil {
		return nil, err
	}
	got := make(chan *pebble.Metrics, 1)
	go db.sendFigures(got)
	return got, nil
}

// sendFigures ends when the manifest has been written, or the state is closed.
func (db *DB) sendFigures(got chan<- *pebble.Metrics) {
	defer db.leave()
	m := db.p.Metrics()
	db.lastFigures.Store(m)
	got <- m
}
