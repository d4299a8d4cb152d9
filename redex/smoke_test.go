package redex

import (
	"context"
	"fmt"
	"testing"
)

func TestSmoke(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	for _, mem := range []bool{true, false} {
		var s *Store
		var err error
		if mem {
			s, err = OpenMemory(ctx, Options{})
		} else {
			s, err = Open(ctx, dir+"/s", Options{})
		}
		if err != nil {
			t.Fatal(err)
		}
		l, err := s.Create(ctx, "a/b", LogOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 1000 {
			if _, err := l.Append(ctx, Entry{Payload: fmt.Appendf(nil, "event %d", i)}, AppendOptions{Durable: DurableNo}); err != nil {
				t.Fatal(err)
			}
		}
		read := func() {
			t.Helper()
			n := 0
			for ev, err := range l.Scan(ctx, 0, 1<<60) {
				if err != nil {
					t.Fatal(err)
				}
				if string(ev.Payload) != fmt.Sprintf("event %d", n) {
					t.Fatalf("%d: %q", n, ev.Payload)
				}
				n++
			}
			if n != 1000 {
				t.Fatal(n)
			}
		}
		read()
		if err := s.Seal(ctx); err != nil {
			t.Fatal(err)
		}
		read()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if !mem {
			s, err = Open(ctx, dir+"/s", Options{})
			if err != nil {
				t.Fatal(err)
			}
			if l, err = s.Log("a/b"); err != nil {
				t.Fatal(err)
			}
			read()
			s.Close()
		}
	}
}

func BenchmarkAppendSmoke(b *testing.B) {
	ctx := context.Background()
	s, err := Open(ctx, b.TempDir()+"/s", Options{Sync: SyncPolicy{Mode: SyncNever}})
	if err != nil {
		b.Fatal(err)
	}
	l, _ := s.Create(ctx, "a/b", LogOptions{})
	p := make([]byte, 256)
	b.SetBytes(256)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Append(ctx, Entry{Payload: p}, AppendOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	s.Close()
}
