package sealed

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/seed69692123/netdb/internal/payload"
)

// TestWords: words have the codes that a map gives them.
func TestWords(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	w := newWords()
	for range 3 {
		var data []byte
		known := map[string]uint32{}
		for range 60_000 {
			v := fmt.Appendf(nil, "%d", r.IntN(1+r.IntN(30_000)))
			if r.IntN(3) == 0 && len(known) > 0 {
				v = bytes.Clone(w.bytes(data, w.last))
			}
			if r.IntN(1000) == 0 {
				v = nil
			}
			code, slot, hash, ok := w.find(data, v)
			want, there := known[string(v)]
			if ok != there || ok && code != want {
				t.Fatalf("%q: code %d %v, want %d %v", v, code, ok, want, there)
			}
			if !ok {
				known[string(v)] = uint32(len(known))
				ref := uint64(len(data))<<32 | uint64(len(v))
				data = append(data, v...)
				if code = w.put(ref, slot, hash, data); code != known[string(v)] {
					t.Fatalf("%q got code %d, want %d", v, code, known[string(v)])
				}
			}
		}
		w.reset()
	}
}

// TestColumnBuilderReset: a chunk made in a builder that made others is the one that a new builder makes.
func TestColumnBuilderReset(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	b, err := NewColumnBuilder(1, 1, 42, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for i, rows := range []int{3000, 5000, 100, 7000, 3000} {
		m := randomModel(r, rows)
		fresh, err := NewColumnBuilder(7, 1<<20, 42, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		if i == 3 {
			b.budget = 1 // nothing is held on to
		}
		if err := b.Reset(7, 1<<20); err != nil {
			t.Fatal(err)
		}
		if b.budget = 1 << 30; i == 3 && b.all != nil {
			t.Error("memory over the budget is held on to")
		}
		b.salt = fresh.salt
		if got, want := m.fill(t, b, S2), m.fill(t, fresh, S2); !bytes.Equal(got, want) {
			t.Errorf("chunk %d of %d rows: %d bytes, want %d", i, rows, len(got), len(want))
		}
	}
}

// TestColumnKindChanges: texts that repeat have a dictionary also when blobs came first, or were more at first.
func TestColumnKindChanges(t *testing.T) {
	all := shapes()
	for name, want := range map[string]bool{"blobFirst": true, "blobsFirst": false, "blobThenUnique": false, "word": true, "unique": false} {
		r := rand.New(rand.NewPCG(1, 1))
		const rows = 20_000
		cells := make([]cell, rows)
		for i := range cells {
			cells[i] = all[name](r, i)
		}
		m := &model{[]ColumnName{{Path: []string{name}}}, [][]cell{cells}}
		file := m.build(t, S2, 1<<30)
		c, err := OpenColumns(bytes.NewReader(file), int64(len(file)), 42)
		if err != nil {
			t.Fatal(err)
		}
		col := c.Columns()[0]
		if col.Coded() != want {
			t.Errorf("%s: coded %v, want %v; counts %v", name, col.Coded(), want, col.Stats().Counts[payload.Text])
		}
		m.compare(t, c, 0, r)
	}
}
