package redex

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/seed69692123/netdb/internal/simdisk"
	"github.com/seed69692123/netdb/redex/journal"
)

// TestCheckpointCut cuts the power, kills the process or has an operation fail at each operation of the disk while a checkpoint is made. It
// is whole or not there, and there when that was said.
func TestCheckpointCut(t *testing.T) {
	ctx := context.Background()
	seed, atOnce := uint64(3), false
	run := func(arm func(*simdisk.Disk)) (d *simdisk.Disk, made bool, err error) {
		d = simdisk.New(seed)
		s := mustOpen(t, "/store", crashOptions(d))
		l := mustLog(t, s, "a")
		for i := range 30 {
			mustAppend(t, l, string(busyPayload("a", Seq(i))))
			if i%10 == 9 && i < 20 {
				if err := s.Seal(ctx); err != nil {
					t.Fatal(err)
				}
			}
		}
		arm(d)
		_, err = s.Checkpoint(ctx, "/copy")
		if seed++; err == nil && atOnce {
			d.Cut()
		}
		_ = s.Close() // its disk may be gone
		return d, err == nil, err
	}
	var first int64
	d, made, err := run(func(d *simdisk.Disk) { first = d.Ops() })
	if !made {
		t.Fatal(err)
	}
	last, there := d.Ops(), 0
	for op := first + 1; op <= last; op++ {
		for how, arm := range map[string]func(*simdisk.Disk){
			"cut":  func(d *simdisk.Disk) { d.CutAt(op) },
			"kill": func(d *simdisk.Disk) { d.KillAt(op) },
			"fail": func(d *simdisk.Disk) { d.FailAt(op, simdisk.DiskFull) },
		} {
			what := fmt.Sprintf("%s at %d of %d", how, op-first, last-first)
			atOnce = how == "cut"
			d, made, _ := run(arm)
			switch how {
			case "cut":
				d = d.Restart(uint64(op))
			case "kill":
				d = d.Kill(uint64(op))
			default:
				d.Mend() // a run may take fewer operations
			}
			files := d.VFS()
			_, err := files.Stat("/copy")
			if isNotExist(err) {
				if made {
					t.Errorf("%s: it is not there", what)
				}
				continue
			}
			there++
			o := crashOptions(d)
			o.ReadOnly = true
			o.Disk.Journal = func(dir string) (journal.FS, error) { return simJournal(t, files, dir), nil }
			s, err := Open(ctx, "/copy", o)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			l := mustLogOf(t, s, "a")
			for ev, err := range l.Scan(ctx, 0, 30) {
				if err != nil || string(ev.Payload) != string(busyPayload("a", ev.Seq)) {
					t.Fatalf("%s: event %d is %q, %v", what, ev.Seq, ev.Payload, err)
				}
			}
			if rep, err := s.Check(ctx); err != nil || len(rep.Damage) > 0 || rep.Events != 30 {
				t.Errorf("%s: %+v, %v", what, rep, err)
			}
			if err := s.Close(); err != nil && !errors.Is(err, simdisk.ErrPowerOff) {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d operations; it was there %d times", last-first, there)
	if there == 0 {
		t.Error("it was never there")
	}
}
