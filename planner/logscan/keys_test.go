package logscan

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/redex"
)

// keyOf is the key of a row as text, equal for equal keys; empty when a column is NULL.
func keyOf(b *vector.Batch, outs []int, i int) string {
	var key []byte
	for _, o := range outs {
		if b.Cols[o].Null(i) {
			return ""
		}
		key = vector.AppendKey(key, b.Cols[o], i)
	}
	return string(key)
}

// rowsWith scans and returns the rows whose key is one of some, and how many there were.
func rowsWith(t testing.TB, src *Source, req planner.Request, outs []int, keys map[string]bool) (rows []string, all int) {
	t.Helper()
	for b := range batches(t, src, req) {
		all += b.Rows()
		for k := range b.Rows() {
			i := b.Row(k)
			if !keys[keyOf(b, outs, i)] {
				continue
			}
			var row []byte
			for _, c := range b.Cols {
				row = vector.AppendKey(row, c, i)
			}
			rows = append(rows, string(row))
		}
	}
	return rows, all
}

// pickKeys takes keys of rows that a scan gives, and makes the set of them.
func pickKeys(t testing.TB, r *rand.Rand, src *Source, req planner.Request, outs []int) (*vector.KeySet, map[string]bool) {
	t.Helper()
	keys := map[string]bool{}
	cols, at := make([]*vector.Vector, len(outs)), make([]int, len(outs))
	for k := range cols {
		cols[k], at[k] = vector.New(vector.Any, 0), k
	}
	share := []int{3, 50, 1000}[r.IntN(3)]
	for b := range batches(t, src, req) {
		for k := range b.Rows() {
			i := b.Row(k)
			if key := keyOf(b, outs, i); key != "" && r.IntN(share) == 0 && !keys[key] {
				keys[key] = true
				for c, o := range outs {
					cols[c].AppendFrom(b.Cols[o], i)
				}
			}
		}
	}
	n := cols[0].Len
	set, hashes := vector.NewKeySet(len(outs), n), make([]uint64, n)
	new(vector.State).Hash(cols, nil, n, hashes)
	for i, h := range hashes {
		set.Add(h, cols, at, i)
	}
	return set, keys
}

// TestKeys: a scan that knows the keys of a join gives all rows with one of them, in order, whatever it leaves out.
func TestKeys(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	s, c := onDisk(t)
	events := variedEvents(seed, 20_000)
	logs := []*redex.Log{
		variedLog(t, s, "sealed", events, redex.LogOptions{}),
		variedLog(t, s, "keyed", events, redex.LogOptions{Compaction: redex.Compaction{ByKey: true}}),
	}
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := logs[1].Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	addVaried(t, logs[0], events[:3000]) // not sealed
	dropped := 0
	for range 200 / onePartOf {
		l := logs[r.IntN(len(logs))]
		src := source(t, c, s, l)
		req := randomRequest(r, src)
		if len(req.Outputs) == 0 {
			continue
		}
		req.BatchRows, req.Columns = max(req.BatchRows, 7), planner.ColumnsNever
		outs := r.Perm(len(req.Outputs))[:1+r.IntN(min(2, len(req.Outputs)))]
		set, keys := pickKeys(t, r, src, req, outs)
		want, all := rowsWith(t, src, req, outs, keys)
		f := &vector.KeyFilter{}
		f.Publish(set)
		req.Columns, req.Keys = planner.ColumnsAlways, []planner.KeyHint{{Outputs: outs, Filter: f}}
		got, n := rowsWith(t, src, req, outs, keys)
		dropped += all - n
		if len(got) != len(want) {
			t.Fatalf("%s, %+v: %d rows, want %d", l.Name(), req, len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("%s, %+v: row %d is %q, want %q", l.Name(), req, i, got[i], want[i])
			}
		}
	}
	if dropped == 0 {
		t.Fatal("no row was left out")
	}
}

// TestKeysPrune: chunks of which statistics or dictionaries say that they have none of the keys are not read, and blocks neither.
func TestKeysPrune(t *testing.T) {
	s, c := onDisk(t)
	var events []redex.Entry
	const n = 2*redex.ChunkEvents + 10
	for i := range n {
		name := []string{"a", "b"}[i/redex.ChunkEvents&1]
		events = append(events, redex.Entry{Payload: []byte(`{"id": ` + strconv.Itoa(i) + `, "name": "` + name + strconv.Itoa(i%7) + `"}`), Encoding: redex.JSON})
	}
	l := variedLog(t, s, "l", events, redex.LogOptions{})
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	src := source(t, c, s, l)
	for _, test := range []struct {
		path   string
		add    func(v *vector.Vector)
		rows   int
		chunks int64
		read   int64 // at most
	}{
		{"id", func(v *vector.Vector) { v.AppendInt(redex.ChunkEvents + 5) }, 1, 2, 2048},
		{"id", func(v *vector.Vector) { v.AppendInt(3); v.AppendInt(n - 1) }, 2, 1, 2 * 2048},
		{"name", func(v *vector.Vector) { v.AppendText([]byte("a99")) }, 0, 3, 0},
		{"name", func(v *vector.Vector) { v.AppendText([]byte("b3")) }, redex.ChunkEvents / 7, 2, redex.ChunkEvents},
		{"none", func(v *vector.Vector) { v.AppendInt(1) }, 0, 3, 0},
	} {
		v := vector.New(vector.Any, 0)
		test.add(v)
		set, hashes := vector.NewKeySet(1, v.Len), make([]uint64, v.Len)
		new(vector.State).Hash([]*vector.Vector{v}, nil, v.Len, hashes)
		for i, h := range hashes {
			set.Add(h, []*vector.Vector{v}, []int{0}, i)
		}
		f := &vector.KeyFilter{}
		f.Publish(set)
		for threads := 1; threads <= 2; threads++ {
			it, err := src.Scan(t.Context(), planner.Request{
				Outputs: []planner.Output{{Column: colSeq}, {Column: -1, Path: []string{test.path}}}, Threads: threads, Columns: planner.ColumnsAlways,
				Keys: []planner.KeyHint{{Outputs: []int{1}, Filter: f}},
			})
			if err != nil {
				t.Fatal(err)
			}
			rows := 0
			for {
				b, err := it.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if b == nil {
					break
				}
				rows += b.Rows()
			}
			if err := it.Close(); err != nil {
				t.Fatal(err)
			}
			st := it.(planner.StatsIterator).ScanStats()
			if rows < test.rows || rows > test.rows+2 || threads == 1 && st.ChunksKeyed != test.chunks || threads == 1 && st.RowsRead-st.RowsKeyed != int64(rows) {
				t.Errorf("%s, %d threads: %d rows, want %d; %+v", test.path, threads, rows, test.rows, st)
			}
			if st.RowsRead > test.read {
				t.Errorf("%s, %d threads: %d rows read, want %d", test.path, threads, st.RowsRead, test.read)
			}
		}
	}
}
