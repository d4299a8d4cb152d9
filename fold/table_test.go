package fold_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

// item is a row with a value for every kind of index.
type item struct {
	Rank float64
	Kind string
	Tags []int
}

type itemIndexes struct {
	rank *fold.OrderedIndex[int, item, float64]
	kind *fold.BitmapIndex[int, item, string]
	tags *fold.BitmapIndex[int, item, int]
}

func newIndexes() itemIndexes {
	return itemIndexes{
		fold.Ordered("rank", func(_ int, v *item) float64 { return v.Rank }),
		fold.FewValued("kind", func(_ int, v *item) string { return v.Kind }),
		fold.Tags("tags", func(_ int, v *item) []int { return v.Tags }),
	}
}

func (x itemIndexes) table() fold.Table[int, item] {
	return fold.NewTable(fold.TableOptions[int, item]{Name: "items", Indexes: []fold.Index[int, item]{x.rank, x.kind, x.tags}})
}

type itemTable = fold.Table[int, item]

type kv struct {
	K int
	V item
}

func collect(seq func(yield func(int, item) bool)) []kv {
	out := []kv{}
	seq(func(k int, v item) bool {
		out = append(out, kv{k, v})
		return true
	})
	return out
}

// oracle is a table as a map.
type oracle map[int]item

// list returns the rows that where selects, ordered by rank when byRank, ties by key.
func (o oracle) list(where func(item) bool, byRank, desc bool) []kv {
	out := []kv{}
	for k, v := range o {
		if where(v) {
			out = append(out, kv{k, v})
		}
	}
	slices.SortFunc(out, func(a, b kv) int {
		d := 0
		if byRank {
			d = cmp.Compare(a.V.Rank, b.V.Rank)
		}
		if desc {
			d = -d
		}
		if d == 0 && desc && !byRank {
			return cmp.Compare(b.K, a.K)
		}
		return cmp.Or(d, cmp.Compare(a.K, b.K))
	})
	return out
}

func (x itemIndexes) check(t *testing.T, tab *itemTable, o oracle, r *rand.Rand) {
	t.Helper()
	all := func(item) bool { return true }
	equal := func(what string, want, got []kv) {
		t.Helper()
		if d := gocmp.Diff(want, got); d != "" {
			t.Fatal(what, d)
		}
	}
	if tab.Len() != len(o) {
		t.Fatal("len", tab.Len(), len(o))
	}
	equal("all", o.list(all, false, false), collect(tab.All()))
	equal("backward", o.list(all, false, true), collect(tab.Backward()))
	equal("rank", o.list(all, true, false), collect(x.rank.Between(tab, nil, nil, false)))
	equal("rank down", o.list(all, true, true), collect(x.rank.Between(tab, nil, nil, true)))
	lo, hi := float64(r.IntN(8)), float64(r.IntN(8))
	for _, desc := range []bool{false, true} {
		equal("span", o.list(func(v item) bool { return v.Rank >= lo && v.Rank <= hi }, true, desc), collect(x.rank.Between(tab, &lo, &hi, desc)))
	}
	counts := map[string]int{}
	tagged := map[int]int{}
	for k, v := range o {
		if got, ok := tab.Get(k); !ok || !gocmp.Equal(got, v) {
			t.Fatal(k, got, v)
		}
		counts[v.Kind]++
		for _, tag := range slices.Compact(slices.Sorted(slices.Values(v.Tags))) {
			tagged[tag]++
		}
	}
	if d := gocmp.Diff(counts, maps.Collect(x.kind.Values(tab))); d != "" {
		t.Fatal("kinds", d)
	}
	if d := gocmp.Diff(tagged, maps.Collect(x.tags.Values(tab))); d != "" {
		t.Fatal("tags", d)
	}
	for tag, n := range tagged {
		if got := x.tags.Rows(tab, tag).Len(); got != n {
			t.Fatal("tag", tag, got, n)
		}
	}
	a, b, kind := r.IntN(5), r.IntN(5), string(rune('a'+r.IntN(3)))
	rows := x.tags.Rows(tab, a, b).And(x.kind.Rows(tab, kind))
	fits := func(v item) bool { return v.Kind == kind && (slices.Contains(v.Tags, a) || slices.Contains(v.Tags, b)) }
	want := o.list(fits, true, true)
	q := fold.Query[int, item]{Rows: &rows, Order: x.rank, Desc: true, Limit: fold.NoLimit}
	equal("rows", want, collect(q.In(tab)))
	if q.Count(tab) != len(want) || q.Exists(tab) != (len(want) > 0) {
		t.Fatal("count", q.Count(tab), len(want))
	}
	q.Limit = 1 + r.IntN(3)
	equal("limit", want[:min(q.Limit, len(want))], collect(q.In(tab)))
	q.Within = x.rank.Span(&lo, nil)
	q.Limit = fold.NoLimit
	equal("within", o.list(func(v item) bool { return fits(v) && v.Rank >= lo }, true, true), collect(q.In(tab)))
	q = fold.Query[int, item]{Order: x.rank.Span(nil, &hi), Limit: fold.NoLimit}
	below := o.list(func(v item) bool { return v.Rank <= hi }, true, false)
	equal("span as order", below, collect(q.In(tab)))
	if q.Count(tab) != len(below) {
		t.Fatal("count of a span", q.Count(tab), len(below))
	}
	q = fold.Query[int, item]{Within: x.rank.Span(&lo, &hi), Desc: true, Limit: fold.NoLimit}
	equal("within, by key", o.list(func(v item) bool { return v.Rank >= lo && v.Rank <= hi }, false, true), collect(q.In(tab)))
}

