package index_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed69692123/netdb/internal/simdisk"
	"github.com/seed69692123/netdb/redex"
	"github.com/seed69692123/netdb/redex/index"
	"github.com/seed69692123/netdb/redex/journal"
)

// change is an operation as an event of the model test says it.
type change struct {
	Op         byte // '+', '-', '!', or 'x', which fails
	Key, Value []byte
}

func project(ev *redex.Event, ops *index.Ops) error {
	var cs []change
	if err := json.Unmarshal(ev.Payload, &cs); err != nil {
		return err
	}
	for _, c := range cs {
		switch c.Op {
		case '+':
			ops.Insert(c.Key, c.Value)
		case '-':
			ops.Remove(c.Key, c.Value)
		case '!':
			ops.RemoveAll(c.Key)
		default:
			return errBad
		}
	}
	return nil
}

// model is what an index must hold.
type model map[string]map[string]bool

func (m model) apply(payload []byte) {
	var cs []change
	if err := json.Unmarshal(payload, &cs); err != nil {
		panic(err)
	}
	if slices.ContainsFunc(cs, func(c change) bool { return c.Op == 'x' }) {
		return
	}
	for _, c := range cs {
		k, v := string(c.Key), string(c.Value)
		switch c.Op {
		case '+':
			if m[k] == nil {
				m[k] = map[string]bool{}
			}
			m[k][v] = true
		case '-':
			delete(m[k], v)
		case '!':
			delete(m, k)
		}
		if len(m[k]) == 0 {
			delete(m, k)
		}
	}
}

// entries returns what a scan must give. Values that only differ behind their first 1,024 bytes are brought into one order.
func (m model) entries(r func(key string) bool) []index.Entry {
	var out []index.Entry
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if r(k) {
			for _, v := range slices.Sorted(maps.Keys(m[k])) {
				out = append(out, index.Entry{Key: []byte(k), Value: []byte(v)})
			}
		}
	}
	return out
}

// scan returns a scan's entries with those values in the same order, after checking that they are next to each other.
func scan(t *testing.T, x *index.Index, r index.Range) []index.Entry {
	t.Helper()
	var out []index.Entry
	for e, err := range x.Scan(context.Background(), r) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, index.Entry{Key: bytes.Clone(e.Key), Value: bytes.Clone(e.Value)})
	}
	if r.Reverse {
		slices.Reverse(out)
	}
	cut := func(v []byte) []byte { return v[:min(len(v), 1024)] }
	for i := 1; i < len(out); i++ {
		if c := bytes.Compare(out[i-1].Key, out[i].Key); c > 0 || c == 0 && bytes.Compare(cut(out[i-1].Value), cut(out[i].Value)) > 0 {
			t.Fatalf("entries %d and %d are out of order", i-1, i)
		}
	}
	slices.SortFunc(out, func(a, b index.Entry) int {
		if c := bytes.Compare(a.Key, b.Key); c != 0 {
			return c
		}
		return bytes.Compare(a.Value, b.Value)
	})
	return out
}

var keyBytes = []byte{0, 1, 2, 'a', 0xfe, 0xff}

func randomKey(r *rand.Rand) []byte {
	b := make([]byte, 0, 4) // never nil, which as an end means none
	for range r.IntN(4) {
		b = append(b, keyBytes[r.IntN(len(keyBytes))])
	}
	if r.IntN(50) == 0 {
		b = append(b, bytes.Repeat([]byte{keyBytes[r.IntN(len(keyBytes))]}, index.MaxKeyBytes-len(b))...)
	}
	return b
}

func randomValue(r *rand.Rand) []byte {
	switch r.IntN(20) {
	case 0: // at and around what is in the key
		return bytes.Repeat([]byte{'v'}, 1022+r.IntN(4))
	case 1: // long, and the same in the beginning
		return append(bytes.Repeat([]byte{'v'}, 1024), byte(r.IntN(3)))
	case 2:
		if r.IntN(10) == 0 {
			return bytes.Repeat([]byte{byte(r.IntN(2))}, index.MaxValueBytes)
		}
	}
	return randomKey(r)
}

func randomEvent(r *rand.Rand) []byte {
	var cs []change
	for range r.IntN(5) {
		c := change{'+', randomKey(r), randomValue(r)}
		switch r.IntN(10) {
		case 0, 1, 2:
			c.Op = '-'
		case 3:
			c.Op, c.Value = '!', nil
		}
		cs = append(cs, c)
	}
	if r.IntN(15) == 0 {
		cs = append(cs, change{Op: 'x'})
	}
	b, err := json.Marshal(cs)
	if err != nil {
		panic(err)
	}
	return b
}

