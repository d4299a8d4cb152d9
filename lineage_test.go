package netdb_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/redex"
)

// lineageGraph is random events of two logs with their parents.
type lineageGraph struct {
	seq     func(n int64) int64
	parents map[netdb.EventLink][]netdb.EventLink
	events  []netdb.EventLink // by log and sequence
	entries map[string][]redex.Entry
}

// newLineageGraph makes events of which each names up to three others: earlier ones of its log mostly, one of the other log or one that
// does not exist now and then, and with cycles also later ones.
func newLineageGraph(r *rand.Rand, s dataState, rows int, cycles bool) *lineageGraph {
	g := &lineageGraph{seq: s.seq, parents: map[netdb.EventLink][]netdb.EventLink{}, entries: map[string][]redex.Entry{}}
	for _, log := range []string{"a", "b"} {
		for n := range int64(rows) {
			self := netdb.EventLink{Log: log, Seq: s.seq(n)}
			g.events = append(g.events, self)
			var list []any
			for range r.IntN(4) {
				p := netdb.EventLink{Log: log}
				switch k := r.IntN(30); {
				case k == 0:
					p.Seq = s.seq(int64(rows) + r.Int64N(5)) // not there yet
				case cycles && k > 22:
					p.Seq = s.seq(r.Int64N(int64(rows)))
				case k < 4 && log == "b":
					p = netdb.EventLink{Log: "a", Seq: s.seq(r.Int64N(int64(rows)))}
				case n == 0:
					continue
				default:
					p.Seq = s.seq(max(0, n-1-r.Int64N(12)))
				}
				if slices.Contains(g.parents[self], p) {
					continue
				}
				g.parents[self] = append(g.parents[self], p)
				if p.Log == log {
					list = append(list, p.Seq)
				} else {
					list = append(list, map[string]any{"seq": p.Seq, "log": p.Log})
				}
			}
			body := map[string]any{"n": n, "by": list}
			if len(list) == 1 && r.IntN(2) == 0 {
				body["by"] = list[0]
			}
			g.entries[log] = append(g.entries[log], redex.Entry{Encoding: redex.JSON, Payload: must(json.Marshal(body))})
		}
	}
	return g
}

// search is breadth first, with a new list for each distance.
func (g *lineageGraph) search(start netdb.EventLink, forward bool, depth int, logs []string) (rows []string, cyclic bool) {
	next := func(at netdb.EventLink) (out []netdb.EventLink) {
		if !forward {
			return g.parents[at]
		}
		for _, log := range logs {
			for _, e := range g.events {
				if e.Log == log && slices.Contains(g.parents[e], at) {
					out = append(out, e)
				}
			}
		}
		return out
	}
	seen := map[netdb.EventLink]int{start: 0}
	level := []netdb.EventLink{start}
	edges := map[netdb.EventLink][]netdb.EventLink{}
	for d := 0; len(level) > 0; d++ {
		var after []netdb.EventLink
		for _, e := range level {
			n := "NULL"
			for k := range int64(len(g.events) / 2) {
				if g.seq(k) == e.Seq {
					n = fmt.Sprint(k)
				}
			}
			rows = append(rows, fmt.Sprintf("%s %d %d %s", e.Log, e.Seq, d, n))
			if d == depth {
				continue
			}
			edges[e] = next(e)
			for _, p := range edges[e] {
				if _, ok := seen[p]; !ok {
					seen[p] = d + 1
					after = append(after, p)
				}
			}
		}
		level = after
	}
	// A node that its own search gets to is in a cycle.
	for e := range edges {
		reached := map[netdb.EventLink]bool{}
		for list := slices.Clone(edges[e]); len(list) > 0; {
			at := list[0]
			if list = list[1:]; !reached[at] {
				reached[at] = true
				list = append(list, edges[at]...)
			}
		}
		cyclic = cyclic || reached[e]
	}
	return rows, cyclic
}

