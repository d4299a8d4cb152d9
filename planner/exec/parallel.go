package exec

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/seed69692123/netdb/planner/vector"
)

// Division is the parts of a table, which goroutines take to read. Parts are numbered in the order of their rows. Who has read one goes on with the
// next one, and, when that is taken, begins in the middle of the longest stretch that is left: so few stretches are read whose rows all
// follow each other.
type Division struct {
	mu    sync.Mutex
	taken []bool
	begun int
	first int  // stretches that are begun evenly
	fixed bool // there are no others
}

// NewDivision returns a division of so many parts for so many goroutines. One that is fixed gives each of them one stretch: so it is the same
// whatever their speed.
func NewDivision(parts, threads int, fixed bool) *Division {
	return &Division{taken: make([]bool, parts), first: min(threads, parts), fixed: fixed}
}

// Begin takes a part at which nobody goes on, and returns its number; -1 when all are taken.
func (d *Division) Begin() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.begun < d.first {
		at := d.begun * len(d.taken) / d.first
		d.begun++
		if !d.taken[at] {
			d.taken[at] = true
			return at
		}
	}
	if d.fixed {
		return -1
	}
	from, n := -1, 0
	for i := 0; i < len(d.taken); i++ {
		k := i
		for k < len(d.taken) && !d.taken[k] {
			k++
		}
		if k-i > n {
			from, n = i, k-i
		}
		i = max(i, k)
	}
	if n == 0 {
		return -1
	}
	at := from
	if from > 0 { // somebody is reading the part before it
		at += n / 2
	}
	d.taken[at] = true
	return at
}

// Take takes part i, if there is one that nobody has.
func (d *Division) Take(i int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i >= len(d.taken) || d.taken[i] || d.fixed && d.begins(i) {
		return false
	}
	d.taken[i] = true
	return true
}

// begins reports whether a fixed stretch begins with part i.
func (d *Division) begins(i int) bool {
	for k := range d.first {
		if k*len(d.taken)/d.first == i {
			return true
		}
	}
	return false
}

// PartScan reads a stretch of parts of a table: one that was begun, and those after it until one is taken.
type PartScan struct {
	// Start begins the scan of a part.
	Start func(ctx context.Context, part int) (Iterator, error)
	// Count, when set, gives what an iterator counted.
	Count func(it Iterator) Stats
	Of    *Division
	At    int // the part that was begun

	it    Iterator
	ended bool
	err   error
	stats Stats
}

// Open does nothing: a part is opened when it is read.
func (s *PartScan) Open(context.Context) error { return nil }

// Next returns the next batch of the stretch.
func (s *PartScan) Next(ctx context.Context) (*vector.Batch, error) {
	for s.err == nil && !s.ended {
		if s.err = ctx.Err(); s.err != nil {
			break
		}
		if s.it == nil {
			if s.it, s.err = s.Start(ctx, s.At); s.err != nil {
				break
			}
		}
		var b *vector.Batch
		b, s.err = s.it.Next(ctx)
		if s.err != nil {
			break
		}
		if b == nil {
			if s.err = s.closePart(); s.err == nil {
				s.At++
				s.ended = !s.Of.Take(s.At)
			}
			continue
		}
		if n := b.Rows(); n > 0 {
			s.stats.Rows += int64(n)
			return b, nil
		}
	}
	return nil, s.err
}

func (s *PartScan) closePart() error {
	if s.it == nil {
		return nil
	}
	err := s.it.Close()
	if s.Count != nil {
		s.stats.Add(s.Count(s.it))
	}
	s.it = nil
	return err
}

// Close ends the scan.
func (s *PartScan) Close() error {
	s.ended = true
	return s.closePart()
}

// Stats returns what the scan counted.
func (s *PartScan) Stats() Stats { return s.stats }

// ParallelAggregate is a HashAggregate by several goroutines: each groups the rows of stretches of a table, and the groups are merged
// in the order of the stretches. Where that is not enough memory, or a row fails, it is done again by one goroutine, which can
// put rows on disk, and which finds the row that fails first.
type ParallelAggregate struct {
	// Serial does it by one goroutine. It is opened only then.
	Serial *HashAggregate
	// Divide returns in how many parts the table may be read; one or less when it is not worth it.
	Divide func(ctx context.Context) (int, error)
	// Part returns an aggregate like Serial over the stretch that begins with a part.
	Part func(d *Division, first int) *HashAggregate
	// Tables are the build sides of the joins in the parts. They are read first.
	Tables  []*JoinTable
	Threads int
	// Fixed divides the table in the same way each time: for aggregates whose result shows how it was divided.
	Fixed bool
	Env   *Env

	reserve spiller // counts among those who share the budget, until it is known who does
	result  *HashAggregate
	parts   []partial
	err     error
	nanos   int64 // of all goroutines, without what passed meanwhile
}

// partial is the groups of a stretch.
type partial struct {
	first int
	h     *HashAggregate
}

// Open does nothing but to have a part of the budget.
func (p *ParallelAggregate) Open(context.Context) error {
	if len(p.Serial.Keys) > 0 {
		p.reserve.open(p.Env)
	}
	for _, t := range p.Tables {
		t.open()
	}
	return nil
}