func checkModel(t *testing.T, x *index.Index, m model, r *rand.Rand) {
	t.Helper()
	ctx := context.Background()
	compare := func(what string, got, want []index.Entry) {
		t.Helper()
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || !bytes.Equal(got[i].Key, want[i].Key) || !bytes.Equal(got[i].Value, want[i].Value) {
				t.Fatalf("%s: entry %d of %d is %.80x, want %.80x of %d", what, i, len(got), got[min(i, len(got)):min(i+1, len(got))], want[min(i, len(want)):min(i+1, len(want))], len(want))
			}
		}
	}
	all := m.entries(func(string) bool { return true })
	compare("all", scan(t, x, index.Range{}), all)
	compare("reverse", scan(t, x, index.Range{Reverse: true}), all)
	if st := x.Stats(); st.Keys != int64(len(m)) || st.Values != int64(len(all)) {
		t.Fatalf("%d keys and %d values are counted, there are %d and %d", st.Keys, st.Values, len(m), len(all))
	}
	from, to := randomKey(r), randomKey(r)
	in := func(k string) bool { return k >= string(from) && k < string(to) }
	for _, reverse := range []bool{false, true} {
		rg := index.Range{From: from, To: to, Reverse: reverse}
		compare("range", scan(t, x, rg), m.entries(in))
		var keys, want []string
		for k, err := range x.Keys(ctx, rg) {
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, string(k))
		}
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if in(k) {
				want = append(want, k)
			}
		}
		if reverse {
			slices.Reverse(want)
		}
		if !slices.Equal(keys, want) {
			t.Fatalf("keys from %x to %x: %x, want %x", from, to, keys, want)
		}
		rg = index.Prefix(from)
		rg.Reverse = reverse
		compare("prefix", scan(t, x, rg), m.entries(func(k string) bool { return strings.HasPrefix(k, string(from)) }))
	}
	for range 5 {
		k, v := randomKey(r), randomValue(r)
		if vs := slices.Collect(maps.Keys(m[string(k)])); len(vs) > 0 && r.IntN(2) == 0 {
			v = []byte(vs[r.IntN(len(vs))])
		}
		if has, err := x.Contains(k, v); err != nil || has != m[string(k)][string(v)] {
			t.Fatalf("%x, %.40x: %v, %v", k, v, has, err)
		}
		n, err := x.Count(ctx, k)
		vs, err2 := x.Get(ctx, k)
		if err != nil || err2 != nil || n != int64(len(m[string(k)])) || len(vs) != len(m[string(k)]) {
			t.Fatalf("%x: %d values and %d, %v, %v", k, n, len(vs), err, err2)
		}
	}
}

// TestModel compares an index with a map, through random events, small batches, sealing, and openings of index and store.
func TestModel(t *testing.T) {
	steps := 300
	if testing.Short() {
		steps = 80
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	d := simdisk.New(seed)
	def := index.Definition{Name: "model", Log: "in", Project: project, Options: index.Options{Policy: index.Skip, BatchBytes: 1 << 10}}
	var s *redex.Store
	var x *index.Index
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("seed", seed)
		}
	})
	restart := func() {
		var err error
		if s, err = redex.Open(t.Context(), "db", onDisk(d, redex.SyncNever)); err != nil {
			t.Fatal(err)
		}
		if x, err = index.Open(t.Context(), s, def); err != nil {
			t.Fatal(err)
		}
	}
	restart()
	m := model{}
	n, opened := 0, int64(0) // events, and where the index was when it was opened; -1 after a rebuild
	again := false           // it was opened again, perhaps before it had come to any event
	for range steps {
		var batch []redex.Entry
		for range 1 + r.IntN(12) {
			p := randomEvent(r)
			m.apply(p)
			batch = append(batch, redex.Entry{Encoding: redex.JSON, Payload: p})
		}
		l, err := s.Log("in")
		if err == nil {
			_, err = l.AppendBatch(t.Context(), batch, redex.AppendOptions{})
		}
		if err != nil {
			t.Fatal(err)
		}
		n += len(batch)
		switch r.IntN(12) {
		case 0:
			if err := s.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
		case 1:
			if err := x.Close(); err != nil {
				t.Fatal(err)
			}
			closed := x.Lag().Next
			if x, err = index.Open(t.Context(), s, def); err != nil {
				t.Fatal(err)
			}
			opened, again = int64(closed), true
		case 2:
			if err := errors.Join(x.Close(), s.Close()); err != nil {
				t.Fatal(err)
			}
			opened, again = int64(x.Lag().Next), true
			restart()
		case 3:
			if r.IntN(4) == 0 {
				if err := x.Rebuild(short(t)); err != nil {
					t.Fatal(err)
				}
				opened = -1
			}
		case 4, 5, 6:
			if err := x.CatchUp(short(t)); err != nil {
				t.Fatal(err)
			}
			checkModel(t, x, m, r)
		}
	}
	if err := x.CatchUp(short(t)); err != nil {
		t.Fatal(err)
	}
	checkModel(t, x, m, r)
	st := x.Stats()
	if st.Rebuilt != nil || st.Skipped == 0 || opened >= 0 && (st.Resumed != again || st.Events != int64(n)-opened) {
		t.Fatalf("%d events, %d when it was opened: %+v", n, opened, st)
	}
	if err := errors.Join(x.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	noGoroutines(t)
}