// TestLineage compares with a search through maps, in all states, from a field and from the application's function.
func TestLineage(t *testing.T) {
	for i, state := range states() {
		for _, cycles := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/cycles=%v", state.name, cycles), func(t *testing.T) {
				r := rand.New(rand.NewPCG(uint64(i), 7))
				g := newLineageGraph(r, state, 60, cycles)
				db, err := netdb.Open(t.Context(), t.TempDir(), netdb.Options{
					Store: redex.Options{Sync: redex.SyncPolicy{Mode: redex.SyncNever}, RunEvents: state.runEvents, MaintainRate: -1},
					Lineage: netdb.LineageFunc(func(log string, ev redex.Event) ([]netdb.EventLink, error) {
						var body struct{ N int64 }
						if err := json.Unmarshal(ev.Payload, &body); err != nil || ev.Encoding != redex.JSON {
							return nil, fmt.Errorf("%v: %s", err, ev.Payload)
						}
						return g.parents[netdb.EventLink{Log: log, Seq: int64(ev.Seq)}], nil
					}),
				})
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				state.fill(t, db, g.entries)
				found, cyclic := 0, 0
				for n := range 60 {
					forward, depth := r.IntN(2) == 0, max(-1, r.IntN(12)-6)
					k := 30 + r.IntN(30)
					if forward {
						k = r.IntN(30)
					}
					start := g.events[k+60*r.IntN(2)]
					logs := []string{start.Log}
					sql := fmt.Sprintf("SELECT _log, _seq, depth, n, path FROM lineage(%s, %d", start.Log, start.Seq)
					if forward {
						sql += ", direction => 'forward'"
					}
					if depth >= 0 {
						sql += fmt.Sprintf(", depth => %d", depth)
					}
					if n%2 == 0 {
						sql += ", parents => 'by'"
					}
					if r.IntN(2) == 0 {
						sql += ", within => '*'"
						logs = []string{start.Log, map[string]string{"a": "b", "b": "a"}[start.Log]}
					}
					want, isCyclic := g.search(start, forward, depth, logs)
					stop := r.IntN(2) == 0
					if stop {
						sql += ", cycles => 'stop'"
					}
					found += len(want)
					for _, l := range []netdb.Limits{
						{Threads: 1, BatchRows: 1},
						{Threads: 2, BatchRows: 2048, Columns: netdb.ColumnsAlways},
						{Threads: 2, BatchRows: 7, Bytes: 2 << 10},
					} {
						rows, err := valuesOf(t.Context(), db, sql+")", l)
						if l.Bytes > 0 && errors.Is(err, netdb.ErrBudget) {
							continue
						}
						if isCyclic && !stop {
							cyclic++
							checkCycle(t, g, sql, err, forward)
							continue
						}
						if err != nil {
							t.Fatalf("%s: %v", sql, err)
						}
						var got []string
						for _, row := range rows {
							n := row[3]
							if n == nil {
								n = "NULL"
							}
							got = append(got, fmt.Sprintf("%v %v %v %v", row[0], row[1], row[2], n))
							if way, ok := row[4].([]any); ok && int64(len(way)) != row[2].(int64)+1 {
								t.Errorf("%s: path %v at depth %v", sql, way, row[2])
							}
						}
						if d := cmp.Diff(want, got); d != "" {
							t.Fatalf("%s, %+v:\n%s", sql, l, d)
						}
					}
				}
				if found < 300 || cycles != (cyclic > 0) {
					t.Errorf("%d events, %d cycles: the test says little", found, cyclic)
				}
			})
		}
	}
}

// checkCycle asserts that the events of a cycle are one.
func checkCycle(t *testing.T, g *lineageGraph, sql string, err error, forward bool) {
	t.Helper()
	cycle, ok := errors.AsType[*netdb.CycleError](err)
	if !ok || !errors.Is(err, netdb.ErrCycle) {
		t.Fatalf("%s: error %v, want a cycle", sql, err)
	}
	for i, e := range cycle.Events {
		next := cycle.Events[(i+1)%len(cycle.Events)]
		if forward {
			e, next = next, e
		}
		if !slices.Contains(g.parents[e], next) {
			t.Fatalf("%s: %v is no cycle: %v is no parent of %v", sql, err, next, e)
		}
	}
}

// TestLineageParentsFail asserts that an error of the application ends the query, and which event it was at.
func TestLineageParentsFail(t *testing.T) {
	broken := errors.New("broken")
	db, err := netdb.Open(t.Context(), t.TempDir(), netdb.Options{Lineage: netdb.LineageFunc(func(_ string, ev redex.Event) ([]netdb.EventLink, error) {
		if ev.Seq == 2 {
			return nil, broken
		}
		return []netdb.EventLink{{Log: "a", Seq: int64(ev.Seq) - 1}}, nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	appendLogs(t, db, map[string][]redex.Entry{"a": {{Encoding: redex.JSON, Payload: []byte(`{}`)}, {}, {}, {}, {}}}, redex.LogOptions{})
	if _, err := valuesOf(t.Context(), db, "SELECT _seq FROM lineage(a, 4)", netdb.Limits{}); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	rows, err := valuesOf(t.Context(), db, "SELECT _seq FROM lineage(a, 1)", netdb.Limits{})
	if want := [][]any{{int64(1)}, {int64(0)}}; err != nil || !cmp.Equal(want, rows) {
		t.Errorf("rows %v, error %v", rows, err)
	}
}

// TestLineageCancel asserts that a search ends when its context does, inside the application's function, too.
func TestLineageCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	db, err := netdb.Open(t.Context(), t.TempDir(), netdb.Options{Lineage: netdb.LineageFunc(func(_ string, ev redex.Event) ([]netdb.EventLink, error) {
		if calls++; calls == 10 {
			cancel()
		}
		return []netdb.EventLink{{Log: "a", Seq: int64(ev.Seq) - 1}}, nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var entries []redex.Entry
	for range 5000 {
		entries = append(entries, redex.Entry{Payload: []byte("x")})
	}
	appendLogs(t, db, map[string][]redex.Entry{"a": entries}, redex.LogOptions{})
	if _, err := valuesOf(ctx, db, "SELECT count(*) FROM lineage(a, 4999)", netdb.Limits{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if calls > 100 {
		t.Errorf("%d calls after the end", calls)
	}
}
