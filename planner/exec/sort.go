package exec

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/seed69692123/netdb/planner/vector"
)

// SortKey is one key of an order. NULLs come last in both directions unless NullsFirst.
type SortKey struct {
	Expr       Expr
	Desc       bool
	NullsFirst bool
}

const (
	topRows = 1 << 16 // greatest LIMIT for which a heap is kept instead of all rows
	sortRun = 1 << 13 // rows that are sorted at once, before they are merged
)

// Sort orders rows by keys. It is stable: rows with equal keys keep the order of the input. With a Limit it keeps a heap of
// the first so many rows.
type Sort struct {
	In    Operator
	Keys  []SortKey
	Limit int64 // 0: all rows
	Env   *Env

	s     *evalState
	evals []evaluator
	vecs  []*vector.Vector
	acct  account
	gate  *storeGate

	rows *vector.Rows
	keys arena
	refs []keyRef   // of the run that is being filled, or the heap
	runs [][]keyRef // sorted
	held int64      // bytes of the runs
	key  []byte
	over error // what a comparison saw: the query was cancelled

	bound topBound

	merge merge
	next  []vector.Loc // rows to give out
	given int64
	done  bool
	out   vector.Batch
	err   error
	stats Stats

	spill spiller
	disk  *diskRuns  // when rows were put on disk
	final *diskMerge // of these
}

// Open prepares the keys.
func (s *Sort) Open(ctx context.Context) error {
	s.s = newEvalState(s.Env)
	s.acct = newAccount(s.Env, "sort")
	s.gate = &storeGate{s.s, &s.acct}
	s.spill.gate = s.gate
	s.spill.open(s.Env)
	for _, k := range s.Keys {
		s.evals = append(s.evals, s.s.compile(k.Expr))
	}
	s.vecs = make([]*vector.Vector, len(s.Keys))
	return s.In.Open(ctx)
}

// Next reads all of the input, then returns it in order.
func (s *Sort) Next(ctx context.Context) (*vector.Batch, error) {
	if s.err != nil {
		return nil, s.err
	}
	s.s.begin(ctx)
	if !s.done {
		if s.err = s.read(ctx); s.err != nil {
			return nil, s.err
		}
		s.done = true
	}
	if s.err = ctx.Err(); s.err != nil {
		return nil, s.err
	}
	n := s.Env.batchRows()
	if s.Limit > 0 {
		n = int(min(int64(n), s.Limit-s.given))
	}
	if s.final != nil {
		return s.nextFromDisk(n)
	}
	for len(s.next) < n {
		ref := s.merge.next()
		if ref == nil {
			break
		}
		s.next = append(s.next, ref.loc)
	}
	if s.err = s.over; s.err != nil || len(s.next) == 0 || n <= 0 {
		return nil, s.err
	}
	k := s.rows.Fit(nil, s.next[:min(n, len(s.next))], partBytes)
	s.rows.Gather(s.out.Cols, s.next[:k])
	s.next = s.next[:copy(s.next, s.next[k:])]
	s.given += int64(k)
	s.out.N, s.out.Sel = k, nil
	s.stats.Rows += int64(k)
	return &s.out, nil
}

// appendKey writes the key of row i.
func (s *Sort) appendKey(i int) error {
	dst := s.key[:0]
	for k, v := range s.vecs {
		if s.Keys[k].NullsFirst && v.Null(i) {
			dst = append(dst, 0) // below every value's first byte, also of an inverted key
			continue
		}
		var err error
		if dst, err = s.s.AppendSortKey(dst, v, i, s.Keys[k].Desc); err != nil {
			return err
		}
	}
	if s.key = dst; len(dst) > math.MaxInt32 {
		return vector.ErrValueTooLarge
	}
	return nil
}

func (s *Sort) start(b *vector.Batch) {
	if s.rows != nil {
		return
	}
	types := make([]vector.Type, len(b.Cols))
	for i, c := range b.Cols {
		types[i] = c.Type
		s.out.Cols = append(s.out.Cols, &vector.Vector{})
	}
	s.rows = vector.NewRows(s.gate, types)
}

var errTooManyRows = errors.New("query: more than 2^31 rows to sort, group or join")

// read takes in all rows.
func (s *Sort) read(ctx context.Context) error {
	add := s.add
	if TopK(s.Limit) {
		add = s.addTop
	}
	for {
		b, err := s.In.Next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		s.start(b)
		if err := s.s.each(b, func(part *vector.Batch) error {
			if _, err := evalAll(s.evals, part, part.Sel, s.vecs); err != nil {
				return err
			}
			if TopK(s.Limit) {
				if part.Sel = s.hopeful(part); part.Sel != nil && len(part.Sel) == 0 {
					return nil
				}
			}
			if err := s.makeRoom(part); err != nil {
				return err
			}
			return add(part)
		}); err != nil {
			return err
		}
	}
	if s.disk != nil {
		return s.mergeDisk()
	}
	if err := s.sortRun(); err != nil {
		return err
	}
	s.merge.start(s)
	return s.over
}

