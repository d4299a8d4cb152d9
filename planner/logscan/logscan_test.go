package logscan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/redex"
)

func openStore(t testing.TB) *redex.Store {
	t.Helper()
	s, err := redex.OpenMemory(t.Context(), redex.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func createLog(t testing.TB, s *redex.Store, name string, entries ...redex.Entry) *redex.Log {
	t.Helper()
	l, err := s.Create(t.Context(), name, redex.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	appendAll(t, l, entries...)
	return l
}

func appendAll(t testing.TB, l *redex.Log, entries ...redex.Entry) {
	t.Helper()
	for len(entries) > 0 {
		n := min(len(entries), 100)
		if _, err := l.AppendBatch(t.Context(), entries[:n], redex.AppendOptions{}); err != nil {
			t.Fatal(err)
		}
		entries = entries[n:]
	}
}

func jsonEntry(text string) redex.Entry {
	return redex.Entry{Encoding: redex.JSON, Payload: []byte(text)}
}

func packEntry(t testing.TB, v any) redex.Entry {
	t.Helper()
	b, err := msgpack.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return redex.Entry{Encoding: redex.Msgpack, Payload: b}
}

func source(t testing.TB, c *Catalogues, s *redex.Store, l *redex.Log) *Source {
	t.Helper()
	src, err := c.Source(t.Context(), l, s.Cut())
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// outputs makes outputs of names: _x is a static column, others are paths with dots.
func outputs(names ...string) []planner.Output {
	var out []planner.Output
	columns := (*Source)(nil).Columns()
	for _, n := range names {
		i := slices.IndexFunc(columns, func(c planner.Column) bool { return c.Name == n })
		o := planner.Output{Column: i}
		if i < 0 {
			o.Path = strings.Split(n, ".")
		}
		out = append(out, o)
	}
	return out
}

// cell writes a value as class and text.
func cell(v *vector.Vector, i int) string {
	if v.Null(i) {
		if v.ExplicitNull(i) {
			return "null"
		}
		return "-"
	}
	var s vector.State
	return v.Class(i).String() + ":" + string(s.AppendText(nil, v, i))
}

// scan reads everything as rows of cells, and checks what every scan must keep to.
func scan(t testing.TB, src *Source, r planner.Request) []string {
	t.Helper()
	it, err := src.Scan(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	var rows []string
	for {
		b, err := it.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			return rows
		}
		if b.N == 0 || r.BatchRows > 0 && b.N > r.BatchRows || len(b.Cols) != len(r.Outputs) {
			t.Fatalf("batch of %d rows and %d columns", b.N, len(b.Cols))
		}
		for i := range b.N {
			var cells []string
			for _, c := range b.Cols {
				if c.Len != b.N {
					t.Fatalf("column of %d rows in a batch of %d", c.Len, b.N)
				}
				cells = append(cells, cell(c, i))
			}
			rows = append(rows, strings.Join(cells, " "))
		}
	}
}

func wantRows(t *testing.T, what string, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d rows, want %d", what, len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%s: row %d is %s, want %s", what, i, got[i], want[i])
		}
	}
}

// awkward are payloads that are hard to read, and what a, a.b and "" are in them.
func awkward(t testing.TB) ([]redex.Entry, []string) {
	long := strings.Repeat("x", 100000)
	rows := []struct {
		e    redex.Entry
		want string
	}{
		{jsonEntry(`{}`), "- - -"},
		{jsonEntry(` {"a":1} `), "integer:1 - -"},
		{jsonEntry(`{"a":{"b":2},"":"e"}`), `object:{"b":2} integer:2 text:e`},
		{jsonEntry(`{"a":1,"a":{"b":2}}`), "integer:1 - -"},
		{jsonEntry(`{"a":{"b":1.0,"b":2},"a":3}`), `object:{"b":1.0,"b":2} double:1.0 -`},
		{jsonEntry(`{"\u0061":"\u00e4\ud83d\ude00\n","":null}`), "text:ä😀\n - null"},
		{jsonEntry(`{"a":9223372036854775808}`), "integer:9223372036854775808 - -"},
		{jsonEntry(`{"a":-0}`), "integer:0 - -"},
		{jsonEntry(`{"a":1e400}`), "double:Infinity - -"},
		{jsonEntry(`{"a":[1,{"b":2}]}`), `array:[1,{"b":2}] - -`},
		{jsonEntry(`{"a":"` + long + `"}`), "text:" + long + " - -"},
		{jsonEntry(`{"a":1,"x":}`), "- - -"},
		{jsonEntry(`{"a":1} x`), "- - -"},
		{jsonEntry("{\"a\":1,\"x\":\"\xff\"}"), "- - -"},
		{jsonEntry(`[{"a":1}]`), "- - -"},
		{jsonEntry(`"a"`), "- - -"},
		{jsonEntry(``), "- - -"},
		{redex.Entry{Payload: []byte(`{"a":1}`)}, "- - -"},
		{packEntry(t, map[string]any{"a": int8(5), "": true}), "integer:5 - boolean:true"},
		{packEntry(t, map[string]any{"a": map[string]any{"b": []byte{1, 255}}}), `object:{"b":"\\x01ff"} blob:\x01ff -`},
		{packEntry(t, []any{map[string]any{"a": 1}}), "- - -"},
		{redex.Entry{Encoding: redex.Msgpack, Payload: []byte{0x81, 0xa1, 'a', 1, 1}}, "- - -"},
		{redex.Entry{Encoding: redex.Msgpack, Payload: []byte{0x82, 0xa1, 'a', 1, 0xa1, 'a', 2}}, "integer:1 - -"},
		{redex.Entry{Encoding: redex.Msgpack, Payload: []byte{0x82, 0xa1, 'a', 1, 0xa1, 'x', 0xa1, 0xff}}, "- - -"},
		{redex.Entry{Encoding: redex.Msgpack}, "- - -"},
	}
	var entries []redex.Entry
	var want []string
	for _, r := range rows {
		entries = append(entries, r.e)
		want = append(want, r.want)
	}
	return entries, want
}

func TestAwkwardPayloads(t *testing.T) {
	s := openStore(t)
	entries, want := awkward(t)
	l := createLog(t, s, "x", entries...)
	for _, state := range []string{"not looked at", "taken in"} {
		for _, rows := range []int{1, 3, 0} {
			c := New(s)
			src := source(t, c, s, l)
			if state == "taken in" {
				if _, err := src.Fields(t.Context(), true); err != nil {
					t.Fatal(err)
				}
			}
			got := scan(t, src, planner.Request{Outputs: outputs("a", "a.b", ""), BatchRows: rows})
			wantRows(t, fmt.Sprintf("%s, batches of %d", state, rows), got, want)
			faults, err := c.Faults(t.Context(), l, true)
			if err != nil || faults.Malformed != 7 || faults.NoObject != 3 || int(faults.Upto) != len(entries) {
				t.Errorf("faults %+v %v", faults, err)
			}
		}
	}
}

func TestStaticColumns(t *testing.T) {
	s := openStore(t)
	l := createLog(
		t, s, "x",
		redex.Entry{Encoding: redex.JSON, Payload: []byte(` {"a": 1}`), Kind: 7, Origin: 0xabc, Key: []byte("k")},
		redex.Entry{Payload: []byte{1, 2}, Key: []byte{0xff}},
		redex.Entry{Encoding: redex.JSON, Payload: []byte(`{"a"`)},
		redex.Entry{Encoding: redex.JSON, Payload: []byte(`[1]`)},
		redex.Entry{Encoding: redex.Msgpack, Payload: []byte{0x81, 0xa1, 'a', 0xc0}},
	)
	src := source(t, New(s), s, l)
	got := scan(t, src, planner.Request{Outputs: outputs("_seq", "_size", "_origin", "_kind", "_encoding", "_key", "_payload", "_bytes")})
	wantRows(t, "columns", got, []string{
		`integer:0 integer:9 text:0000000000000abc integer:7 text:json text:k object:{"a": 1} blob:\x207b2261223a20317d`,
		`integer:1 integer:2 text:0000000000000000 integer:0 text:raw blob:\xff - blob:\x0102`,
		`integer:2 integer:4 text:0000000000000000 integer:0 text:json - - blob:\x7b226122`,
		`integer:3 integer:3 text:0000000000000000 integer:0 text:json - array:[1] blob:\x5b315d`,
		`integer:4 integer:4 text:0000000000000000 integer:0 text:msgpack - object:{"a":null} blob:\x81a161c0`,
	})
	ev, err := l.Read(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	r := planner.Request{Outputs: outputs("_seq"), Range: planner.Range{Time: planner.Interval{From: ev.Time, To: ev.Time + 1, Bounded: true}}}
	if got := scan(t, src, r); len(got) != 5 { // one batch: all rows have one time
		t.Errorf("rows of one time: %v", got)
	}
}

// oracle reads a path with encoding/json.
func oracle(t testing.TB, p []byte, path []string) string {
	t.Helper()
	if !json.Valid(p) || !utf8.Valid(p) {
		return "-"
	}
	d := json.NewDecoder(bytes.NewReader(p))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	for _, name := range path {
		m, _ := v.(map[string]any)
		var ok bool
		if v, ok = m[name]; !ok {
			return "-"
		}
	}
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return fmt.Sprint("boolean:", v)
	case string:
		return "text:" + v
	case json.Number:
		if _, err := v.Int64(); err == nil {
			return "integer:" + string(v)
		}
		return "double:" + string(v)
	case map[string]any:
		return "object"
	}
	return "array"
}

// generate makes events of some shapes, a few of them malformed.
func generate(rng *rand.Rand, n int) []redex.Entry {
	var value func(depth int) any
	value = func(depth int) any {
		switch rng.IntN(8) {
		case 0:
			return nil
		case 1:
			return rng.IntN(2) == 0
		case 2:
			return float64(rng.IntN(100)) + 0.5
		case 3:
			return fmt.Sprint("text", rng.IntN(9), "\n\"ä")
		case 4:
			return []any{1, "x"}
		case 5:
			if depth < 4 {
				m := map[string]any{}
				for range rng.IntN(4) {
					m[string(rune('a'+rng.IntN(5)))] = value(depth + 1)
				}
				return m
			}
		}
		return rng.IntN(1000) - 500
	}
	var out []redex.Entry
	for range n {
		m := map[string]any{}
		for range rng.IntN(6) {
			m[string(rune('a'+rng.IntN(8)))] = value(1)
		}
		p, err := json.Marshal(m)
		if err != nil {
			panic(err)
		}
		if rng.IntN(20) == 0 && len(p) > 2 {
			p = p[:len(p)-1-rng.IntN(2)]
		}
		out = append(out, redex.Entry{Encoding: redex.JSON, Payload: p})
	}
	return out
}

// TestAgainstOracle compares scans of every kind with encoding/json, row by row.
func TestAgainstOracle(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	s := openStore(t)
	entries := generate(rng, 3000)
	l := createLog(t, s, "x", entries...)
	names := []string{"a", "b", "a.b", "c.a.b", "h", "z"}
	want := make([]string, len(entries))
	for i, e := range entries {
		row := []string{fmt.Sprint("integer:", i)}
		for _, n := range names {
			row = append(row, oracle(t, e.Payload, strings.Split(n, ".")))
		}
		want[i] = strings.Join(row, " ")
	}
	reversed := slices.Clone(want)
	slices.Reverse(reversed)
	short := func(rows []string) []string { // arrays and objects are compared elsewhere
		for i, r := range rows {
			cells := strings.Split(r, " ")
			for k, c := range cells {
				for _, p := range []string{"object", "array"} {
					if strings.HasPrefix(c, p) {
						cells[k] = p
					}
				}
			}
			rows[i] = strings.Join(cells, " ")
		}
		return rows
	}
	out := outputs(append([]string{"_seq"}, names...)...)
	c := New(s)
	for _, batch := range []int{1, 7, 0} {
		for _, threads := range []int{1, 2, 5} {
			src := source(t, c, s, l)
			what := fmt.Sprintf("batches of %d, %d threads", batch, threads)
			wantRows(t, what, short(scan(t, src, planner.Request{Outputs: out, BatchRows: batch, Threads: threads})), want)
			wantRows(t, what+", reverse", short(scan(t, src, planner.Request{Outputs: out, BatchRows: batch, Threads: threads, Reverse: true})), reversed)
			from, to := rng.IntN(3000), rng.IntN(3200)
			r := planner.Range{Seq: planner.Interval{From: int64(from), To: int64(to), Bounded: true}}
			wantRows(t, what+", a range", short(scan(t, src, planner.Request{Outputs: out, BatchRows: batch, Threads: threads, Range: r})), want[min(from, to, 3000):min(to, 3000)])
			if e, err := src.Estimate(t.Context(), r); err != nil || !e.Exact || e.Rows != int64(max(0, min(to, 3000)-from)) {
				t.Errorf("estimate of %d to %d: %+v %v", from, to, e, err)
			}
		}
	}
	src := source(t, c, s, l)
	wantRows(t, "latest 10", short(scan(t, src, planner.Request{Outputs: out, Reverse: true, Limit: 10})), reversed[:10])
	wantRows(t, "first 10", short(scan(t, src, planner.Request{Outputs: out, Limit: 10, Threads: 2})), want[:10])
	if got := c.loaded[l.ID()].position(); got != 3000 {
		t.Errorf("scans took in %d rows, want 3000", got)
	}
}

func TestCutIsKept(t *testing.T) {
	s := openStore(t)
	l := createLog(t, s, "x", jsonEntry(`{"a":1}`), jsonEntry(`{"a":2}`))
	c := New(s)
	src := source(t, c, s, l)
	appendAll(t, l, jsonEntry(`{"a":3,"late":1}`))
	r := planner.Request{Outputs: outputs("a")}
	wantRows(t, "at the cut", scan(t, src, r), []string{"integer:1", "integer:2"})
	wantRows(t, "in reverse", scan(t, src, planner.Request{Outputs: outputs("a"), Reverse: true}), []string{"integer:2", "integer:1"})
	wantRows(t, "later", scan(t, source(t, c, s, l), r), []string{"integer:1", "integer:2", "integer:3"})
	r.Outputs = nil
	it, err := source(t, c, s, l).Scan(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	if b, err := it.Next(t.Context()); err != nil || b.N != 3 || len(b.Cols) != 0 {
		t.Errorf("count only: %+v %v", b, err)
	}
}

func TestManyMalformed(t *testing.T) {
	s := openStore(t)
	const n = 70000
	bad := func(i int) bool { return i%3 == 0 || i > 66000 }
	var entries []redex.Entry
	for i := range n {
		if bad(i) {
			entries = append(entries, jsonEntry(`{"a":`))
		} else {
			entries = append(entries, jsonEntry(`{"a":1}`))
		}
	}
	l := createLog(t, s, "x", entries...)
	c := New(s)
	if _, err := source(t, c, s, l).Fields(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if err := c.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := scan(t, source(t, New(s), s, l), planner.Request{Outputs: outputs("a"), Threads: 2})
	for i, r := range got {
		if (r == "-") != bad(i) {
			t.Fatalf("row %d is %s", i, r)
		}
	}
}

// noWorkers fails when a goroutine of a scan is left.
func noWorkers(t *testing.T) {
	t.Helper()
	buf := make([]byte, 1<<20)
	if stacks := string(buf[:runtime.Stack(buf, true)]); strings.Contains(stacks, "logscan.(*worker)") {
		t.Errorf("a goroutine is left:\n%s", stacks)
	}
}

func TestCancel(t *testing.T) {
	s := openStore(t)
	l := createLog(t, s, "x", generate(rand.New(rand.NewPCG(1, 1)), 5000)...)
	for _, threads := range []int{1, 3} {
		for _, reverse := range []bool{false, true} {
			ctx, cancel := context.WithCancel(t.Context())
			it, err := source(t, New(s), s, l).Scan(ctx, planner.Request{Outputs: outputs("a"), BatchRows: 10, Threads: threads, Reverse: reverse})
			if err != nil {
				t.Fatal(err)
			}
			if b, err := it.Next(ctx); err != nil || b.N != 10 {
				t.Fatalf("%v", err)
			}
			cancel()
			for range 2 {
				if _, err := it.Next(ctx); !errors.Is(err, context.Canceled) {
					t.Errorf("threads %d: Next after cancel: %v", threads, err)
				}
			}
			for range 2 {
				if err := it.Close(); err != nil {
					t.Error(err)
				}
			}
			noWorkers(t)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := source(t, New(s), s, l).Fields(ctx, true); !errors.Is(err, context.Canceled) {
		t.Errorf("walk with a cancelled context: %v", err)
	}
}

func TestCloseEarly(t *testing.T) {
	s := openStore(t)
	l := createLog(t, s, "x", generate(rand.New(rand.NewPCG(1, 1)), 5000)...)
	for n := range 30 {
		it, err := source(t, New(s), s, l).Scan(t.Context(), planner.Request{Outputs: outputs("a"), BatchRows: 3, Threads: 4})
		if err != nil {
			t.Fatal(err)
		}
		for range n {
			if _, err := it.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
		noWorkers(t)
		if _, err := it.Next(t.Context()); err == nil {
			t.Error("Next after Close gives rows")
		}
	}
}

func TestLargePayloadsEndBatches(t *testing.T) {
	s := openStore(t)
	var entries []redex.Entry
	var want []string
	for i := range 12 {
		entries = append(entries, jsonEntry(fmt.Sprintf(`{"a":%d,"t":%q}`, i, strings.Repeat("x", 1<<20))))
		want = append(want, fmt.Sprint("integer:", i))
	}
	l := createLog(t, s, "x")
	for _, e := range entries {
		appendAll(t, l, e)
	}
	src := source(t, New(s), s, l)
	it, err := src.Scan(t.Context(), planner.Request{Outputs: outputs("t")})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	if b, err := it.Next(t.Context()); err != nil || b.N >= 12 {
		t.Errorf("a batch of 12 MiB: %v", err)
	}
	for _, threads := range []int{1, 2} {
		wantRows(t, "forward", scan(t, src, planner.Request{Outputs: outputs("a"), Threads: threads, BatchRows: 6}), want)
	}
	slices.Reverse(want)
	wantRows(t, "reverse", scan(t, src, planner.Request{Outputs: outputs("a"), Reverse: true}), want)
}
