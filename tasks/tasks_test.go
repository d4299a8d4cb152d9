package tasks_test

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
	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
	"github.com/seed69692123/netdb/tasks"
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

func open(t testing.TB, s *redex.Store, o tasks.Options) *tasks.Tasks {
	t.Helper()
	m, err := tasks.Open(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// do fails the test on a write's error, waits for the write and checks its token.
func do(t testing.TB, m *tasks.Tasks) func(fold.WriteToken, error) {
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

func TestOperations(t *testing.T) {
	ctx := t.Context()
	m := open(t, memory(t), tasks.Options{})
	ok := do(t, m)

	ok(m.Create(ctx, 1, "one", 10))
	want(t, m, tasks.Task{ID: 1, Title: "one", Created: 10, Updated: 10})
	ok(m.Rename(ctx, 1, "uno", 20))
	want(t, m, tasks.Task{ID: 1, Title: "uno", Created: 10, Updated: 20})
	ok(m.Complete(ctx, 1, 30))
	want(t, m, tasks.Task{ID: 1, Title: "uno", Status: tasks.Completed, Created: 10, Updated: 30})
	ok(m.Complete(ctx, 1, 31))
	want(t, m, tasks.Task{ID: 1, Title: "uno", Status: tasks.Completed, Created: 10, Updated: 31})
	ok(m.Rename(ctx, 1, "", 32))
	want(t, m, tasks.Task{ID: 1, Status: tasks.Completed, Created: 10, Updated: 32})

	// Creating a task that exists replaces it.
	ok(m.Create(ctx, 1, "again", 5))
	want(t, m, tasks.Task{ID: 1, Title: "again", Created: 5, Updated: 5})

	// What names no task changes nothing.
	ok(m.Rename(ctx, 2, "none", 40))
	ok(m.Complete(ctx, 2, 40))
	ok(m.Delete(ctx, 2))
	want(t, m, tasks.Task{ID: 1, Title: "again", Created: 5, Updated: 5})

	ok(m.Delete(ctx, 1))
	want(t, m)
	ok(m.Create(ctx, 1, "reborn", 50))
	want(t, m, tasks.Task{ID: 1, Title: "reborn", Created: 50, Updated: 50})
	ok(m.Create(ctx, 0, "zero", -1))
	ok(m.Create(ctx, tasks.MaxID, "last", 60))
	if got, found := m.FindUnique(tasks.MaxID); !found || got.Title != "last" || !m.Contains(0) || m.Contains(7) || m.Len() != 3 {
		t.Fatal(got, found)
	}
	if _, found := m.FindUnique(7); found {
		t.Fatal("found what is not there")
	}

	if tok, err := m.Create(ctx, tasks.MaxID+1, "", 0); !errors.Is(err, tasks.ErrArgument) || !tok.IsZero() {
		t.Fatal(tok, err)
	}
	if _, err := m.Rename(ctx, 1, "\xff", 0); !errors.Is(err, tasks.ErrArgument) {
		t.Fatal(err)
	}
}

func want(t *testing.T, m *tasks.Tasks, list ...tasks.Task) {
	t.Helper()
	if list == nil {
		list = []tasks.Task{}
	}
	if d := gocmp.Diff(list, m.All()); d != "" {
		t.Fatal(d)
	}
}

func TestForeignEvents(t *testing.T) {
	s := memory(t)
	m := open(t, s, tasks.Options{})
	l, err := s.Log("cortex/tasks")
	if err != nil {
		t.Fatal(err)
	}
	add := func(k redex.Kind, enc redex.Encoding, payload string) error {
		t.Helper()
		a, err := l.Append(t.Context(), redex.Entry{Kind: k, Encoding: enc, Payload: []byte(payload)}, redex.AppendOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return m.Wait(t.Context(), fold.TokenOf(a.Position))
	}
	if err := add(0x01, redex.JSON, `{"id":7,"title":"from json","at":5,"colour":"red"}`); err != nil {
		t.Fatal(err)
	}
	// Kinds of a later version count as applied.
	for _, k := range []redex.Kind{0, 0x05, 0x0f, 0x10, 0x80} {
		if err := add(k, redex.Raw, "?"); err != nil {
			t.Fatal(k, err)
		}
	}
	for i, bad := range []string{`{"id":8,"title":"no time"}`, `{"title":"no id","at":1}`, `{"id":9,"at":1}`, `{"id":-1,"title":"x","at":1}`, `[`, `{"id":9223372036854775808,"title":"x","at":1}`} {
		if err := add(0x01, redex.JSON, bad); !errors.Is(err, fold.ErrSkipped) {
			t.Fatal(i, err)
		}
	}
	if err := add(0x02, redex.Msgpack, "\xc1"); !errors.Is(err, fold.ErrSkipped) {
		t.Fatal(err)
	}
	want(t, m, tasks.Task{ID: 7, Title: "from json", Created: 5, Updated: 5})
	if st := m.Fold().Stats(); st.Undecodable != 7 || st.Skipped != 0 || st.State != fold.Running {
		t.Fatalf("%+v", st)
	}
	if len(m.Skipped()) != 7 {
		t.Fatal(m.Skipped())
	}
}

// naive answers a filter by looking at every task.
func naive(all map[uint64]tasks.Task, f tasks.Filter, ids []uint64) []tasks.Task {
	out := []tasks.Task{}
	for _, x := range all {
		if (ids == nil || slices.Contains(ids, x.ID)) && (f.Status == nil || x.Status == *f.Status) &&
			strings.Contains(strings.ToLower(x.Title), strings.ToLower(f.TitleContains)) &&
			in(x.Created, f.CreatedAfter, f.CreatedBefore) && in(x.Updated, f.UpdatedAfter, f.UpdatedBefore) {
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b tasks.Task) int {
		d := 0
		switch f.Order {
		case tasks.IDDesc:
			d = cmp.Compare(b.ID, a.ID)
		case tasks.CreatedAsc:
			d = cmp.Compare(a.Created, b.Created)
		case tasks.CreatedDesc:
			d = cmp.Compare(b.Created, a.Created)
		case tasks.UpdatedAsc:
			d = cmp.Compare(a.Updated, b.Updated)
		case tasks.UpdatedDesc:
			d = cmp.Compare(b.Updated, a.Updated)
		}
		return cmp.Or(d, cmp.Compare(a.ID, b.ID))
	})
	return out
}

func in(v int64, from, to *int64) bool { return (from == nil || v >= *from) && (to == nil || v <= *to) }

func limited(l []tasks.Task, n *int) []tasks.Task {
	if n == nil || *n < 0 {
		return l
	}
	return l[:min(*n, len(l))]
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
	m := open(t, s, tasks.Options{})
	all := map[uint64]tasks.Task{}
	words := []string{"Straße", "ÄPFEL", "plain", "", "İstanbul", "two words"}
	var last fold.WriteToken
	check := func(m *tasks.Tasks) {
		t.Helper()
		maybe := func() *int64 {
			if r.IntN(3) > 0 {
				return nil
			}
			return new(r.Int64N(24))
		}
		for range 150 {
			f := tasks.Filter{
				TitleContains: []string{"", "", "STRASSE", "straße", "äpfel", "i", "PL", "zzz"}[r.IntN(8)],
				CreatedAfter:  maybe(), CreatedBefore: maybe(), UpdatedAfter: maybe(), UpdatedBefore: maybe(), Order: tasks.Order(r.IntN(6)),
			}
			if r.IntN(2) == 0 {
				f.Status = new(tasks.Status(r.IntN(2)))
			}
			if r.IntN(2) == 0 {
				f.Limit = new(r.IntN(12) - 1)
			}
			wanted := naive(all, f, nil)
			if d := gocmp.Diff(limited(wanted, f.Limit), m.FindMany(f)); d != "" {
				t.Fatalf("%+v: %s", f, d)
			}
			if m.Count(f) != len(wanted) || m.Exists(f) != (len(wanted) > 0) {
				t.Fatalf("%+v: count %d, exists %v, want %d", f, m.Count(f), m.Exists(f), len(wanted))
			}
			// The same through the builder, and limited to ids.
			q := m.Query().TitleContains(f.TitleContains).OrderBy(f.Order)
			if f.Status != nil {
				q = q.WhereStatus(*f.Status)
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
			var ids []uint64
			if r.IntN(2) == 0 {
				ids = []uint64{}
				for range r.IntN(20) {
					ids = append(ids, r.Uint64N(64))
				}
				q = q.WhereIDIn(ids...)
				wanted = naive(all, f, ids)
			}
			if d := gocmp.Diff(limited(wanted, f.Limit), q.Collect()); d != "" {
				t.Fatalf("%+v ids %v: %s", f, ids, d)
			}
			if q.Count() != len(wanted) || q.Exists() != (len(wanted) > 0) {
				t.Fatalf("%+v ids %v: count %d, exists %v, want %d", f, ids, q.Count(), q.Exists(), len(wanted))
			}
			first, ok := q.First()
			l := limited(wanted, f.Limit)
			if ok != (len(l) > 0) || ok && first != l[0] {
				t.Fatal(first, ok)
			}
		}
	}
	for range 8 {
		for range 120 {
			id, now := r.Uint64N(64), r.Int64N(24)
			x, have := all[id]
			var err error
			switch r.IntN(8) {
			default:
				title := words[r.IntN(len(words))]
				last, err = m.Create(ctx, id, title, now)
				all[id] = tasks.Task{ID: id, Title: title, Created: now, Updated: now}
			case 0, 1:
				title := words[r.IntN(len(words))]
				if last, err = m.Rename(ctx, id, title, now); have {
					x.Title, x.Updated = title, now
					all[id] = x
				}
			case 2, 3, 4:
				if last, err = m.Complete(ctx, id, now); have {
					x.Status, x.Updated = tasks.Completed, now
					all[id] = x
				}
			case 5:
				last, err = m.Delete(ctx, id)
				delete(all, id)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		do(t, m)(last, nil)
		check(m)
	}
	// The same after a checkpoint, with every index loaded from it.
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	m = open(t, s, tasks.Options{})
	if st := m.Fold().Stats(); !st.Resumed || st.Events != 0 {
		t.Fatalf("%+v", st)
	}
	check(m)
}

func TestLimitAndIDs(t *testing.T) {
	m := open(t, memory(t), tasks.Options{})
	for i := range 5 {
		do(t, m)(m.Create(t.Context(), uint64(i), "x", 1))
	}
	q := m.Query()
	if n := len(q.Limit(0).Collect()); n != 0 {
		t.Fatal("limit 0 gave", n)
	}
	if _, ok := q.Limit(0).First(); ok {
		t.Fatal("limit 0 has a first")
	}
	if n := q.Limit(2).Count(); n != 5 {
		t.Fatal("count is limited:", n)
	}
	if q.WhereIDIn().Exists() || len(q.WhereIDIn().Collect()) != 0 {
		t.Fatal("no ids match something")
	}
	if n := q.WhereIDIn(1, 1, 3, 99).Count(); n != 2 {
		t.Fatal(n)
	}
	if n := q.WhereIDIn(1).WhereIDIn(2, 3).Limit(1).Limit(9).Collect(); len(n) != 2 || n[0].ID != 2 {
		t.Fatal("a later call does not overwrite:", n)
	}
	// Ties are broken by id in both directions.
	for _, o := range []tasks.Order{tasks.CreatedAsc, tasks.CreatedDesc, tasks.UpdatedDesc} {
		for i, x := range q.OrderBy(o).Collect() {
			if x.ID != uint64(i) {
				t.Fatal(o, i, x)
			}
		}
	}
}

func TestWatch(t *testing.T) {
	m := open(t, memory(t), tasks.Options{})
	ok := do(t, m)
	ok(m.Create(t.Context(), 1, "one", 1))
	now, later := m.SnapshotAndWatch(t.Context(), tasks.Filter{Status: new(tasks.Pending)})
	if len(now) != 1 {
		t.Fatal(now)
	}
	ok(m.Create(t.Context(), 2, "two", 2)) // between the two
	n := 0
	var end error
	for l, err := range later {
		if err != nil {
			end = err
			break
		}
		n++
		switch n {
		case 1:
			if len(l) != 2 {
				t.Fatal(l)
			}
			l[0].Title = "the reader's own"
			ok(m.Complete(t.Context(), 9, 3)) // no change: not told
			ok(m.Complete(t.Context(), 1, 3))
		case 2:
			if len(l) != 1 || l[0].ID != 2 {
				t.Fatal(l)
			}
			ok(m.Create(t.Context(), 1, "one", 1)) // back to what was told before
		case 3:
			if len(l) != 2 || l[0].Title != "one" {
				t.Fatal(l)
			}
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatal(l)
		}
	}
	if !errors.Is(end, fold.ErrClosed) || n != 3 {
		t.Fatal(n, end)
	}
}

func TestTable(t *testing.T) {
	m := open(t, memory(t), tasks.Options{Name: "todo", Log: "my/todo"})
	do(t, m)(m.Create(t.Context(), 3, "three", 30))
	do(t, m)(m.Complete(t.Context(), 3, 40))
	f, err := m.Fold().Frozen()
	if err != nil {
		t.Fatal(err)
	}
	tab := f.Tables()[0]
	if tab.Name() != "todo" || tab.Len() != 1 {
		t.Fatal(tab.Name(), tab.Len())
	}
	var got []string
	for r := tab.Rows(); r.Next(); {
		for i, c := range tab.Columns() {
			got = append(got, fmt.Sprint(c.Name, " ", c.Type, " ", r.Cell(i)))
		}
	}
	wanted := []string{
		"id BIGINT {false 3 0 }", "title TEXT {false 0 0 three}", "status TEXT {false 0 0 completed}",
		"created TIMESTAMPTZ {false 30 0 }", "updated TIMESTAMPTZ {false 40 0 }",
	}
	if d := gocmp.Diff(wanted, got); d != "" {
		t.Fatal(d)
	}
}

func TestOpenStops(t *testing.T) {
	s := memory(t)
	if _, err := tasks.Open(t.Context(), s, tasks.Options{Log: "no//name"}); !errors.Is(err, redex.ErrName) {
		t.Fatal(err)
	}
	m := open(t, s, tasks.Options{})
	tok, err := m.Create(t.Context(), 1, "x", 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := m.Wait(t.Context(), tok); !errors.Is(err, fold.ErrClosed) {
		t.Fatal(err)
	}
	s.Close()
	if tok, err := m.Create(t.Context(), 1, "x", 1); !errors.Is(err, redex.ErrClosed) || !tok.IsZero() {
		t.Fatal(tok, err)
	}
}

func FuzzApply(f *testing.F) {
	f.Add(uint32(1), uint8(1), []byte(`{"id":1,"title":"x","at":3}`))
	f.Add(uint32(1), uint8(2), []byte("\x83\xa2id\x01\xa5title\xa1x\xa2at\x03"))
	f.Add(uint32(3), uint8(2), []byte("\x82\xa2id\x01\xa2at\x03"))
	f.Add(uint32(4), uint8(2), []byte("\x81\xa2id\xcf\xff\xff\xff\xff\xff\xff\xff\xff"))
	s := memory(f)
	m := open(f, s, tasks.Options{})
	l, err := s.Log("cortex/tasks")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, kind uint32, enc uint8, payload []byte) {
		a, err := l.Append(t.Context(), redex.Entry{Kind: redex.Kind(kind % 8), Encoding: redex.Encoding(enc % 3), Payload: payload}, redex.AppendOptions{})
		if err != nil {
			return // an entry the store refuses
		}
		if err := m.Wait(t.Context(), fold.TokenOf(a.Position)); err != nil && !errors.Is(err, fold.ErrSkipped) {
			t.Fatal(err)
		}
		for _, x := range m.All() {
			if _, err := json.Marshal(x); err != nil || x.ID > tasks.MaxID {
				t.Fatal(x, err)
			}
		}
	})
}
