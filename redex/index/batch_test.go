package index

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"testing"

	"github.com/seed69692123/netdb/redex"
)

// TestOneBatch looks at the view while the index works: whatever moment it is seen at, and so whatever a crash takes it back to, entries,
// counts and position belong to each other.
func TestOneBatch(t *testing.T) {
	ctx := t.Context()
	s, err := redex.OpenMemory(ctx, redex.Options{Sync: redex.SyncPolicy{Mode: redex.SyncNever}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l, err := s.OpenLog(ctx, "in", redex.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	x, err := Open(ctx, s, Definition{Name: "i", Log: "in", Project: func(ev *redex.Event, ops *Ops) error {
		b := binary.BigEndian.AppendUint64(nil, uint64(ev.Seq))
		ops.Insert([]byte{byte(ev.Seq % 7)}, b)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	done := make(chan error, 1)
	const events = 3000
	go func() {
		for range events {
			a, err := l.Append(ctx, redex.Entry{}, redex.AppendOptions{})
			if err == nil {
				err = x.Wait(ctx, a.Position)
			}
			if err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	looks := 0
	for end := false; !end; looks++ {
		select {
		case err := <-done:
			if end = true; err != nil {
				t.Fatal(err)
			}
		default:
		}
		look(t, x)
	}
	if looks < 10 {
		t.Fatal("looked only", looks, "times")
	}
}

func look(t *testing.T, x *Index) {
	t.Helper()
	it, err := x.views.Iter(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	var m meta
	keys, values := map[string]bool{}, int64(0)
	for ok := it.First(); ok; ok = it.Next() {
		if it.Key()[0] == keyMeta {
			b, err := it.Value()
			if err == nil {
				m, err = parseMeta(b)
			}
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		key, _, _, err := parseEntry(it.Key(), nil)
		if err != nil {
			t.Fatal(err)
		}
		keys[string(key)] = true
		values++
	}
	if err := it.Err(); err != nil {
		t.Fatal(err)
	}
	if m.values != values || m.keys != int64(len(keys)) || int64(m.next) != values {
		t.Fatalf("%d keys and %d values beside %+v", len(keys), values, m)
	}
}

// TestNewKeys builds an index of a log that is long before it, with the filter of new keys, and compares it with one that was built
// without.
func TestNewKeys(t *testing.T) {
	ctx := t.Context()
	s, err := redex.OpenMemory(ctx, redex.Options{Sync: redex.SyncPolicy{Mode: redex.SyncNever}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l, err := s.OpenLog(ctx, "in", redex.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	x, err := Open(ctx, s, Definition{Name: "i", Log: "in", Project: func(ev *redex.Event, ops *Ops) error {
		n := uint64(ev.Seq)
		key := binary.BigEndian.AppendUint64(nil, n*0x9e3779b97f4a7c15%(longLog/2)) // most keys come twice
		switch n % 9 {
		case 0:
			ops.RemoveAll(key)
		case 1:
			ops.Remove(key, key)
		default:
			ops.Insert(key, key[:n%3])
			ops.Insert(key, key)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if err := x.CatchUp(ctx); err != nil { // without: the log is empty
		t.Fatal(err)
	}
	batch := make([]redex.Entry, 1000)
	for range longLog / len(batch) {
		if _, err := l.AppendBatch(ctx, batch, redex.AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.CatchUp(ctx); err != nil {
		t.Fatal(err)
	}
	seed := maphash.MakeSeed()
	content := func() (meta, uint64) {
		p := x.pub.Load()
		keys, values, sum := int64(0), int64(0), maphash.Hash{}
		sum.SetSeed(seed)
		last := []byte(nil)
		for e, err := range x.Scan(ctx, Range{}) {
			if err != nil {
				t.Fatal(err)
			}
			if values == 0 || !bytes.Equal(last, e.Key) {
				keys++
			}
			values++
			last = append(last[:0], e.Key...)
			sum.Write(e.Key)
			sum.Write(e.Value)
		}
		if p.keys != keys || p.values != values {
			t.Fatalf("%d keys and %d values beside %+v", keys, values, p.meta)
		}
		return p.meta, sum.Sum64()
	}
	before, sum := content()
	if err := x.Rebuild(ctx); err != nil {
		t.Fatal(err)
	}
	if err := x.CatchUp(ctx); err != nil {
		t.Fatal(err)
	}
	after, sum2 := content()
	if before.keys != after.keys || before.values != after.values || sum != sum2 || after.keys == 0 {
		t.Fatalf("%+v, %+v", before, after)
	}
}