// TestTableAgainstMap: random events that set, delete, fail and panic half way; every index, and every snapshot taken on the
// way, stays what a map of the same changes is.
func TestTableAgainstMap(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	defer func() {
		if t.Failed() {
			t.Log("seed", seed)
		}
	}()
	s := store(t)
	l := openLog(t, s, "in")
	x := newIndexes()
	truth := oracle{}
	type kept struct {
		tab   *itemTable
		truth oracle
	}
	var snaps []kept
	d := fold.Definition[itemTable]{
		Name: "items", Logs: []string{"in"}, New: func() *itemTable { t := x.table(); return &t }, Options: fold.Options{Policy: fold.Skip},
		Fold: fold.Func[itemTable](func(tab *itemTable, ev redex.Event) error {
			r := rand.New(rand.NewPCG(uint64(ev.Seq), seed))
			trial := maps.Clone(truth)
			fate := r.IntN(6)
			for range 1 + r.IntN(12) {
				k := r.IntN(60)
				_, have := trial[k]
				if r.IntN(3) == 0 {
					if tab.Delete(k) != have {
						t.Errorf("delete of %d, have %v", k, have)
					}
					delete(trial, k)
					continue
				}
				v := item{Rank: float64(r.IntN(8)), Kind: string(rune('a' + r.IntN(3)))}
				for range r.IntN(4) {
					v.Tags = append(v.Tags, r.IntN(5))
				}
				tab.Set(k, v)
				trial[k] = v
				// Reading a table while it is changed: the loop sees what was there at its start.
				if r.IntN(20) == 0 {
					n := len(trial)
					for k := range tab.All() {
						n--
						if r.IntN(4) == 0 {
							tab.Delete(k)
							delete(trial, k)
						}
					}
					if n != 0 {
						t.Error("a loop missed rows")
					}
				}
			}
			switch fate {
			case 0:
				return errors.New("failed half way")
			case 1:
				panic("panicked half way")
			}
			clear(truth)
			maps.Copy(truth, trial)
			return nil
		}),
	}
	h := open(t, s, d)
	for i := range 400 {
		add(t, l, redex.Entry{})
		if err := h.CatchUp(short(t)); err != nil {
			t.Fatal(err)
		}
		snap := h.Snapshot().State
		if i%4 == 0 {
			x.check(t, snap, truth, r)
		}
		if i%40 == 0 {
			snaps = append(snaps, kept{snap, maps.Clone(truth)})
		}
	}
	for _, k := range snaps {
		x.check(t, k.tab, k.truth, r)
	}
	if h.Stats().Skipped == 0 {
		t.Fatal("nothing failed")
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	before := maps.Clone(truth)
	h = open(t, s, d)
	if st := h.Stats(); !st.Resumed || st.Events != 0 {
		t.Fatalf("%+v", st)
	}
	x.check(t, h.Snapshot().State, before, r)
}

// TestManyRows: row numbers beyond what one bitmap holds.
func TestManyRows(t *testing.T) {
	x := newIndexes()
	tab := x.table()
	const n = 200_000
	for i := range n {
		tab.Set(i, item{Rank: float64(-i), Kind: string(rune('a' + i%2)), Tags: []int{i % 1000, -1}})
	}
	if got := x.kind.Rows(&tab, "a").Len(); got != n/2 {
		t.Fatal(got)
	}
	rows := x.tags.Rows(&tab, 7, 8).And(x.tags.Rows(&tab, -1))
	q := fold.Query[int, item]{Rows: &rows, Order: x.rank, Limit: 3}
	if got := collect(q.In(&tab)); len(got) != 3 || got[0].K != n-1000+8 || got[1].K != n-1000+7 || rows.Len() != 2*n/1000 {
		t.Fatal(got, rows.Len())
	}
	for i := range n {
		if i%1000 != 7 {
			tab.Delete(i)
		}
	}
	if tab.Len() != n/1000 || x.tags.Rows(&tab, -1).Len() != n/1000 || x.kind.Rows(&tab, "a").Len() != 0 {
		t.Fatal(tab.Len())
	}
}

// TestStandalone: a table works outside a fold, so that a fold can be tested as a plain function.
func TestStandalone(t *testing.T) {
	var c counts
	if _, ok := c.Words.Get("x"); ok || c.Words.Len() != 0 || c.Words.Has("x") {
		t.Fatal("a zero table has rows")
	}
	for range c.Words.All() {
		t.Fatal("a zero table has rows")
	}
	if err := countWords(&c, redex.Event{Encoding: redex.JSON, Payload: word("x").Payload}); err != nil {
		t.Fatal(err)
	}
	if n, _ := c.Words.Get("x"); n != 1 {
		t.Fatal(n)
	}
}

func TestSnapshotIsReadOnly(t *testing.T) {
	h := open(t, store(t), wordsDef(fold.Options{}))
	for i, write := range []func(*fold.Table[string, int]){
		func(w *fold.Table[string, int]) { w.Set("x", 1) },
		func(w *fold.Table[string, int]) { w.Delete("x") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error(i, "a snapshot was written to")
				}
			}()
			write(&h.Snapshot().State.Words)
		}()
	}
}

