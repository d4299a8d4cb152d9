package redex

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/seed69692123/netdb/internal/simdisk"
)

// TestSealReadsAgain has a disk that gives nothing of the journal, or something else than was written, while a pass reads it. What
// comes back is not lost: a pass that cannot read fails, or reads again.
func TestSealReadsAgain(t *testing.T) {
	for _, batch := range []int{1, 3} { // frames that share a span, and spans of a frame
		for _, fault := range []simdisk.Fault{simdisk.IOError, simdisk.Flip} {
			for _, forever := range []bool{false, true} {
				if fault == simdisk.Flip && forever {
					continue // nothing tells it from damage
				}
				t.Run(fmt.Sprintf("batch=%d/%s/forever=%v", batch, faultNames[fault], forever), func(t *testing.T) {
					sealOnBadReads(t, batch, fault, forever)
				})
			}
		}
	}
}

func sealOnBadReads(t *testing.T, batch int, fault simdisk.Fault, forever bool) {
	ctx := t.Context()
	d := simdisk.New(1)
	d.SetPlain(true)
	o := crashOptions(d)
	o.SealBytes, o.SegmentBytes, o.JournalBytes = 1<<20, 1<<20, 4<<20 // no pass by itself
	s := mustOpen(t, "/store", o)
	l := mustLog(t, s, "a")
	const rounds = 20
	for i := range rounds {
		var es []Entry
		for k := range batch {
			es = append(es, Entry{Payload: fmt.Append(nil, i*batch+k, strings.Repeat("x", 3000))})
		}
		if _, err := l.AppendBatch(ctx, es, AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	reads := 0
	d.SetFaults(func(c simdisk.Call) simdisk.Fault {
		if c.Kind != simdisk.Read || !strings.HasSuffix(c.Name, ".seg") {
			return simdisk.NoFault
		}
		if reads++; reads == 2 || forever {
			return fault
		}
		return simdisk.NoFault
	})
	err := s.Seal(ctx)
	d.SetFaults(nil)
	if reads < 2 || (err != nil) != forever || err != nil && !errors.Is(err, syscall.EIO) {
		t.Fatalf("seal after %d reads: %v", reads, err)
	}
	if err := s.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	for seq := range Seq(rounds * batch) {
		if ev, err := l.Read(ctx, seq); err != nil || string(ev.Payload) != fmt.Sprint(seq, strings.Repeat("x", 3000)) {
			t.Errorf("sequence %d: %.20q, %v", seq, ev.Payload, err)
		}
	}
	if rep, err := s.Check(ctx); err != nil || len(rep.Damage) > 0 {
		t.Errorf("check: %v, %v", rep.Damage, err)
	}
	mustClose(t, s)
}

// TestOpenWithoutDescriptors has an open fail while it makes a segment: nothing was lost, and no epoch begins.
func TestOpenWithoutDescriptors(t *testing.T) {
	for _, fault := range []simdisk.Fault{simdisk.TooManyFiles, simdisk.IOError} {
		d := simdisk.New(2)
		s := mustOpen(t, "/store", crashOptions(d))
		a := mustAppend(t, mustLog(t, s, "a"), "one", "two")
		mustClose(t, s)
		d.SetFaults(func(c simdisk.Call) simdisk.Fault {
			if c.Kind == simdisk.Create && strings.HasSuffix(c.Name, ".seg") {
				return fault
			}
			return simdisk.NoFault
		})
		if s, err := Open(t.Context(), "/store", crashOptions(d)); err == nil {
			mustClose(t, s)
			t.Fatal("opened without a segment")
		} else if !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.EIO) {
			t.Fatal(err)
		}
		d.SetFaults(nil)
		s = mustOpen(t, "/store", crashOptions(d))
		if s.Epoch() != 1 || s.Recovery().MayHaveLost || s.CheckPosition(a.Position) != nil {
			t.Errorf("%s: epoch %d after an open that failed, %+v", faultNames[fault], s.Epoch(), s.Recovery())
		}
		mustClose(t, s)
	}
}

// TestDamageBeginsOneEpoch opens a store whose last frame is damaged again and again: that begins one epoch, not one for each open.
func TestDamageBeginsOneEpoch(t *testing.T) {
	ctx := t.Context()
	d := simdisk.New(3)
	o := crashOptions(d)
	o.SealBytes, o.JournalBytes = 64<<10, 1<<20 // no pass by itself
	s := mustOpen(t, "/store", o)
	l := mustLog(t, s, "a")
	mustAppend(t, l, "one")
	mustAppend(t, l, "a last one whose bytes rot")
	files, err := d.Journal().List()
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	name := files[0]
	f, err := d.Journal().Open(name, false)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(f.Map()), "whose bytes rot")
	d.Corrupt(name, int64(at), 1)
	for i := range 4 {
		s := mustOpen(t, "/store", o)
		if s.Epoch() != 2 || len(s.Recovery().Damage) != 1 {
			t.Errorf("open %d: epoch %d, damage %v", i, s.Epoch(), s.Recovery().Damage)
		}
		l := mustLog(t, s, "a")
		if ev, err := l.Read(ctx, 0); err != nil || string(ev.Payload) != "one" {
			t.Errorf("open %d: %q, %v", i, ev.Payload, err)
		}
		mustAppend(t, l, fmt.Sprint("after ", i))
		mustClose(t, s)
	}
}
