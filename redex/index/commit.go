package index

import (
	"context"
	"errors"
	"time"

	"github.com/seed69692123/netdb/redex"
)

// flush commits the batch with its position, and tells readers. While the disk is full it waits for room. It returns false after an
// error, which ended the index. Close does not interrupt it, except in that wait.
func (d *driver) flush() bool {
	if !d.dirty() && d.at.next == d.saved.next && !d.sweptDirty {
		d.since, d.hurry = 0, 0
		return true
	}
	err := d.prepare()
	for pause := leastPause; err == nil; pause = min(2*pause, mostPause) {
		if err = d.x.views.Commit(context.Background(), &d.out, d.at.ordinal); err == nil || !errors.Is(err, redex.ErrReadOnly) {
			break
		}
		d.publish(err)
		if !d.pause(pause) {
			break
		}
		err = nil
	}
	if err != nil {
		d.commitFailed(err)
		return false
	}
	d.x.commits.Add(1)
	d.saved, d.sweptDirty = d.at, false
	d.clear()
	d.publish(nil)
	return true
}

// prepare fills out with what the batch changes.
func (d *driver) prepare() error {
	d.out.Reset()
	keys, values, err := d.batch.resolve(d.x.views, &d.out, d.fresh)
	if err != nil {
		return err
	}
	for _, n := range d.notes {
		d.record = d.record[:0]
		if n.kind == keyLost {
			d.record = appendSeq(d.record, n.to)
		}
		d.record = append(d.record, n.reason...)
		d.out.Set(seqKey(n.kind, n.seq), d.record)
	}
	d.at.keys, d.at.values = d.saved.keys+keys, d.saved.values+values
	d.at.epoch = d.x.store.Epoch()
	if d.sweptDirty {
		d.out.Set(sweptKey, d.swept.append(nil))
	}
	d.record = d.at.append(d.record[:0])
	d.out.Set(metaKey, d.record)
	return nil
}

// pause waits before a commit is tried again. It returns false when the driver is to end.
func (d *driver) pause(t time.Duration) bool {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-d.x.ctx.Done():
		return false
	}
}

// commitFailed ends the index. What was not committed is projected again by the next Open, or after a rebuild.
func (d *driver) commitFailed(err error) {
	d.at = d.saved
	d.clear()
	switch {
	case d.x.ctx.Err() != nil, errors.Is(err, redex.ErrClosed):
		if !errors.Is(err, redex.ErrClosed) && !errors.Is(err, redex.ErrReadOnly) {
			d.closeErr = err
		}
		d.end, d.closed = ErrClosed, true
	default:
		d.end = &StoppedError{Index: d.x.def.Name, Log: d.x.log.Name(), Seq: d.at.next, Cause: err}
		d.x.def.Options.Logger.Error("index: stopped", "index", d.x.def.Name, "err", d.end)
	}
	d.endSweep(d.end)
	d.publish(nil)
}
