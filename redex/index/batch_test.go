package index

import (
	"encoding/binary"
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