func onDisk(d *simdisk.Disk, mode redex.SyncMode) redex.Options {
	return redex.Options{
		Sync: redex.SyncPolicy{Mode: mode}, SegmentBytes: 1 << 20, SealBytes: 64 << 10, RunEvents: 8,
		Disk: &redex.Disk{Files: d.VFS(), Journal: func(string) (journal.FS, error) { return d.Journal(), nil }},
	}
}

// TestPowerCuts: the power is cut, or the process killed, anywhere in appends, commits and recovery, again and again on one disk.
// After each, the index is what its log says, counts too, and never was built again.
func TestPowerCuts(t *testing.T) {
	cuts := 48
	if testing.Short() {
		cuts = 12
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 3))
	d := simdisk.New(seed)
	def := index.Definition{Name: "model", Log: "in", Project: project, Options: index.Options{Policy: index.Skip, BatchBytes: 4 << 10}}
	resumed := 0
	for i := range cuts {
		mode := []redex.SyncMode{redex.SyncAlways, redex.SyncNever}[i%2]
		kill := i%4 < 2
		if kill {
			d.KillAt(d.Ops() + 1 + r.Int64N(300))
		} else {
			d.CutAt(d.Ops() + 1 + r.Int64N(300))
		}
		work(d, mode, def, r)
		if kill {
			d = d.Kill(r.Uint64())
		} else {
			d = d.Restart(r.Uint64())
		}

		s, err := redex.Open(t.Context(), "db", onDisk(d, mode))
		if err != nil {
			t.Fatal(seed, i, err)
		}
		x, err := index.Open(t.Context(), s, def)
		if err != nil {
			t.Fatal(seed, i, err)
		}
		if st := x.Stats(); st.Rebuilt != nil {
			t.Fatal(seed, i, st.Rebuilt)
		} else if st.Resumed && st.Next > 0 {
			resumed++
		}
		if err := x.CatchUp(short(t)); err != nil {
			t.Fatal(seed, i, err)
		}
		m, skipped := model{}, int64(0)
		l, err := s.Log("in")
		if err != nil {
			t.Fatal(seed, i, err)
		}
		for ev, err := range l.Scan(t.Context(), 0, l.Bounds().Next) {
			if err != nil {
				t.Fatal(seed, i, err)
			}
			m.apply(ev.Payload)
			if bytes.Contains(ev.Payload, []byte(`"Op":120`)) {
				skipped++
			}
		}
		checkModel(t, x, m, r)
		if st := x.Stats(); st.Skipped != skipped {
			t.Fatalf("seed %d, %d: %d skipped, want %d", seed, i, st.Skipped, skipped)
		}
		if i%3 == 0 {
			err = x.Close()
		}
		if err = errors.Join(err, s.Close()); err != nil {
			t.Fatal(seed, i, err)
		}
		x.Close()
	}
	if resumed < cuts/2 {
		t.Fatal("only", resumed, "went on from what the store held")
	}
	noGoroutines(t)
}

// work appends to a store until its disk fails.
func work(d *simdisk.Disk, mode redex.SyncMode, def index.Definition, r *rand.Rand) {
	untilOff(d, onDisk(d, mode), def, func(ctx context.Context, s *redex.Store, x *index.Index, l *redex.Log) {
		var wg sync.WaitGroup
		defer wg.Wait()
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		wg.Go(func() { // what is committed is flushed at any time
			for ctx.Err() == nil && s.Seal(ctx) == nil { // which has nothing to wait for when all is sealed
				runtime.Gosched()
			}
		})
		for i := range 300 {
			a, err := l.Append(ctx, redex.Entry{Payload: randomEvent(r)}, redex.AppendOptions{})
			if err != nil {
				return
			}
			if i%7 == 0 {
				if err := x.Wait(ctx, a.Position); err != nil && !errors.Is(err, index.ErrSkipped) {
					return
				}
			}
		}
	})
}

// untilOff opens a store, an index and the log that it follows, and works with them on a context that ends when the disk is off.
func untilOff(d *simdisk.Disk, o redex.Options, def index.Definition, work func(ctx context.Context, s *redex.Store, x *index.Index, l *redex.Log)) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		select {
		case <-d.Off():
			stop()
		case <-ctx.Done():
		}
	}()
	s, err := redex.Open(ctx, "db", o)
	if err != nil {
		return
	}
	defer s.Close()
	x, err := index.Open(ctx, s, def)
	if err != nil {
		return
	}
	defer x.Close()
	l, err := s.OpenLog(ctx, "in", redex.LogOptions{})
	if err != nil {
		return
	}
	work(ctx, s, x, l)
}
