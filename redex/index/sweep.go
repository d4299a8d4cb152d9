package index

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/seed69692123/netdb/redex"
)

const (
	sweepEntries = 4096 // that a sweep looks at before events have their turn
	sweepEvents  = 256  // that have their turn then
	sweepShare   = 8    // a sweep begins by itself when retention took as many events as one in so many entries
	packSingly   = 64   // entries that leave the files one by one; for more the whole view is written anew
)

// sweep goes through all entries, and removes those of events that are erased.
type sweep struct {
	seqs    []redex.Seq // ascending
	floor   redex.Seq
	erased  int64
	from    []byte   // where it goes on
	removed [][]byte // keys of entries; packSingly+1 stand for any more
	answers []chan sweepDone
}

// sweepDone answers who asked for a sweep.
type sweepDone struct {
	removed [][]byte
	all     bool // the whole view is to be written anew
	err     error
}

// erasure asks the driver for a sweep.
type erasure struct {
	redex.Erasure
	answer chan sweepDone
	packed bool // it tells only that the files are written anew
}

// erase is the index's redex.Eraser. The next Open deals with what a closed index has not done.
func (x *Index) erase(ctx context.Context, e redex.Erasure) error {
	ask := erasure{Erasure: e, answer: make(chan sweepDone, 1)}
	x.askErasure(ask)
	var done sweepDone
	select {
	case done = <-ask.answer:
	case <-x.done:
		return nil
	case <-ctx.Done():
		return x.wrap(context.Cause(ctx))
	}
	if done.err != nil {
		return fmt.Errorf("index: erase from %q: %w", x.def.Name, done.err)
	}
	switch {
	case done.all || len(done.removed) > packSingly:
		if err := x.views.Compact(ctx, nil, nil); err != nil {
			return err
		}
	case len(done.removed) == 0:
		return nil
	}
	if !done.all && len(done.removed) <= packSingly {
		for _, key := range done.removed {
			if err := x.views.Compact(ctx, key, append(key, 0)); err != nil {
				return err
			}
		}
	}
	x.askErasure(erasure{packed: true})
	return nil
}

func (x *Index) askErasure(e erasure) {
	x.kickMu.Lock()
	defer x.kickMu.Unlock()
	x.erasures = append(x.erasures, e)
	x.signal.Store(true)
	x.kick()
}

// takeErasures returns what was asked for.
func (x *Index) takeErasures() []erasure {
	x.kickMu.Lock()
	defer x.kickMu.Unlock()
	e := x.erasures
	if x.erasures = nil; len(x.rebuild) == 0 && x.ctx.Err() == nil {
		x.signal.Store(false)
	}
	return e
}

// beginErasures begins the sweep that was asked for. What the index has taken in is in the view before, and what it takes in later is
// read by a new tail, which does not see what is redacted.
func (d *driver) beginErasures() {
	for _, e := range d.x.takeErasures() {
		switch {
		case e.packed:
			d.swept.unpacked, d.sweptDirty = false, true
		case d.gone:
			e.answer <- sweepDone{}
		case len(e.Seqs) == 0 && d.sweeping == nil && d.x.log.Bounds().Floor <= d.swept.floor:
			e.answer <- sweepDone{all: d.swept.unpacked}
		default:
			d.beginSweep(e.Seqs, e.Erased, e.answer)
		}
	}
}

func (d *driver) beginSweep(seqs []redex.Seq, erased int64, answer chan sweepDone) {
	s := d.sweeping
	if s == nil {
		s = &sweep{erased: d.swept.erased}
	}
	s.seqs = slices.Concat(s.seqs, seqs)
	slices.Sort(s.seqs)
	s.floor, s.erased, s.from = d.x.log.Bounds().Floor, max(s.erased, erased), []byte{keyEntry}
	if answer != nil {
		s.answers = append(s.answers, answer)
	}
	d.sweeping = s
	d.flush()
}

// sweepsFloor begins a sweep when retention took enough for it.
func (d *driver) sweepsFloor() {
	if d.x.def.Options.EventOf == nil || d.sweeping != nil || d.end != nil || d.saved.values == 0 {
		return
	}
	floor := min(d.x.log.Bounds().Floor, d.saved.next)
	if from := max(d.swept.floor, d.saved.from); floor > from && int64(floor-from) >= d.saved.values/sweepShare {
		d.beginSweep(nil, 0, nil)
	}
}

// sweepSome goes on with the sweep.
func (d *driver) sweepSome() {
	err := d.sweepEntries()
	s := d.sweeping
	if err != nil || s == nil {
		d.endSweep(err)
		return
	}
	if s.from != nil {
		if d.batch.full(d.x.def.Options.BatchBytes) {
			d.flush()
		}
		return
	}
	d.swept.erased, d.swept.floor, d.sweptDirty = s.erased, s.floor, true
	d.flush() // which ends it when it fails
	d.endSweep(nil)
}

// sweepEntries removes what is to go of the next entries. It leaves no key to go on at when there are no more.
func (d *driver) sweepEntries() error {
	s := d.sweeping
	it, err := d.x.views.Iter(s.from, []byte{keyEntry + 1})
	if err != nil {
		return err
	}
	defer it.Close()
	s.from = nil
	n := 0
	for ok := it.First(); ok; ok = it.Next() {
		if n++; n > sweepEntries {
			s.from = bytes.Clone(it.Key())
			break
		}
		key, value, long, err := parseEntry(it.Key(), d.record[:0])
		if err != nil {
			return fmt.Errorf("%w: %w", ErrUnusable, err)
		}
		d.record = key[:0]
		if long {
			if value, err = it.Value(); err != nil {
				return err
			}
		}
		seq := d.x.def.Options.EventOf(key, value)
		if _, redacted := slices.BinarySearch(s.seqs, seq); !redacted && seq >= s.floor {
			continue
		}
		d.batch.add(opRemove, key, value)
		if len(s.removed) <= packSingly {
			s.removed = append(s.removed, bytes.Clone(it.Key()))
		}
		if !d.swept.unpacked {
			d.swept.unpacked, d.sweptDirty = true, true
		}
	}
	d.batch.keep()
	return it.Err()
}

// endSweep tells those who wait for the sweep that it is over.
func (d *driver) endSweep(err error) {
	s := d.sweeping
	if s == nil {
		return
	}
	d.sweeping = nil
	done := sweepDone{removed: s.removed, err: err, all: d.swept.unpacked && len(s.removed) == 0}
	for _, a := range s.answers {
		a <- done
	}
}