// count sets the account to what is held. What is more than may be goes to disk.
func (s *Sort) count() error {
	n := s.rows.MemoryBytes() + s.keys.held + s.held + int64(cap(s.refs)*keyRefBytes+cap(s.key)) + s.spill.memory()
	full, err := s.spill.hold(n)
	if full {
		err = s.spillRun()
	}
	s.stats.PeakBytes = s.acct.peak
	return err
}

// add keeps the rows of a batch.
func (s *Sort) add(b *vector.Batch) error {
	if int64(s.rows.Len())+int64(b.Rows()) > math.MaxInt32 {
		return errTooManyRows
	}
	at := len(s.next)
	var err error
	if s.next, err = s.rows.AppendBatch(s.next, b); err != nil {
		return err
	}
	for k, loc := range s.next[at:] {
		if err := s.appendKey(b.Row(k)); err != nil {
			return err
		}
		ref := keyRef{loc: loc}
		ref.setPrefix(s.key)
		if ref.at, err = s.keys.add(s.key, s.gate); err != nil {
			return err
		}
		if s.refs == nil && len(s.runs) > 0 {
			s.refs = make([]keyRef, 0, sortRun)
		}
		if s.refs = append(s.refs, ref); len(s.refs) == sortRun {
			if err := s.sortRun(); err != nil {
				return err
			}
		}
	}
	s.next = s.next[:at]
	return s.count()
}

// sortRun sorts the run that was filled.
func (s *Sort) sortRun() error {
	if len(s.refs) == 0 {
		return s.over
	}
	slices.SortFunc(s.refs, func(a, b keyRef) int { return s.compare(&a, &b) })
	s.runs = append(s.runs, s.refs)
	s.held += int64(cap(s.refs) * keyRefBytes)
	s.refs = nil
	return s.over
}

// compare orders rows, those with equal keys as they came. Once the query is cancelled all are equal, so that what sorts comes
// to its end.
func (s *Sort) compare(a, b *keyRef) int {
	c := s.compareKeys(a, b)
	switch {
	case c != 0 || s.over != nil:
		return c
	case a.loc < b.loc:
		return -1
	}
	return 1
}

func (s *Sort) compareKeys(a, b *keyRef) int {
	if s.over != nil {
		return 0
	}
	c, work := s.keys.compareKeys(a, b)
	if s.s.done += work; s.s.done >= stepBytes {
		s.over = s.s.Step(0)
	}
	return c
}

// Close frees the rows and closes the input.
func (s *Sort) Close() error {
	s.acct.release()
	s.s.close()
	s.rows, s.keys, s.refs, s.runs, s.next, s.merge, s.done = nil, arena{}, nil, nil, nil, merge{}, true
	s.disk, s.final = nil, nil
	return errors.Join(s.spill.close(), s.In.Close())
}

// Stats returns what the operator counted.
func (s *Sort) Stats() Stats {
	if s.s != nil {
		s.stats.OtherType = s.s.OtherType
	}
	s.spill.count(&s.stats)
	return s.stats
}

// TopK reports whether a sort with this limit keeps a heap.
func TopK(limit int64) bool { return limit > 0 && limit <= topRows }

// merge gives the rows of sorted runs in memory in order.
type merge struct {
	s     *Sort
	heads []int // of each run, the next row
	tree  loserTree
}

func (m *merge) start(s *Sort) {
	m.s, m.heads = s, make([]int, len(s.runs))
	m.tree.start(len(s.runs), m.before)
}

// next returns the next row, nil at the end.
func (m *merge) next() *keyRef {
	if len(m.heads) == 0 {
		return nil
	}
	w := m.tree.winner()
	run, at := m.s.runs[w], m.heads[w]
	if at == len(run) {
		return nil
	}
	m.heads[w]++
	m.tree.replay(w)
	return &run[at]
}

// before reports whether run a's head comes before that of run b. One at its end comes after all.
func (m *merge) before(a, b int32) bool {
	switch {
	case m.heads[a] == len(m.s.runs[a]):
		return false
	case m.heads[b] == len(m.s.runs[b]):
		return true
	}
	return m.s.compare(&m.s.runs[a][m.heads[a]], &m.s.runs[b][m.heads[b]]) < 0
}
