package memories_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/memories"
	"github.com/seed69692123/netdb/redex"
)

func memory(t testing.TB) *redex.Store {
	t.Helper()
	s, err := redex.OpenMemory(t.Context(), redex.Options{Sync: redex.SyncPolicy{Mode: redex.SyncNever}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func open(t testing.TB, s *redex.Store, o memories.Options) *memories.Memories {
	t.Helper()
	m, err := memories.Open(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func do(t testing.TB, m *memories.Memories) func(fold.WriteToken, error) {
	return func(tok fold.WriteToken, err error) {
		t.Helper()
		if err != nil || tok.IsZero() {
			t.Fatal(tok, err)
		}
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		if err := m.Wait(ctx, tok); err != nil {
			t.Fatal(err)
		}
	}
}

func diff(a, b []memories.Memory) string { return gocmp.Diff(a, b, cmpopts.EquateEmpty()) }

func want(t *testing.T, m *memories.Memories, list ...memories.Memory) {
	t.Helper()
	if d := diff(list, m.All()); d != "" {
		t.Fatal(d)
	}
}

func TestOperations(t *testing.T) {
	ctx := t.Context()
	m := open(t, memory(t), memories.Options{})
	ok := do(t, m)
	tags := []string{"b", "a", "b"}
	ok(m.Store(ctx, 1, "one", tags, "me", 10))
	tags[0] = "changed after return"
	want(t, m, memories.Memory{ID: 1, Content: "one", Tags: []string{"b", "a", "b"}, Source: "me", Created: 10, Updated: 10})
	ok(m.Pin(ctx, 1, 20))
	want(t, m, memories.Memory{ID: 1, Content: "one", Tags: []string{"b", "a", "b"}, Source: "me", Created: 10, Updated: 20, Pinned: true})

	// Storing a memory that exists keeps when it was created and that it is pinned.
	ok(m.Store(ctx, 1, "uno", nil, "you", 30))
	want(t, m, memories.Memory{ID: 1, Content: "uno", Source: "you", Created: 10, Updated: 30, Pinned: true})
	ok(m.Retag(ctx, 1, []string{"x"}, 40))
	want(t, m, memories.Memory{ID: 1, Content: "uno", Tags: []string{"x"}, Source: "you", Created: 10, Updated: 40, Pinned: true})
	if m.FindMany(memories.Filter{Tag: new("b")}) == nil || m.Count(memories.Filter{Tag: new("b")}) != 0 {
		t.Fatal("a replaced tag is still found")
	}
	ok(m.Pin(ctx, 1, 41)) // moves updated though nothing else changes
	ok(m.Unpin(ctx, 1, 50))
	ok(m.Unpin(ctx, 1, 51))
	ok(m.Retag(ctx, 1, nil, 60))
	want(t, m, memories.Memory{ID: 1, Content: "uno", Source: "you", Created: 10, Updated: 60})

	// What names no memory changes nothing.
	ok(m.Retag(ctx, 2, []string{"x"}, 70))
	ok(m.Pin(ctx, 2, 70))
	ok(m.Unpin(ctx, 2, 70))
	ok(m.Delete(ctx, 2))
	if m.Len() != 1 {
		t.Fatal(m.All())
	}
	ok(m.Pin(ctx, 1, 80))
	ok(m.Delete(ctx, 1))
	want(t, m)
	ok(m.Store(ctx, 1, "afresh", nil, "", 90))
	want(t, m, memories.Memory{ID: 1, Content: "afresh", Created: 90, Updated: 90})

	if _, err := m.Store(ctx, memories.MaxID+1, "", nil, "", 0); !errors.Is(err, memories.ErrArgument) {
		t.Fatal(err)
	}
	if _, err := m.Retag(ctx, 1, []string{"\xff"}, 0); !errors.Is(err, memories.ErrArgument) {
		t.Fatal(err)
	}
	if _, found := m.FindUnique(9); found || m.Contains(9) || !m.Contains(1) {
		t.Fatal("found what is not there")
	}
}

func TestResultsAreTheCallers(t *testing.T) {
	m := open(t, memory(t), memories.Options{})
	do(t, m)(m.Store(t.Context(), 1, "x", []string{"a", "b"}, "", 1))
	one, _ := m.FindUnique(1)
	one.Tags[0] = "spoilt"
	m.All()[0].Tags[0] = "spoilt"
	for l := range m.Watch(t.Context(), memories.Filter{}) {
		l[0].Tags[0] = "spoilt"
		break
	}
	if got := m.All()[0].Tags; !slices.Equal(got, []string{"a", "b"}) {
		t.Fatal(got)
	}
}

func TestForeignEvents(t *testing.T) {
	s := memory(t)
	m := open(t, s, memories.Options{})
	l, err := s.Log("cortex/memories")
	if err != nil {
		t.Fatal(err)
	}
	add := func(k redex.Kind, payload string) error {
		t.Helper()
		a, err := l.Append(t.Context(), redex.Entry{Kind: k, Encoding: redex.JSON, Payload: []byte(payload)}, redex.AppendOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return m.Wait(t.Context(), fold.TokenOf(a.Position))
	}
	if err := add(0x10, `{"id":7,"content":"c","tags":["t"],"source":"s","at":5,"mood":"new field"}`); err != nil {
		t.Fatal(err)
	}
	for _, k := range []redex.Kind{0, 0x01, 0x15, 0x1f, 0x80} {
		if err := add(k, `"?"`); err != nil {
			t.Fatal(k, err)
		}
	}
	for i, bad := range []string{`{"id":8,"content":"c","source":"s","at":5}`, `{}`, `{"id":7,"tags":"no list","at":1}`, `[`} {
		if err := add([]redex.Kind{0x10, 0x14, 0x11, 0x12}[i], bad); !errors.Is(err, fold.ErrSkipped) {
			t.Fatal(i, err)
		}
	}
	want(t, m, memories.Memory{ID: 7, Content: "c", Tags: []string{"t"}, Source: "s", Created: 5, Updated: 5})
	if st := m.Fold().Stats(); st.Undecodable != 4 || st.State != fold.Running {
		t.Fatalf("%+v", st)
	}
}

// naive answers a filter by looking at every memory.
func naive(all map[uint64]memories.Memory, f memories.Filter, ids []uint64) []memories.Memory {
	out := []memories.Memory{}
	for _, x := range all {
		has := func(tag string) bool { return slices.Contains(x.Tags, tag) }
		lacks := func(tag string) bool { return !has(tag) }
		if (ids == nil || slices.Contains(ids, x.ID)) && (f.Source == nil || x.Source == *f.Source) &&
			strings.Contains(strings.ToLower(x.Content), strings.ToLower(f.ContentContains)) && (f.Tag == nil || has(*f.Tag)) &&
			(len(f.AnyTag) == 0 || slices.ContainsFunc(f.AnyTag, has)) && !slices.ContainsFunc(f.AllTags, lacks) &&
			(f.Pinned == nil || x.Pinned == *f.Pinned) &&
			in(x.Created, f.CreatedAfter, f.CreatedBefore) && in(x.Updated, f.UpdatedAfter, f.UpdatedBefore) {
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b memories.Memory) int {
		d := 0
		switch f.Order {
		case memories.IDDesc:
			d = cmp.Compare(b.ID, a.ID)
		case memories.CreatedAsc:
			d = cmp.Compare(a.Created, b.Created)
		case memories.CreatedDesc:
			d = cmp.Compare(b.Created, a.Created)
		case memories.UpdatedAsc:
			d = cmp.Compare(a.Updated, b.Updated)
		case memories.UpdatedDesc:
			d = cmp.Compare(b.Updated, a.Updated)
		}
		return cmp.Or(d, cmp.Compare(a.ID, b.ID))
	})
	return out
}

func in(v int64, from, to *int64) bool { return (from == nil || v >= *from) && (to == nil || v <= *to) }

func limited(l []memories.Memory, n *int) []memories.Memory {
	if n == nil || *n < 0 {
		return l
	}
	return l[:min(*n, len(l))]
}

// builder says f in calls.
func builder(q memories.Query, f memories.Filter) memories.Query {
	q = q.ContentContains(f.ContentContains).WhereAnyTag(f.AnyTag...).WhereAllTags(f.AllTags...).OrderBy(f.Order)
	if f.Source != nil {
		q = q.WhereSource(*f.Source)
	}
	if f.Tag != nil {
		q = q.WhereTag(*f.Tag)
	}
	if f.Pinned != nil {
		q = q.WherePinned(*f.Pinned)
	}
	if f.CreatedAfter != nil {
		q = q.CreatedAfter(*f.CreatedAfter)
	}
	if f.CreatedBefore != nil {
		q = q.CreatedBefore(*f.CreatedBefore)
	}
	if f.UpdatedAfter != nil {
		q = q.UpdatedAfter(*f.UpdatedAfter)
	}
	if f.UpdatedBefore != nil {
		q = q.UpdatedBefore(*f.UpdatedBefore)
	}
	if f.Limit != nil {
		q = q.Limit(*f.Limit)
	}
	return q
}

func TestQueriesAgainstNaive(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	defer func() {
		if t.Failed() {
			t.Log("seed", seed)
		}
	}()
	ctx := t.Context()
	s := memory(t)
	m := open(t, s, memories.Options{})
	all := map[uint64]memories.Memory{}
	contents := []string{"Straße", "ÄPFEL", "plain", "", "two words"}
	tags := func() []string {
		var out []string
		for range r.IntN(4) {
			out = append(out, string(rune('a'+r.IntN(5))))
		}
		return out
	}
	var last fold.WriteToken
	check := func(m *memories.Memories) {
		t.Helper()
		maybe := func() *int64 {
			if r.IntN(3) > 0 {
				return nil
			}
			return new(r.Int64N(24))
		}
		for range 150 {
			f := memories.Filter{
				ContentContains: []string{"", "", "STRASSE", "straße", "äpfel", "PL", "zzz"}[r.IntN(7)],
				CreatedAfter:    maybe(), CreatedBefore: maybe(), UpdatedAfter: maybe(), UpdatedBefore: maybe(), Order: memories.Order(r.IntN(6)),
			}
			if r.IntN(3) == 0 {
				f.Source = new([]string{"me", "you", "Me"}[r.IntN(3)])
			}
			if r.IntN(4) == 0 {
				f.Tag = new("a")
			}
			if r.IntN(3) == 0 {
				f.AnyTag = tags()
			}
			if r.IntN(3) == 0 {
				f.AllTags = tags()
			}
			if r.IntN(3) == 0 {
				f.Pinned = new(r.IntN(2) == 0)
			}
			if r.IntN(2) == 0 {
				f.Limit = new(r.IntN(12) - 1)
			}
			wanted := naive(all, f, nil)
			if d := diff(limited(wanted, f.Limit), m.FindMany(f)); d != "" {
				t.Fatalf("%+v: %s", f, d)
			}
			if m.Count(f) != len(wanted) || m.Exists(f) != (len(wanted) > 0) {
				t.Fatalf("%+v: count %d, exists %v, want %d", f, m.Count(f), m.Exists(f), len(wanted))
			}
			q := builder(m.Query(), f)
			if r.IntN(2) == 0 {
				ids := []uint64{}
				for range r.IntN(20) {
					ids = append(ids, r.Uint64N(64))
				}
				q = q.WhereIDIn(ids...)
				wanted = naive(all, f, ids)
			}
			if d := diff(limited(wanted, f.Limit), q.Collect()); d != "" {
				t.Fatalf("%+v: %s", f, d)
			}
			if q.Count() != len(wanted) || q.Exists() != (len(wanted) > 0) {
				t.Fatalf("%+v: count %d, exists %v, want %d", f, q.Count(), q.Exists(), len(wanted))
			}
			first, ok := q.First()
			if l := limited(wanted, f.Limit); ok != (len(l) > 0) || ok && !first.Equal(l[0]) {
				t.Fatal(first, ok)
			}
		}
	}
	for range 8 {
		for range 120 {
			id, now := r.Uint64N(64), r.Int64N(24)
			x, have := all[id]
			x.Updated = now
			var err error
			switch r.IntN(10) {
			default:
				c, tg, src := contents[r.IntN(len(contents))], tags(), []string{"me", "you"}[r.IntN(2)]
				last, err = m.Store(ctx, id, c, tg, src, now)
				if !have {
					x.ID, x.Created = id, now
				}
				x.Content, x.Tags, x.Source = c, tg, src
				have = true
			case 0, 1:
				tg := tags()
				last, err = m.Retag(ctx, id, tg, now)
				x.Tags = tg
			case 2, 3:
				last, err = m.Pin(ctx, id, now)
				x.Pinned = true
			case 4:
				last, err = m.Unpin(ctx, id, now)
				x.Pinned = false
			case 5:
				last, err = m.Delete(ctx, id)
				delete(all, id)
				have = false
			}
			if err != nil {
				t.Fatal(err)
			}
			if have {
				all[id] = x
			}
		}
		do(t, m)(last, nil)
		check(m)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	m = open(t, s, memories.Options{})
	if st := m.Fold().Stats(); !st.Resumed || st.Events != 0 {
		t.Fatalf("%+v", st)
	}
	check(m)
}

func TestTagLists(t *testing.T) {
	m := open(t, memory(t), memories.Options{})
	ok := do(t, m)
	ok(m.Store(t.Context(), 1, "", []string{"a"}, "", 1))
	ok(m.Store(t.Context(), 2, "", []string{"a", "b"}, "", 1))
	ok(m.Store(t.Context(), 3, "", nil, "", 1))
	for i, c := range []struct {
		f memories.Filter
		n int
	}{
		{memories.Filter{AnyTag: []string{}}, 3},
		{memories.Filter{AllTags: []string{}}, 3},
		{memories.Filter{AnyTag: []string{"a", "b"}}, 2},
		{memories.Filter{AllTags: []string{"a", "b", "a"}}, 1},
		{memories.Filter{AllTags: []string{"a", "zzz"}}, 0},
		{memories.Filter{AnyTag: []string{"zzz"}}, 0},
		{memories.Filter{Tag: new("b")}, 1},
	} {
		if n := m.Count(c.f); n != c.n || len(m.FindMany(c.f)) != c.n {
			t.Errorf("%d: %d, want %d", i, n, c.n)
		}
	}
	if len(m.Query().Limit(0).Collect()) != 0 || m.Query().WhereIDIn().Exists() || len(m.Pinned()) != 0 || len(m.Unpinned()) != 3 {
		t.Error("limit 0, no ids, or pinned")
	}
}

func TestTable(t *testing.T) {
	m := open(t, memory(t), memories.Options{})
	do(t, m)(m.Store(t.Context(), 3, "c", []string{`q"`, "t"}, "s", 30))
	do(t, m)(m.Pin(t.Context(), 3, 40))
	f, err := m.Fold().Frozen()
	if err != nil {
		t.Fatal(err)
	}
	tab := f.Tables()[0]
	var got []string
	for r := tab.Rows(); r.Next(); {
		for i, c := range tab.Columns() {
			got = append(got, fmt.Sprint(c.Name, " ", c.Type, " ", r.Cell(i)))
		}
	}
	wanted := []string{
		"id BIGINT {false 3 0 }", "content TEXT {false 0 0 c}", `tags JSON {false 0 0 ["q\"","t"]}`, "source TEXT {false 0 0 s}",
		"created TIMESTAMPTZ {false 30 0 }", "updated TIMESTAMPTZ {false 40 0 }", "pinned BOOLEAN {false 1 0 }",
	}
	if d := gocmp.Diff(wanted, got); d != "" || tab.Name() != "memories" {
		t.Fatal(tab.Name(), d)
	}
}

func TestWatch(t *testing.T) {
	m := open(t, memory(t), memories.Options{})
	ok := do(t, m)
	now, later := m.SnapshotAndWatch(t.Context(), memories.Filter{Tag: new("a")})
	if len(now) != 0 {
		t.Fatal(now)
	}
	ok(m.Store(t.Context(), 1, "", []string{"a"}, "", 1))
	n := 0
	for l, err := range later {
		n++
		switch {
		case err != nil:
			if !errors.Is(err, fold.ErrClosed) || n != 3 {
				t.Fatal(n, err)
			}
		case n == 1 && len(l) == 1:
			ok(m.Store(t.Context(), 2, "", []string{"b"}, "", 1)) // not of the list
			ok(m.Retag(t.Context(), 1, []string{"b"}, 2))
		case n == 2 && len(l) == 0:
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatal(n, l)
		}
	}
}

func FuzzApply(f *testing.F) {
	f.Add(uint32(0x10), uint8(1), []byte(`{"id":1,"content":"x","tags":["a"],"source":"s","at":3}`))
	f.Add(uint32(0x11), uint8(2), []byte("\x83\xa2id\x01\xa4tags\x91\xa1x\xa2at\x03"))
	f.Add(uint32(0x14), uint8(2), []byte("\x81\xa2id\x01"))
	f.Add(uint32(0x11), uint8(2), []byte("\x83\xa2id\x01\xa4tags\xdd\xff\xff\xff\xff\xa2at\x03"))
	s := memory(f)
	m := open(f, s, memories.Options{})
	l, err := s.Log("cortex/memories")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, kind uint32, enc uint8, payload []byte) {
		a, err := l.Append(t.Context(), redex.Entry{Kind: redex.Kind(0x0f + kind%8), Encoding: redex.Encoding(enc % 3), Payload: payload}, redex.AppendOptions{})
		if err != nil {
			return // an entry the store refuses
		}
		if err := m.Wait(t.Context(), fold.TokenOf(a.Position)); err != nil && !errors.Is(err, fold.ErrSkipped) {
			t.Fatal(err)
		}
		for _, x := range m.All() {
			if _, err := json.Marshal(x); err != nil || x.ID > memories.MaxID {
				t.Fatal(x, err)
			}
		}
	})
}
