package journal_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/seed69692123/netdb/internal/simdisk"
	"github.com/seed69692123/netdb/redex/journal"
)

// journalOf returns a disk with a journal of some large frames that was closed.
func journalOf(t *testing.T, frames int) (*simdisk.Disk, journal.Options) {
	t.Helper()
	d := simdisk.New(1)
	d.SetPlain(true)
	o := journal.Options{FirstSegmentBytes: 64 << 10, MaxSegmentBytes: 64 << 10, Sync: journal.SyncPolicy{Mode: journal.SyncNever}}
	j, _, err := journal.Open(context.Background(), d.Journal(), o, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range frames {
		if _, err := j.Append(t.Context(), journal.Body{Head: fmt.Append(nil, i, strings.Repeat("x", 15000))}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return d, o
}

// TestUnreadableAtRecovery has all reads of recovery fail from one on: it fails, or goes without what is known to be lost, and when the
// disk can be read again everything is there.
func TestUnreadableAtRecovery(t *testing.T) {
	const frames = 8
	failed := 0
	for which := range 80 {
		after := journal.Ordinal(which / 40 * 6) // what the owner has
		which %= 40
		d, o := journalOf(t, frames)
		reads := 0
		d.SetFaults(func(c simdisk.Call) simdisk.Fault {
			if c.Kind == simdisk.Read {
				if reads++; reads-1 >= which {
					return simdisk.IOError
				}
			}
			return simdisk.NoFault
		})
		told := false
		j, rec, err := journal.Open(context.Background(), d.Journal(), o, after, nil)
		if err == nil {
			told = len(rec.Damage) > 0
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		} else {
			failed++
		}
		d.SetFaults(nil)
		n := 0
		j, rec, err = journal.Open(context.Background(), d.Journal(), o, after, func(journal.Frame) error { n++; return nil })
		if err != nil {
			t.Fatal(err)
		}
		if n+int(after) != frames && !told || rec.NewEpoch && !told {
			t.Errorf("reads fail from %d on: %d frames afterwards, %+v", which, n, rec)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if failed == 0 {
		t.Error("no open failed")
	}
}

// TestReadAgainAtRecovery has one read of recovery give another bit than was written, or nothing: nothing is taken for damaged.
func TestReadAgainAtRecovery(t *testing.T) {
	const frames = 8
	for _, fault := range []simdisk.Fault{simdisk.IOError, simdisk.Flip} {
		for which := range 6 {
			d, o := journalOf(t, frames)
			reads := 0
			d.SetFaults(func(c simdisk.Call) simdisk.Fault {
				if c.Kind == simdisk.Read {
					if reads++; reads-1 == which {
						return fault
					}
				}
				return simdisk.NoFault
			})
			n := 0
			j, rec, err := journal.Open(context.Background(), d.Journal(), o, 0, func(f journal.Frame) error {
				if want := fmt.Sprint(n, strings.Repeat("x", 15000)); string(f.Body) != want {
					t.Errorf("frame %d is another", f.Ordinal)
				}
				n++
				return nil
			})
			if err != nil || n != frames || len(rec.Damage) > 0 || rec.NewEpoch {
				t.Errorf("read %d with fault %d: %d frames, %+v, %v", which, fault, n, rec, err)
			}
			d.SetFaults(nil)
			if err == nil {
				if err := j.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
