package logscan

import (
	"bytes"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex"
)

// variedEvent returns an event with fields of all kinds: most rows alike, some odd.
func variedEvent(r *rand.Rand, i int) redex.Entry {
	m := map[string]any{"n": i, "small": r.IntN(5), "word": fmt.Sprint("w", r.IntN(40)), "id": fmt.Sprintf("%x", r.Uint64()), "f": r.NormFloat64(), "ok": i%3 == 0}
	if r.IntN(3) == 0 {
		m["maybe"] = i % 100
	}
	if r.IntN(4) == 0 {
		m["null"] = nil
	}
	if r.IntN(300) == 0 {
		m["small"] = []any{"odd", 1.5, true, nil, []int{1}, map[string]int{"x": 1}, uint64(math.MaxUint64), strings.Repeat("long ", 300)}[r.IntN(8)]
	}
	if r.IntN(500) == 0 {
		m["word"] = []any{7, strings.Repeat("é", 800), nil}[r.IntN(3)]
	}
	if r.IntN(1000) == 0 {
		m[fmt.Sprint("rare", r.IntN(3))] = i
	}
	m["mixed"] = []any{i, float64(i) / 2, "text", nil}[r.IntN(4)]
	m["obj"] = map[string]any{"a": i % 7, "b": map[string]any{"c": fmt.Sprint(i % 11)}}
	e := redex.Entry{Encoding: redex.Msgpack, Kind: redex.Kind(i % 3), Key: fmt.Appendf(nil, "k%d", r.IntN(200))}
	var err error
	e.Payload, err = msgpack.Marshal(m)
	switch r.IntN(200) {
	case 0:
		e.Payload = e.Payload[:len(e.Payload)/2]
	case 1:
		e.Encoding = redex.Raw
	case 2:
		e = jsonEntry(fmt.Sprintf(`{"n":%d,"word":"A\u00e9\"","n":"twice","small":-0.0,"f":1e400}`, i))
		e.Key = []byte{0xff, byte(i)}
	case 3:
		e = jsonEntry(`[1,2]`)
	}
	if err != nil {
		panic(err)
	}
	return e
}

var variedPaths = []string{"n", "small", "word", "id", "f", "ok", "maybe", "null", "rare0", "mixed", "obj", "obj.a", "obj.b.c", "never", "word.x"}

func variedEvents(seed uint64, n int) []redex.Entry {
	r := rand.New(rand.NewPCG(seed, 1))
	entries := make([]redex.Entry, n)
	for i := range entries {
		entries[i] = variedEvent(r, i)
	}
	return entries
}

func variedLog(t testing.TB, s *redex.Store, name string, entries []redex.Entry, o redex.LogOptions) *redex.Log {
	t.Helper()
	l, err := s.Create(t.Context(), name, o)
	if err != nil {
		t.Fatal(err)
	}
	addVaried(t, l, entries)
	return l
}