// TestIndexPanics: an index function that panics leaves table and indexes as they were, even for a row of its own event.
func TestIndexPanics(t *testing.T) {
	s := store(t)
	l := openLog(t, s, "in")
	rank := fold.Ordered("rank", func(_ int, v *int) int {
		if *v == 13 {
			panic("unlucky")
		}
		return *v
	})
	type one = fold.Table[int, int]
	h := open(t, s, fold.Definition[one]{
		Name: "one", Logs: []string{"in"}, Options: fold.Options{Policy: fold.Skip},
		New: func() *one {
			t := fold.NewTable(fold.TableOptions[int, int]{Indexes: []fold.Index[int, int]{rank}})
			return &t
		},
		Fold: fold.Func[one](func(t *one, ev redex.Event) error {
			t.Set(int(ev.Seq), int(ev.Seq))
			t.Set(0, 10+int(ev.Seq))
			return nil
		}),
	})
	for range 5 {
		add(t, l, redex.Entry{})
	}
	if err := h.CatchUp(short(t)); err != nil {
		t.Fatal(err)
	}
	st := h.Snapshot().State
	var got []string
	for k, v := range rank.Between(st, nil, nil, false) {
		got = append(got, fmt.Sprint(k, ":", v))
	}
	if d := gocmp.Diff([]string{"1:1", "2:2", "4:4", "0:14"}, got); d != "" || h.Stats().Skipped != 1 {
		t.Fatal(d, h.Stats().Skipped)
	}
}

