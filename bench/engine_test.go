package main

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/hashicorp/raft-wal/types"
	"github.com/nats-io/nats.go/jetstream"
	bolt "go.etcd.io/bbolt"
)

// open opens a contender for a test; nil when this program is built without it.
func open(t *testing.T, c contender, s settings) engine {
	t.Helper()
	e, err := c.open(t.Context(), s)
	if c.cgo && cgoDriver == "" {
		if !errors.Is(err, errNone) {
			t.Fatalf("without cgo: %v", err)
		}
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestEngines checks that every store returns what was appended, after reopening too.
func TestEngines(t *testing.T) {
	for _, c := range append(stores(), readers()[:3]...) {
		for _, p := range []policy{always, interval, never} {
			t.Run(c.name+"/"+string(p), func(t *testing.T) {
				dir := t.TempDir()
				want := payloads(300, 40)
				e := open(t, c, settings{dir: dir, sync: p})
				if e == nil {
					return
				}
				if err := errors.Join(e.append(t.Context(), want[:1]), e.append(t.Context(), want[1:200])); err != nil {
					t.Fatal(err)
				}
				if s, ok := e.(settler); ok {
					if err := s.settle(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if err := e.Close(); err != nil {
					t.Fatal(err)
				}
				e = open(t, c, settings{dir: dir, sync: p, together: 2})
				if err := e.append(t.Context(), want[200:]); err != nil {
					t.Fatal(err)
				}
				n, got, err := e.scan(t.Context())
				if err != nil || n != 300 || got != 300*40 {
					t.Errorf("%d events, %d bytes, want 300 of 40: %v", n, got, err)
				}
				for _, i := range []uint64{0, 150, 299} {
					if v, err := e.at(t.Context(), i); err != nil || string(v) != string(want[i]) {
						t.Errorf("event %d is %q, want %q: %v", i, v, want[i], err)
					}
				}
				last, err := e.last(t.Context())
				if err != nil || string(last) != string(want[299]) {
					t.Errorf("last %q, want %q: %v", last, want[299], err)
				}
				if err := e.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestKilled checks which stores have what they acknowledged, never synced, when their process is killed. Pebble may lose what it
// has not written yet.
func TestKilled(t *testing.T) {
	const events = 3000
	for _, c := range stores() {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if c.cgo && cgoDriver == "" {
				return
			}
			if err := fill(t.Context(), c, budget{Events: events}, dir, false); err != nil {
				t.Fatal(err)
			}
			e := open(t, c, settings{dir: dir, sync: never})
			n, _, err := e.scan(t.Context())
			if err = errors.Join(err, e.Close()); err != nil {
				t.Fatal(err)
			}
			if n != events && (c.name != "pebble" || n > events) {
				t.Errorf("%d events are left of %d", n, events)
			}
		})
	}
}

// TestSpread checks that every store that can hold many logs has in each what it was given for it.
func TestSpread(t *testing.T) {
	const logs = 5
	for _, c := range spreaders() {
		t.Run(c.name, func(t *testing.T) {
			e := open(t, c, settings{dir: t.TempDir(), sync: never})
			if e == nil {
				return
			}
			s := e.(spreader)
			p := payloads(12, 40)
			if err := errors.Join(s.prepare(t.Context(), logs), s.spread(t.Context(), 0, p[:4]), s.spread(t.Context(), 4, p[4:])); err != nil {
				t.Fatal(err)
			}
			counts := []int64{3, 3, 2, 2, 2}
			if r, ok := e.(router); ok {
				if err := r.to(t.Context(), 1, p[0]); err != nil {
					t.Fatal(err)
				}
				counts[1]++
			}
			n, err := spreadOver(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			for log, want := range counts {
				if n[log] != want {
					t.Errorf("log %d has %d events, want %d", log, n[log], want)
				}
			}
			if f, ok := e.(finisher); ok {
				if err := f.finish(t.Context()); err != nil {
					t.Error(err)
				}
			}
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSmallLogs checks that logs that are made can be listed by the digits of their numbers.
func TestSmallLogs(t *testing.T) {
	m, err := runSmallLogs(t.Context(), contenders()[0], budget{Dir: t.TempDir()}, 2345)
	if err != nil || len(m) != 5 {
		t.Errorf("%d figures, %v", len(m), err)
	}
}

// spreadOver counts the events of each log.
func spreadOver(ctx context.Context, e engine) (n [5]int64, err error) {
	switch e := e.(type) {
	case *netDB:
		for i, l := range e.logs {
			n[i] = int64(l.Bounds().Next)
		}
	case *pebbleLog:
		it, err := e.db.NewIter(nil)
		if err != nil {
			return n, err
		}
		for ok := it.First(); ok; ok = it.Next() {
			n[it.Key()[3]]++
		}
		return n, it.Close()
	case *badgerLog:
		return n, e.db.View(func(tx *badger.Txn) error {
			it := tx.NewIterator(badger.DefaultIteratorOptions)
			defer it.Close()
			for it.Rewind(); it.Valid(); it.Next() {
				n[it.Item().Key()[3]]++
			}
			return nil
		})
	case *boltLog:
		return n, e.db.View(func(tx *bolt.Tx) error {
			for i, name := range e.logs {
				n[i] = int64(tx.Bucket(name).Stats().KeyN)
			}
			return nil
		})
	case *natsLog:
		info, err := e.stream.Info(ctx, jetstream.WithSubjectFilter(natsSubject+".*"))
		if err != nil {
			return n, err
		}
		for i, subject := range e.subjects {
			n[i] = int64(info.State.Subjects[subject])
		}
	case *sqliteLog:
		for i := range e.logs {
			if err := e.conn.QueryRowContext(ctx, "SELECT count(*) FROM logs WHERE log = ?", i).Scan(&n[i]); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// TestTails checks that a reader begins behind what is there, waits, and has each event once.
func TestTails(t *testing.T) {
	for _, c := range tailers() {
		t.Run(c.name, func(t *testing.T) {
			e := open(t, c, settings{dir: t.TempDir(), sync: never})
			p := payloads(3, 40)
			if err := e.append(t.Context(), p[:1]); err != nil {
				t.Fatal(err)
			}
			r, err := e.(tailer).tail(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, ok, err := r.try(t.Context()); ok || err != nil {
				t.Errorf("an event before any was appended: %v", err)
			}
			for _, want := range p[1:] {
				if err := e.append(t.Context(), [][]byte{want}); err != nil {
					t.Fatal(err)
				}
				if got, err := r.next(t.Context()); err != nil || string(got) != string(want) {
					t.Errorf("got %q, want %q: %v", got, want, err)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if got, err := r.next(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("a third event: %q, %v", got, err)
			}
			if err := errors.Join(r.Close(), e.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFloor checks that the floor copies what it is given one behind the other, round its buffer.
func TestFloor(t *testing.T) {
	for _, together := range []int{1, 2} {
		e, err := openFloor(t.Context(), settings{sync: never, together: together})
		if err != nil {
			t.Fatal(err)
		}
		f := e.(*floorLog)
		if err := e.append(t.Context(), [][]byte{[]byte("one"), []byte("two")}); err != nil || string(f.buf[:6]) != "onetwo" {
			t.Errorf("%q: %v", f.buf[:6], err)
		}
		f.pos = floorBytes - 1
		f.end.Store(floorBytes - 1)
		if err := e.append(t.Context(), [][]byte{[]byte("new")}); err != nil || string(f.buf[2*(together-1):][:3]) != "new" {
			t.Errorf("%q: %v", f.buf[:6], err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := openFloor(t.Context(), settings{sync: always}); !errors.Is(err, errNone) {
		t.Errorf("the floor syncs: %v", err)
	}
}

// TestLateSync checks that raft-wal's files are synced when it is time, once, and not before.
func TestLateSync(t *testing.T) {
	file := new(countedFile)
	l := new(lateSync)
	f, err := l.add(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{0, 1, 1} {
		if i == 0 {
			err = errors.Join(f.Sync(), f.Sync())
		} else {
			err = l.sync()
		}
		if err != nil || file.synced != want {
			t.Errorf("step %d: synced %d times, want %d: %v", i, file.synced, want, err)
		}
	}
	if err := errors.Join(f.Sync(), f.Close(), l.sync()); err != nil || file.synced != 1 || len(l.files) != 0 {
		t.Errorf("a closed file is kept: %v", err)
	}
	if _, err := l.add(nil, os.ErrExist); !errors.Is(err, os.ErrExist) {
		t.Error(err)
	}
}

type countedFile struct {
	types.WritableFile
	synced int
}

func (c *countedFile) Sync() error  { c.synced++; return nil }
func (c *countedFile) Close() error { return nil }
