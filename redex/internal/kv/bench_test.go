package kv

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	db, err := Open(vfs.Default, dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 20_000 {
		set(b, db, fmt.Sprintf("log/%06d", i), "some value that a catalog holds for a log")
	}
	if err := db.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		db, err := Open(vfs.Default, dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCreate(b *testing.B) {
	dir := b.TempDir()
	n := 0
	for b.Loop() {
		n++
		db, err := Open(vfs.Default, fmt.Sprint(dir, "/", n), Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFlush(b *testing.B) {
	db, err := Open(vfs.Default, b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for b.Loop() {
		set(b, db, "a", "1")
		if err := db.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	db, err := Open(vfs.NewMem(), "catalog", Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for i := range 20_000 {
		set(b, db, fmt.Sprintf("log/%06d", i), "some value that a catalog holds for a log")
	}
	if err := db.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	key, val := make([]byte, 0, 16), make([]byte, 0, 64)
	i := 0
	for b.Loop() {
		i = (i + 7919) % 20_000
		key = fmt.Appendf(key[:0], "log/%06d", i)
		if _, ok, err := db.Get(key, val[:0]); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
