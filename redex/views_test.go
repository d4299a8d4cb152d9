package redex

import (
	"bytes"
	"fmt"
	"testing"
)

// TestViewIter moves over one of two views whose names begin alike, in every way.
func TestViewIter(t *testing.T) {
	l := memoryLog(t)
	s := l.s
	v, beside := s.Views("v"), s.Views("v2")
	var b ViewBatch
	key, value := make([]byte, 1), make([]byte, 1)
	for i := range byte(10) {
		key[0], value[0] = 10*i, i // used again at once
		b.Set(key, value)
	}
	b.DeleteRange([]byte{35}, []byte{55})
	b.Set([]byte{50}, []byte("again"))
	b.Delete([]byte{0})
	if b.Len() != 13 {
		t.Fatal(b.Len())
	}
	for _, to := range []*Views{v, beside} {
		if err := to.Commit(t.Context(), &b, 0); err != nil {
			t.Fatal(err)
		}
	}
	b.Reset()
	b.DeleteRange([]byte{80}, nil)
	if err := v.Commit(t.Context(), &b, 0); err != nil {
		t.Fatal(err)
	}
	all, err := v.Iter(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	some, err := v.Iter([]byte{20}, []byte{60})
	if err != nil {
		t.Fatal(err)
	}
	defer some.Close()
	var keys []byte
	for ok := all.First(); ok; ok = all.Next() {
		got, err := all.Value()
		want := []byte{all.Key()[0] / 10}
		if all.Key()[0] == 50 {
			want = []byte("again")
		}
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d: %q, %v", all.Key(), got, err)
		}
		keys = append(keys, all.Key()...)
	}
	if want := []byte{10, 20, 30, 50, 60, 70}; !bytes.Equal(keys, want) {
		t.Fatalf("%d, want %d", keys, want)
	}
	for i, c := range []struct {
		ok   bool
		it   *ViewIter
		want int // -1: none
	}{
		{all.Last(), all, 70},
		{some.First(), some, 20},
		{some.Prev(), some, -1},
		{some.Last(), some, 50},
		{some.SeekGE([]byte{0}), some, 20},
		{some.SeekLT([]byte{255}), some, 50},
		{some.SeekLT([]byte{50}), some, 30},
		{some.SeekGE([]byte{51}), some, -1},
		{all.SeekGE([]byte{51}), all, 60},
		{all.SeekLT([]byte{10}), all, -1},
	} {
		if c.ok != (c.want >= 0) {
			t.Errorf("%d: %v", i, c.ok)
		}
	}
	if !some.SeekLT([]byte{50}) || some.Key()[0] != 30 || !some.Prev() || some.Key()[0] != 20 || !all.SeekGE([]byte{51}) || all.Key()[0] != 60 {
		t.Error(some.Key(), all.Key())
	}
	mustClose(t, s)
	if all.Next() || all.Err() == nil {
		t.Error("it goes on in a closed store")
	}
	if _, err := v.Iter(nil, nil); err == nil {
		t.Error(fmt.Sprint("a new one in a closed store: ", err))
	}
}