func addVaried(t testing.TB, l *redex.Log, entries []redex.Entry) {
	t.Helper()
	for batch := range slices.Chunk(entries, 1000) {
		if _, err := l.AppendBatch(t.Context(), batch, redex.AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// batches scans.
func batches(t testing.TB, src *Source, r planner.Request) iter.Seq[*vector.Batch] {
	t.Helper()
	return func(yield func(*vector.Batch) bool) {
		it, err := src.Scan(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		defer it.Close()
		for {
			b, err := it.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if b == nil || !yield(b) {
				return
			}
		}
	}
}

// rowsText scans and returns each row as text.
func rowsText(t testing.TB, src *Source, r planner.Request) []string {
	t.Helper()
	var out []string
	for b := range batches(t, src, r) {
		for k := range b.Rows() {
			i := b.Row(k)
			var row strings.Builder
			for _, c := range b.Cols {
				fmt.Fprintf(&row, "%v:%x", c.Class(i), vector.AppendKey(nil, c, i))
				if c.ExplicitNull(i) {
					row.WriteString("explicit")
				}
				if c.Uniform != vector.ClassNull && c.Class(i) != c.Uniform && (c.Class(i) != vector.ClassNull || c.NoNulls || !c.Nulls.Get(i)) {
					t.Fatalf("a row of class %v in a vector that is all %v", c.Class(i), c.Uniform)
				}
				if c.Dict != nil && c.Class(i) == vector.ClassText && string(c.Dict.Value(c.Codes[i])) != string(c.Bytes(i)) {
					t.Fatalf("code %d is %q, not %q", c.Codes[i], c.Dict.Value(c.Codes[i]), c.Bytes(i))
				}
				row.WriteByte('|')
			}
			out = append(out, row.String())
		}
	}
	return out
}

// randomRequest is a scan of some columns of some part, with hints.
func randomRequest(r *rand.Rand, src *Source) planner.Request {
	req := planner.Request{BatchRows: []int{1, 7, 1024, 2048}[r.IntN(4)], Threads: 1 + r.IntN(2), Reverse: r.IntN(4) == 0}
	for range r.IntN(5) {
		if r.IntN(3) == 0 {
			req.Outputs = append(req.Outputs, planner.Output{Column: r.IntN(colPayload)})
		} else {
			req.Outputs = append(req.Outputs, planner.Output{Column: -1, Path: strings.Split(variedPaths[r.IntN(len(variedPaths))], ".")})
		}
	}
	if r.IntN(12) > 0 {
		b := src.Bounds()
		from := int64(b.Floor) + r.Int64N(b.Len()+1)
		width := []int64{1, 100, 3000, 100_000}[r.IntN(4)]
		req.Range.Seq = planner.Interval{From: from, To: from + width, Bounded: true}
	}
	if req.BatchRows == 1 && !req.Range.Seq.Bounded { // slow
		req.BatchRows = 100
	}
	return req
}

// addHints gives a request hints on some of its outputs.
func addHints(r *rand.Rand, req *planner.Request) {
	values := []query.Value{
		query.Int(int64(r.IntN(100_000))), query.Int(int64(r.IntN(6))), query.Double(r.NormFloat64()), query.Text(fmt.Sprint("w", r.IntN(45))), query.Text("text"),
		query.Bool(true), query.Nanos(1e18),
	}
	for i := range req.Outputs {
		if r.IntN(2) == 0 {
			op := []vector.CompareOp{vector.Eq, vector.Lt, vector.Le, vector.Gt, vector.Ge}[r.IntN(5)]
			req.Where = append(req.Where, planner.Hint{Output: i, Op: op, Value: values[r.IntN(len(values))]})
		}
	}
}

// filtered scans and keeps the rows that satisfy the hints, which a scan may leave out or not.
func filtered(t testing.TB, src *Source, req planner.Request) []string {
	t.Helper()
	var out []string
	for b := range batches(t, src, req) {
		for i := range b.N {
			holds := true
			for _, h := range req.Where {
				holds = holds && hintHolds(b.Cols[h.Output], i, &h)
			}
			if !holds {
				continue
			}
			var row []byte
			for _, c := range b.Cols {
				row = vector.AppendKey(row, c, i)
			}
			out = append(out, string(row))
		}
	}
	return out
}

func hintHolds(v *vector.Vector, i int, h *planner.Hint) bool {
	one, lit, res := vector.New(vector.Any, 0), vector.New(vector.Any, 0), vector.New(vector.Bool, 0)
	one.AppendFrom(v, i)
	switch h.Value.Kind() {
	case query.KindInt:
		lit.AppendInt(h.Value.Int())
	case query.KindDouble:
		lit.AppendFloat(h.Value.Double())
	case query.KindText:
		lit.AppendText([]byte(h.Value.Text()))
	case query.KindBool:
		lit.AppendBool(h.Value.Bool())
	case query.KindTime:
		lit.AppendTime(h.Value.Nanos())
	}
	var s vector.State
	s.Compare(h.Op, one, lit, res, nil, 1)
	return !res.Null(0) && res.Bool(0)
}

// TestColumnsAgainstRows scans logs by row and by column, in parts, forwards and backwards, with and without hints: the answers are equal.
func TestColumnsAgainstRows(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	s, c := onDisk(t)
	large := variedEvents(seed, redex.ChunkEvents+5000)
	logs := map[string]*redex.Log{
		"small":  variedLog(t, s, "small", large[100:400], redex.LogOptions{}),
		"hot":    variedLog(t, s, "hot", large[1000:6000], redex.LogOptions{}),
		"sealed": variedLog(t, s, "sealed", large, redex.LogOptions{}),
		"cut":    variedLog(t, s, "cut", large, redex.LogOptions{}),
		"keyed":  variedLog(t, s, "keyed", large, redex.LogOptions{Compaction: redex.Compaction{ByKey: true}}),
	}
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := logs["cut"].Trim(t.Context(), 12_345); err != nil {
		t.Fatal(err)
	}
	if _, err := logs["keyed"].Compact(t.Context()); err != nil || !logs["keyed"].Info().Compacted {
		t.Fatalf("not compacted, %v", err)
	}
	addVaried(t, logs["hot"], large[:2000]) // not sealed
	addVaried(t, logs["sealed"], large[:1500])
	addVaried(t, logs["keyed"], large[:3000])
	for round := range 40 / onePartOf {
		addVaried(t, logs["hot"], large[:r.IntN(300)]) // pages that are not full
		addVaried(t, logs["small"], large[:r.IntN(100)])
		for name, l := range logs {
			src := source(t, c, s, l)
			req := randomRequest(r, src)
			uses := []planner.ColumnUse{planner.ColumnsAlways, planner.ColumnsAuto}
			if round%2 == 0 {
				addHints(r, &req)
			}
			req.Columns = planner.ColumnsNever
			want := rowsOrFiltered(t, src, req)
			for k := range 2 * len(uses) {
				req.Columns = uses[k%len(uses)]
				got := rowsOrFiltered(t, src, req)
				if k >= len(uses) {
					if req.Reverse {
						break
					}
					got = divided(t, src, req)
				}
				if len(got) != len(want) {
					t.Fatalf("%s, %+v: %d rows, want %d", name, req, len(got), len(want))
				}
				for i := range got {
					if got[i] != want[i] {
						t.Fatalf("%s, %+v, row %d:\n%s\n%s", name, req, i, got[i], want[i])
					}
				}
			}
			if round == 20/onePartOf && name == "sealed" { // an event of a chunk that there are columns of
				if err := l.Redact(t.Context(), 777); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// divided scans the parts that a scan may be divided into. Their counts are those of the whole, beside what it leaves out.
func divided(t testing.TB, src *Source, req planner.Request) (rows []string) {
	t.Helper()
	parts, left, err := src.Divide(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if left.ChunksPruned > left.Chunks || left.RowsSkipped < 0 || left.RowsSkipped > src.Bounds().Len() {
		t.Fatalf("%+v", left)
	}
	for i, p := range parts {
		if i > 0 && p.From < parts[i-1].To {
			t.Fatalf("part %d is %v after %v", i, p, parts[i-1])
		}
		one := req
		one.Range.Seq, one.Within, one.Threads = p, req.Range, 1
		rows = append(rows, rowsOrFiltered(t, src, one)...)
	}
	return rows
}

func rowsOrFiltered(t testing.TB, src *Source, req planner.Request) []string {
	t.Helper()
	if len(req.Where) > 0 {
		return filtered(t, src, req)
	}
	return rowsText(t, src, req)
}

// TestDamagedColumns changes bytes of a column file: answers come from the rows, and the file is made again.
func TestDamagedColumns(t *testing.T) {
	dir := t.TempDir()
	s, err := redex.Open(t.Context(), dir, redex.Options{Sync: redex.SyncPolicy{Mode: redex.SyncNever}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := variedLog(t, s, "a", variedEvents(7, redex.ChunkEvents), redex.LogOptions{})
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	req := planner.Request{Outputs: outputs("n", "word", "small"), Threads: 2, Columns: planner.ColumnsNever}
	want := rowsText(t, source(t, New(s), s, l), req)
	req.Columns = planner.ColumnsAuto
	file := func() string {
		all, err := filepath.Glob(filepath.Join(dir, "columns", "*"))
		if err != nil || len(all) != 1 {
			t.Fatalf("%v %v", all, err)
		}
		return all[0]
	}
	for round := range 20 / onePartOf {
		c := New(s)
		if got := rowsText(t, source(t, c, s, l), req); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("round %d: other rows", round)
		}
		for range 2 { // makes it, if it was given up; one thread may still have opened the old one when the other gave it up, and give it up again
			if again := rowsText(t, source(t, c, s, l), req); strings.Join(again, "\n") != strings.Join(want, "\n") {
				t.Fatalf("round %d: other rows again", round)
			}
		}
		c.Close()
		b, err := os.ReadFile(file())
		if err != nil {
			t.Fatal(err)
		}
		for k := range 1 + round*3 {
			b[(k*7919+round*104729)%len(b)] ^= 1 << (round % 8)
		}
		if err := os.WriteFile(file(), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDamagedWhilePruned damages a dictionary that is looked into to leave out its chunk: the rows that the chunks before it have stay.
func TestDamagedWhilePruned(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	defer closeStore(t, s)
	var entries []redex.Entry
	for i := range redex.ChunkEvents + 3000 {
		entries = append(entries, jsonEntry(fmt.Sprintf(`{"word":"w%d"}`, i%50)))
	}
	l := variedLog(t, s, "a", entries, redex.LogOptions{})
	seal(t, s)
	c := New(s)
	if _, err := c.Shred(t.Context(), l, 0); err != nil {
		t.Fatal(err)
	}
	c.ShredTail(t.Context(), l)
	c.Close()
	files, err := filepath.Glob(filepath.Join(dir, "columns", "*"))
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	b, err := os.ReadFile(files[1])
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, []byte("w0w1"))
	if at < 0 {
		t.Fatal("the dictionary is not as it is written")
	}
	b[at]++
	if err := os.WriteFile(files[1], b, 0o600); err != nil {
		t.Fatal(err)
	}
	c = New(s)
	defer c.Close()
	req := planner.Request{Outputs: outputs("word"), Where: []planner.Hint{{Op: vector.Eq, Value: query.Text("w7")}}}
	if got, want := len(filtered(t, source(t, c, s, l), req)), (len(entries)+42)/50; got != want {
		t.Errorf("%d rows, want %d", got, want)
	}
	if c.columns.end(source(t, c, s, l), chunkKey{l.ID(), false, 1}, redex.ChunkEvents) != 0 {
		t.Error("nobody found the damage")
	}
}

// TestColumnFilesStayFew opens more chunks than are kept open.
func TestColumnFilesStayFew(t *testing.T) {
	s := openStore(t)
	l := createLog(t, s, "a", jsonEntry(`{"n":1}`))
	c := newColumns(s.Columns(), 1<<30)
	closed := 0
	var held []*chunk
	for n := range uint64(3 * maxColumnFiles) {
		k := c.keep(&chunk{key: chunkKey{l.ID(), false, n}, size: 10, file: closer(func() error { closed++; return nil })})
		if n%3 == 0 {
			held = append(held, k)
			continue
		}
		c.release(k)
	}
	if c.open > 2*maxColumnFiles || closed != 3*maxColumnFiles-c.open {
		t.Errorf("%d open, %d closed", c.open, closed)
	}
	for _, k := range held {
		c.release(k)
	}
	if c.open != maxColumnFiles || c.used != 10*maxColumnFiles {
		t.Errorf("%d open, %d bytes", c.open, c.used)
	}
	if c.close(); c.open != 0 || closed != 3*maxColumnFiles || c.used != 0 {
		t.Errorf("%d open, %d closed, %d bytes", c.open, closed, c.used)
	}
}

type closer func() error

func (f closer) Close() error { return f() }