// TestAutoColumns: what SQL sees of a table that declares no columns.
func TestAutoColumns(t *testing.T) {
	type row struct {
		Name     string
		N        int32
		Big      uint64
		F        float32
		OK       bool
		At       time.Time
		Raw      []byte
		List     []int
		Opt      *int
		Renamed  string `msgpack:"other,omitempty"`
		Left     string `msgpack:"-"`
		HTTPPort int
	}
	type state struct{ OpenOrders fold.Table[string, row] }
	s := store(t)
	l := openLog(t, s, "in")
	h := open(t, s, fold.Definition[state]{Name: "auto", Logs: []string{"in"}, Fold: fold.Func[state](func(s *state, ev redex.Event) error {
		s.OpenOrders.Set("k1", row{"n", -1, 1 << 63, 0.5, true, time.Unix(0, 42), []byte{0xff}, []int{1, 2}, nil, "o", "l", 80})
		s.OpenOrders.Set("k2", row{Big: 7, Opt: new(3)})
		return nil
	})})
	add(t, l, redex.Entry{})
	if err := h.CatchUp(short(t)); err != nil {
		t.Fatal(err)
	}
	f, err := h.Frozen()
	if err != nil {
		t.Fatal(err)
	}
	tab := f.Tables()[0]
	if tab.Name() != "open_orders" || tab.Len() != 2 {
		t.Fatal(tab.Name(), tab.Len())
	}
	var got []string
	rows := tab.Rows()
	rows.Next()
	for i, c := range tab.Columns() {
		got = append(got, fmt.Sprintf("%s %v %+v", c.Name, c.Type, rows.Cell(i)))
	}
	rows.Next()
	got = append(got, fmt.Sprint(rows.Cell(3).Int, rows.Cell(6).Null, rows.Cell(9).Int, rows.Cell(9).Null, rows.Next()))
	want := []string{
		"key TEXT {Null:false Int:0 Float:0 Text:k1}",
		"name TEXT {Null:false Int:0 Float:0 Text:n}",
		"n BIGINT {Null:false Int:-1 Float:0 Text:}",
		"big BIGINT {Null:true Int:0 Float:0 Text:}",
		"f DOUBLE {Null:false Int:0 Float:0.5 Text:}",
		"ok BOOLEAN {Null:false Int:1 Float:0 Text:}",
		"at TIMESTAMPTZ {Null:false Int:42 Float:0 Text:}",
		"raw BLOB {Null:false Int:0 Float:0 Text:\xff}",
		"list JSON {Null:false Int:0 Float:0 Text:[1,2]}",
		"opt BIGINT {Null:true Int:0 Float:0 Text:}",
		"other TEXT {Null:false Int:0 Float:0 Text:o}",
		"http_port BIGINT {Null:false Int:80 Float:0 Text:}",
		"7 true 3 false false",
	}
	if d := gocmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
}

// TestCursor: every row once, for sizes around the cursor's batch.
func TestCursor(t *testing.T) {
	s := store(t)
	l := openLog(t, s, "in")
	h := open(t, s, orderDef("order", "in"))
	n := 0
	for _, size := range []int{0, 1, 255, 256, 257, 512, 513} {
		for ; n < size; n++ {
			add(t, l, redex.Entry{})
		}
		if err := h.CatchUp(short(t)); err != nil {
			t.Fatal(err)
		}
		f, err := h.Frozen()
		if err != nil {
			t.Fatal(err)
		}
		rows, at := f.Tables()[0].Rows(), int64(0)
		for ; rows.Next(); at++ {
			if rows.Cell(0).Int != at {
				t.Fatal(size, at, rows.Cell(0))
			}
		}
		if int(at) != size || rows.Next() {
			t.Fatal(size, at)
		}
	}
}

// textCodec is a codec of its own.
type textCodec struct{}

func (textCodec) Append(b []byte, v *int) ([]byte, error) { return fmt.Appendf(b, "%d", *v), nil }
func (textCodec) Layout() string                          { return "decimal" }

func (textCodec) Decode(b []byte, v *int) error {
	_, err := fmt.Sscanf(string(b), "%d", v)
	return err
}

func TestCodec(t *testing.T) {
	s := store(t)
	l := openLog(t, s, "in")
	d := wordsDef(fold.Options{})
	d.New = func() *counts {
		return &counts{fold.NewTable(fold.TableOptions[string, int]{Codec: textCodec{}})}
	}
	for round := range 3 {
		h := open(t, s, d)
		if n, _ := h.Snapshot().State.Words.Get("a"); n != round || h.Stats().Resumed != (round > 0) {
			t.Fatal(round, n)
		}
		add(t, l, word("a"))
		if err := h.CatchUp(short(t)); err != nil {
			t.Fatal(err)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
