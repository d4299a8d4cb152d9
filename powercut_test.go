package netdb_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/internal/simdisk"
	"github.com/seed69692123/netdb/redex"
	"github.com/seed69692123/netdb/redex/journal"
)

var powerCuts = flag.Int("powercuts", 60, "operations of the disk at which TestPowerCuts cuts the power; 0 means every one")

func onDisk(d *simdisk.Disk) netdb.Options {
	return netdb.Options{Store: redex.Options{
		SealBytes: 4 << 10, RunEvents: 4, SegmentBytes: 64 << 10, JournalBytes: 256 << 10, CacheBytes: 64 << 10,
		Disk: &redex.Disk{Files: d.VFS(), Journal: func(string) (journal.FS, error) { return d.Journal(), nil }},
	}}
}

// powerRun is a database on a disk whose power goes, and what it acknowledged: every append under SyncAlways.
type powerRun struct {
	t     *testing.T
	acked map[string]map[redex.Seq]string
	epoch redex.Epoch
}

// work uses a database until an operation fails or it is done.
func (p *powerRun) work(d *simdisk.Disk, seed uint64) {
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(seed, 1))
	db, err := netdb.Open(ctx, "db", onDisk(d))
	if err != nil {
		return // the power went while it opened
	}
	defer db.Close()
	logs := make([]*redex.Log, len(killLogs))
	for i, name := range killLogs {
		if logs[i], err = db.OpenLog(ctx, name, redex.LogOptions{}); err != nil {
			return
		}
	}
	def := killFold()
	def.Options.Checkpoint.Events = 5
	h, err := netdb.OpenFold(ctx, db, def)
	if err != nil {
		return
	}
	for i := range 60 {
		ev := killEvent{Key: fmt.Sprintf("k%d", rng.IntN(5)), N: rng.Int64N(100)}
		batches := []redex.Batch{{Log: logs[rng.IntN(len(logs))]}}
		if i%4 == 0 {
			ev.Batch = fmt.Sprintf("%d.%d", seed, i)
			batches = []redex.Batch{{Log: logs[0]}, {Log: logs[1]}}
		}
		payload, _ := json.Marshal(ev)
		for k := range batches {
			batches[k].Entries = []redex.Entry{{Encoding: redex.JSON, Payload: payload}}
		}
		got, err := db.Store().Append(ctx, batches, redex.AppendOptions{})
		if err != nil {
			return
		}
		for k, a := range got {
			p.acked[batches[k].Log.Name()][a.Seq] = string(payload)
		}
		switch i % 15 {
		case 7:
			if db.Store().Seal(ctx) != nil {
				return
			}
		case 11:
			if h.CatchUp(ctx) != nil || h.Checkpoint(ctx) != nil {
				return
			}
		}
	}
}

// verify opens the disk and holds it against what was acknowledged. It returns without a verdict when the power goes again.
func (p *powerRun) verify(d *simdisk.Disk) {
	t, ctx := p.t, context.Background()
	off := func(err error) bool {
		if err == nil {
			return false
		}
		select {
		case <-d.Off():
		default:
			t.Errorf("with the power on: %v", err)
		}
		return true
	}
	db, err := netdb.Open(ctx, "db", onDisk(d))
	if off(err) {
		return
	}
	defer db.Close()
	if e := db.Store().Epoch(); e < p.epoch {
		t.Errorf("epoch %d after epoch %d", e, p.epoch)
	} else {
		p.epoch = e
	}
	report, err := db.Check(ctx)
	if off(err) {
		return
	}
	for _, problem := range report.Problems {
		t.Error("check:", problem)
	}
	want, batches := map[string]killTotal{}, map[string]int{}
	for _, name := range killLogs {
		log, err := db.Log(name)
		if errors.Is(err, redex.ErrNoLog) {
			if len(p.acked[name]) > 0 {
				t.Errorf("log %s is gone with %d acknowledged events", name, len(p.acked[name]))
			}
			continue
		}
		if off(err) {
			return
		}
		next := redex.Seq(0)
		for ev, err := range log.Scan(ctx, 0, log.Bounds().Next) {
			if off(err) {
				return
			}
			if ev.Seq != next {
				t.Errorf("log %s: sequence %d where %d was expected", name, ev.Seq, next)
				return
			}
			next++
			if payload, ok := p.acked[name][ev.Seq]; ok && payload != string(ev.Payload) {
				t.Errorf("log %s sequence %d: acknowledged %s, found %s", name, ev.Seq, payload, ev.Payload)
			}
			var e killEvent
			if err := json.Unmarshal(ev.Payload, &e); err != nil {
				t.Errorf("log %s sequence %d: %v", name, ev.Seq, err)
			}
			w := want[e.Key]
			want[e.Key] = killTotal{w.Sum + e.N, w.Events + 1}
			if e.Batch != "" {
				batches[e.Batch]++
			}
		}
		for seq := range p.acked[name] {
			if seq >= next {
				t.Errorf("log %s: sequence %d was acknowledged and is gone; the log ends at %d", name, seq, next)
			}
		}
	}
	for id, n := range batches {
		if n != 2 {
			t.Errorf("batch %s: %d of its 2 events", id, n)
		}
	}
	h, err := netdb.OpenFold(ctx, db, killFold())
	if off(err) || off(h.CatchUp(ctx)) {
		return
	}
	got := maps.Collect(h.Snapshot().State.Totals.All())
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the fold is not what the logs say: %s", diff)
	}
}

// TestPowerCuts cuts the power at operations of the disk during a workload of appends, batches over two logs, sealing and
// checkpoints, again while what is left is opened, and again after work goes on: what was acknowledged stays, batches are
// whole, and the fold is what the logs say.
func TestPowerCuts(t *testing.T) {
	cutPower(t, func() cutDisk {
		p := &powerRun{t: t, acked: map[string]map[redex.Seq]string{}}
		for _, name := range killLogs {
			p.acked[name] = map[redex.Seq]string{}
		}
		return p
	})
}

// cutDisk is what writes to a disk until its power is cut, and says what must be there afterwards.
type cutDisk interface {
	work(d *simdisk.Disk, seed uint64)
	verify(d *simdisk.Disk)
}

// cutPower runs what begin returns with the power cut at one operation after the other: while it works, while it recovers, and while it goes on.
func cutPower(t *testing.T, begin func() cutDisk) {
	run := func(at int64, seed uint64) (ops int64) {
		p := begin()
		d := simdisk.New(seed)
		if at > 0 {
			d.CutAt(at)
		}
		p.work(d, seed)
		ops = d.Ops()
		d = d.Restart(seed + 1)
		d.CutAt(1 + at%97) // again, while it recovers
		p.verify(d)
		d = d.Restart(seed + 2)
		p.verify(d)
		d.CutAt(d.Ops() + 40 + at%211) // and while it goes on
		p.work(d, seed+3)
		d = d.Restart(seed + 4)
		p.verify(d)
		return ops
	}
	total := run(0, 1)
	step := int64(1)
	if *powerCuts > 0 {
		step = max(total/int64(*powerCuts), 1)
	}
	for at := int64(1); at <= total && !t.Failed(); at += step {
		if run(at, uint64(at)*10); t.Failed() {
			t.Logf("with the power cut at operation %d of %d", at, total)
		}
	}
	t.Logf("%d operations, every %d-th", total, step)
}
