package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Open opens the journal in fs, or makes one. It recovers what is there, calls replay for each readable frame with an ordinal
// above after, in order, and returns when everything recovered is durable and the current epoch is recorded. after is the
// ordinal up to which the owner already has everything, durably; a journal that ends below it goes on above it. An error of
// replay ends Open with that error. The context is looked at between frames.
//
// When the disk is full Open succeeds: what is there can be read, and Append returns ErrDiskFull until there is room.
func Open(ctx context.Context, fsys FS, o Options, after Ordinal, replay func(Frame) error) (*Journal, Recovery, error) {
	if err := o.Validate(); err != nil {
		return nil, Recovery{}, err
	}
	if err := ctx.Err(); err != nil {
		return nil, Recovery{}, context.Cause(ctx)
	}
	o = o.withDefaults()
	r := &recovery{ctx: ctx, fs: fsys, opt: o, after: after, replay: replay}
	j, err := r.open()
	if err != nil {
		return nil, Recovery{}, errors.Join(err, r.closeFiles(func(*candidate) bool { return false }))
	}
	return j, r.report, nil
}

func (r *recovery) open() (*Journal, error) {
	if err := r.discover(); err != nil {
		return nil, err
	}
	r.link()
	if err := r.scan(); err != nil {
		return nil, err
	}
	aside := r.headless()
	epochs := r.conclude()
	lock := r.opt.Lock
	if lock == nil {
		lock = new(sync.Mutex)
	}
	j := &Journal{
		mu: lock,
		fs: r.fs, opt: r.opt, base: time.Now(), readOnly: r.opt.ReadOnly,
		maxBody: int(min(r.opt.MaxSegmentBytes/segmentsPerFrame+blockBytes, 1<<maxBodyBits-1)),
		epochs:  epochs, end: r.end, damage: slices.Clone(r.report.Damage), nextSize: r.opt.FirstSegmentBytes, nextNumber: 1,
		closed: make(chan struct{}), quit: make(chan struct{}),
		wakeKeeper: make(chan struct{}, 1), wakeSyncer: make(chan struct{}, 1),
	}
	if n := len(r.files); n > 0 {
		j.nextNumber = r.files[n-1].number + 1
	}
	j.shelf.below = j.nextNumber // what an earlier run had let go may be there again, after a loss of power
	j.visible = r.end.last
	j.lastTime = r.end.lastTime
	j.clock.base = j.base
	if r.opt.ReadOnly {
		return j, r.openReadOnly(j)
	}
	if err := r.settle(); err != nil {
		j.notePoison()
		return nil, err
	}
	j.durable.Store(uint64(r.end.last))
	r.install(j, aside)
	kept := *j.segments.Load()
	if err := r.closeFiles(func(c *candidate) bool { return slices.Contains(kept, c.seg) }); err != nil {
		return nil, err
	}
	err := j.roll(0)
	inDoubt := j.poison.Load() != nil // a new segment that cannot be made takes nothing from what was recovered
	if err == nil {
		err = j.syncEndFrame()
		inDoubt = err != nil
	}
	if err != nil && !errors.Is(err, ErrDiskFull) {
		if inDoubt {
			j.notePoison()
		}
		if j.active != nil {
			err = errors.Join(err, j.active.file.Close())
		}
		return nil, err
	}
	j.goroutines.Add(1)
	go j.keeper()
	if r.opt.Sync.Mode == SyncInterval {
		j.goroutines.Add(1)
		go j.syncer()
	}
	return j, nil
}

// syncEndFrame syncs the end frame of the segment before the active one. Nobody else has the journal yet.
func (j *Journal) syncEndFrame() error {
	for _, s := range j.unsynced {
		if s == j.active || s.synced == s.written() {
			continue
		}
		if err := s.file.SyncRange(s.synced, s.written()-s.synced); err != nil {
			return fmt.Errorf("journal: sync the end frame of %s at %d: %w", s.name, s.end, err)
		}
		s.synced = s.written()
	}
	return nil
}

// conclude decides on the epoch, completes the report and returns the epochs.
func (r *recovery) conclude() []EpochStart {
	boot := r.fs.BootID()
	fresh := r.head == nil
	rep := &r.report
	rep.Empty = len(r.files) == 0
	epochs := slices.Clone(r.opt.Epochs)
	if fresh {
		rep.Clean = len(rep.Damage) == 0
		r.next = max(r.next, r.after+1)
		rep.MayHaveLost = r.lost || len(epochs) > 0 || r.after > 0
		if len(epochs) == 0 && (r.after > 0 || r.lost) {
			epochs = []EpochStart{{1, 1}}
		}
	} else {
		rep.Clean = r.clean && len(r.chain) > 0 && r.chain[len(r.chain)-1].c == r.head
		rep.SameBoot = boot != [16]byte{} && boot == r.head.seg.hdr.boot
		rep.MayHaveLost = r.lost || r.note || !rep.Clean && !rep.SameBoot
		epochs = mergeEpochs(epochs, r.head.seg.hdr.epochs)
		if r.next <= r.after {
			// The owner has more than the journal, which is not where it was left. It starts again above.
			rep.MayHaveLost = true
			r.next = r.after + 1
			r.end = endOf{}
			for _, l := range r.chain {
				l.c.used = false
			}
			r.chain = nil
		}
	}
	r.lastTime = max(r.lastTime, r.opt.LastTime)
	r.end.last, r.end.lastTime = r.next-1, r.lastTime
	rep.Last, rep.LastTime = r.end.last, r.lastTime
	switch {
	case len(epochs) == 0:
		epochs = []EpochStart{{1, r.next}}
	case rep.MayHaveLost && !r.opt.ReadOnly:
		rep.NewEpoch = true
		epochs = append(epochs, EpochStart{epochs[len(epochs)-1].Epoch + 1, r.next})
	}
	rep.Epochs = slices.Clone(epochs)
	return epochs
}