// Next reads all of the input, then returns the groups.
func (p *ParallelAggregate) Next(ctx context.Context) (*vector.Batch, error) {
	if p.err != nil {
		return nil, p.err
	}
	if p.result == nil {
		if p.err = p.run(ctx); p.err != nil {
			return nil, p.err
		}
	}
	return p.result.Next(ctx)
}

func (p *ParallelAggregate) run(ctx context.Context) error {
	n, err := p.Divide(ctx)
	if err != nil {
		return err
	}
	if n > 1 {
		for i := 0; err == nil && i < len(p.Tables); i++ {
			err = p.Tables[i].read(ctx)
		}
		if err == nil {
			err = p.group(ctx, n, p.reserve.mostShared(p.Env)/int64(p.Threads))
		}
		if err == nil {
			err = p.merge(ctx)
		}
		if err == nil {
			p.result = p.parts[0].h
			return p.closeTables()
		}
		if err := errors.Join(ctx.Err(), p.drop()); err != nil {
			return err
		}
	}
	if err := errors.Join(p.reserve.close(), p.closeTables()); err != nil {
		return err
	}
	p.result = p.Serial
	return p.Serial.Open(ctx)
}

// group has the stretches grouped, by operators that hold no more than most bytes each.
func (p *ParallelAggregate) group(ctx context.Context, parts int, most int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	d := NewDivision(parts, p.Threads, p.Fixed)
	var mu sync.Mutex
	var failed error
	start, spent := time.Now(), int64(0)
	work := func() {
		began := time.Now()
		defer func() {
			mu.Lock()
			spent += int64(time.Since(began))
			mu.Unlock()
		}()
		for at := d.Begin(); at >= 0; at = d.Begin() {
			h := p.Part(d, at)
			mu.Lock()
			p.parts = append(p.parts, partial{at, h})
			mu.Unlock()
			if err := groupStretch(ctx, h, most); err != nil {
				mu.Lock()
				if failed == nil {
					failed = err
				}
				mu.Unlock()
				cancel(err)
				return
			}
		}
	}
	var wg sync.WaitGroup
	for range min(p.Threads, parts) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	p.nanos += spent - int64(time.Since(start))
	return unlessPanic(failed)
}

// errPartTooLarge ends the grouping of a stretch.
var errPartTooLarge = errors.New("exec: the groups of a part of the table are too large")

// groupStretch reads the input of an aggregate that holds no more than most bytes.
func groupStretch(ctx context.Context, h *HashAggregate, most int64) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &PanicError{Value: r, Stack: debug.Stack()}
		}
	}()
	h.part, h.most = true, most
	if err := h.Open(ctx); err != nil {
		return err
	}
	h.s.begin(ctx)
	return h.consume(ctx)
}

// PanicError is a panic of an operator, a defect of this library: the query ends with it, and nothing else does.
type PanicError struct {
	Value any
	Stack []byte // of the goroutine that panicked
}

func (e *PanicError) Error() string { return fmt.Sprintf("query: internal error: %v", e.Value) }

// merge merges the groups of all stretches into those of the first.
func (p *ParallelAggregate) merge(ctx context.Context) error {
	slices.SortFunc(p.parts, func(a, b partial) int { return a.first - b.first })
	into := p.parts[0].h
	into.s.begin(ctx)
	for _, part := range p.parts[1:] {
		if err := into.merge(part.h); err != nil {
			return err
		}
		into.s.OtherType += part.h.s.OtherType
		if err := part.h.Close(); err != nil {
			return err
		}
	}
	p.parts = p.parts[:1]
	into.done, into.most = true, 0
	return nil
}

// merge takes in the groups of another aggregate, whose rows come after.
func (h *HashAggregate) merge(o *HashAggregate) error {
	groups := make([]int32, o.total)
	if h.table != nil {
		g := 0
		var hashes []uint64
		for page := 0; g < o.total; page++ {
			keys, rows := o.table.rows.Page(page)
			hashes = hashes[:0]
			for i := range rows {
				hashes = append(hashes, o.table.refs.at(g+i).hash)
			}
			if err := h.table.addAll(keys, nil, rows, hashes, groups[g:g+rows], nil); err != nil {
				return err
			}
			g += rows
			if err := h.s.rows(nil, rows); err != nil {
				return err
			}
		}
		h.setGroups(h.table.len())
	}
	for k, a := range h.aggs {
		if err := a.acc.merge(o.aggs[k].acc, groups); err != nil {
			return err
		}
	}
	return h.count()
}

// drop closes what was grouped.
func (p *ParallelAggregate) drop() error {
	var errs []error
	for _, part := range p.parts {
		errs = append(errs, part.h.Close())
	}
	p.parts = nil
	return errors.Join(errs...)
}

func (p *ParallelAggregate) closeTables() error {
	var errs []error
	for _, t := range p.Tables {
		errs = append(errs, t.close())
	}
	return errors.Join(errs...)
}

// Close frees the groups and closes the input.
func (p *ParallelAggregate) Close() error {
	errs := []error{p.reserve.close(), p.drop(), p.closeTables()}
	if p.result == p.Serial {
		errs = append(errs, p.Serial.Close())
	}
	return errors.Join(errs...)
}

// Stats returns what the operator counted.
func (p *ParallelAggregate) Stats() Stats {
	if p.result == nil {
		return Stats{}
	}
	s := p.result.Stats()
	s.Nanos += p.nanos
	return s
}
