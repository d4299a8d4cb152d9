package redex

import (
	"errors"
	"fmt"
	"testing"
)

// TestDamagedLogRecord damages what the catalog says of a log that has events in the journal: its record, the name of its id,
// or both. The store opens, tells it, and holds what it held, of that log and of others; only the log's options are lost.
func TestDamagedLogRecord(t *testing.T) {
	ctx := t.Context()
	for _, harm := range []string{"record", "id", "both"} {
		for _, held := range []string{"runs", "rows", "both", "nothing"} {
			t.Run(harm+" of a log with "+held, func(t *testing.T) {
				dir := t.TempDir() + "/store"
				o := Options{RunEvents: 4}
				s := mustOpen(t, dir, o)
				seal := func() {
					t.Helper()
					if err := s.Seal(ctx); err != nil {
						t.Fatal(err)
					}
				}
				l := mustLog(t, s, "a")
				next := 0
				add := func(n int) {
					for range n {
						mustAppend(t, l, fmt.Sprint(next))
						next++
					}
					seal()
				}
				mustAppend(t, mustLog(t, s, "other"), "x")
				if held != "rows" {
					add(5)
				}
				if held != "runs" {
					add(2)
				}
				floor := Seq(0)
				if held == "nothing" {
					floor = Seq(next)
					if err := l.Trim(ctx, floor); err != nil {
						t.Fatal(err)
					}
					seal()
				}
				mustAppend(t, l, fmt.Sprint(next), fmt.Sprint(next+1))
				mustAppend(t, mustLog(t, s, "other"), "y")
				b := s.kv.NewBatch()
				var errs []error
				if harm != "id" {
					errs = append(errs, b.Set(nameKey("a"), []byte{255}))
				}
				if harm != "record" {
					errs = append(errs, b.Set(idKey(l.id), nil))
				}
				if err := errors.Join(append(errs, s.kv.Apply(ctx, b), b.Close())...); err != nil {
					t.Fatal(err)
				}
				mustClose(t, s)

				name := "a"
				if harm == "both" {
					name = recoveredName(l.id)
				}
				for i := range 3 {
					s = mustOpen(t, dir, o)
					if i == 0 && (len(s.Recovery().Damage) == 0 || s.Epoch() != 2) {
						t.Errorf("epoch %d, %+v", s.Epoch(), s.Recovery())
					}
					got, err := s.Log(name)
					if err != nil {
						t.Fatal(err)
					}
					if b := got.Bounds(); got.id != l.id || b != (Bounds{floor, Seq(next + 2)}) {
						t.Errorf("open %d: log %d, bounds %v", i, got.id, b)
					}
					for seq := floor; seq < Seq(next)+2; seq++ {
						if ev, err := got.Read(ctx, seq); err != nil || string(ev.Payload) != fmt.Sprint(seq) {
							t.Errorf("open %d: sequence %d: %q, %v", i, seq, ev.Payload, err)
						}
					}
					if ev, err := mustLog(t, s, "other").Latest(ctx); err != nil || string(ev.Payload) != "y" {
						t.Errorf("another log: %q, %v", ev.Payload, err)
					}
					if i > 0 {
						seal()
						if rep, err := s.Check(ctx); err != nil || len(rep.Damage) > 0 && harm != "both" {
							t.Errorf("check: %v, %v", rep.Damage, err)
						}
					}
					mustClose(t, s)
				}
			})
		}
	}
}