// mergeEpochs joins two lists; of an epoch in both, own is believed.
func mergeEpochs(known, own []EpochStart) []EpochStart {
	byNumber := make(map[Epoch]Ordinal, len(known)+len(own))
	for _, e := range known {
		byNumber[e.Epoch] = e.First
	}
	for _, e := range own {
		byNumber[e.Epoch] = e.First
	}
	all := make([]EpochStart, 0, len(byNumber))
	for n, first := range byNumber {
		all = append(all, EpochStart{n, first})
	}
	slices.SortFunc(all, func(a, b EpochStart) int { return int(int64(a.Epoch - b.Epoch)) })
	return all
}

// install gives the chain to the journal, and the rest to be removed when a new segment has made it void.
func (r *recovery) install(j *Journal, aside []string) {
	// Segments at the end without frames are left out, so that opening again and again does not make a chain of them.
	for n := len(r.chain); n > 0; n = len(r.chain) {
		l := r.chain[n-1]
		if r.next != l.hdr.first {
			break
		}
		l.c.used = false
		r.chain = r.chain[:n-1]
		j.end.number, j.end.offset = l.hdr.prev, l.hdr.prevEnd
	}
	if len(r.chain) == 0 && r.head != nil && r.next > r.after && j.end.number != 0 && r.find(j.end.number) == nil {
		j.end.number, j.end.offset = 0, 0 // the predecessor was released
	}
	segments := make([]*segment, 0, len(r.chain))
	for _, l := range r.chain {
		l.synced, l.populated, l.ended = l.end, l.size, true
		segments = append(segments, l.segment)
		j.heldBytes += l.end - headerPageBytes
	}
	j.segments.Store(&segments)
	for _, c := range r.files {
		switch {
		case slices.Contains(aside, c.name):
			j.aside = append(j.aside, c.name)
		case c.used:
		case c.seg == nil && len(r.chain) > 0 && c.number > r.chain[0].hdr.number && c.number < r.chain[len(r.chain)-1].hdr.number:
			// A segment of the chain that lost its header: it is for repair.
		default:
			j.cleanup = append(j.cleanup, c.name)
		}
	}
	if r.note {
		j.cleanup = append(j.cleanup, poisonName)
	}
}

func (r *recovery) openReadOnly(j *Journal) error {
	segments := make([]*segment, 0, len(r.chain))
	for _, l := range r.chain {
		segments = append(segments, l.segment)
		j.heldBytes += l.end - headerPageBytes
	}
	j.segments.Store(&segments)
	j.stop = ErrReadOnly
	j.durable.Store(uint64(min(r.known, r.end.last)))
	if r.clean {
		j.durable.Store(uint64(r.end.last))
	}
	return r.closeFiles(func(c *candidate) bool { return slices.Contains(segments, c.seg) })
}

// Check reads every frame of every segment not released and returns the damage found now and at Open. It reads beside appends
// and takes as long as the journal is.
func (j *Journal) Check(ctx context.Context) ([]Damage, error) {
	j.mu.Lock()
	all := *j.segments.Load()
	last := j.visible
	damage := slices.Clone(j.damage)
	ends := make([]int64, len(all))
	for i, s := range all {
		ends[i] = s.end
	}
	j.mu.Unlock()
	if j.isClosed() {
		return nil, ErrClosed
	}
	told := len(damage)
	var buf []byte
	for i, s := range all {
		if err := ctx.Err(); err != nil {
			return damage, context.Cause(ctx)
		}
		if !s.hold() {
			continue // released meanwhile
		}
		top := last
		if i+1 < len(all) {
			top = all[i+1].hdr.first - 1
		}
		var found []Damage
		found, buf = s.check(buf, ends[i], top)
		s.drop()
		for _, f := range found {
			known := func(d Damage) bool { return d.From <= f.From && f.To <= d.To }
			if !slices.ContainsFunc(damage[:told], known) {
				damage = append(damage, f)
			}
		}
	}
	return damage, nil
}

// check reads the frames of a segment that ends at end with ordinal last.
func (s *segment) check(buf []byte, end int64, last Ordinal) ([]Damage, []byte) {
	var damage []Damage
	c := scanner{seg: s, off: headerPageBytes, next: s.hdr.first, time: s.hdr.lastTime}
	buf, c.bad = s.load(buf, end)
	c.buf = buf
	for c.next <= last {
		h, f := c.look()
		if f == foundFrame {
			c.pass(&h)
			continue
		}
		at, from, why := c.off, c.next, c.why(&h, f)
		switch {
		case f == foundBadBody && at+h.bytes() <= int64(len(c.buf)):
			c.pass(&h)
		case c.resync(last):
		default:
			c.next = last + 1
		}
		damage = append(damage, Damage{From: from, To: c.next - 1, Err: s.corrupt(at, why)})
	}
	return damage, buf
}
