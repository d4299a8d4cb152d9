package exec

import (
	"bytes"
	"container/heap"
	"context"
	"encoding/binary"
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
	topRows   = 1 << 16 // greatest LIMIT for which a heap is kept instead of all rows
	sortRun   = 1 << 13 // rows sorted between two looks at the context
	mergeStep = 1 << 15 // rows merged between two
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
	rows  *sortRows
	acct  account
	order []int32
	at    int
	done  bool
	out   vector.Batch
	err   error
	stats Stats
}

// sortRows is the rows kept by a sort, with the bytes of their keys.
type sortRows struct {
	cols []*vector.Vector
	keys []byte
	refs []keyRef
	rows int // in cols
}

// keyRef is where the key of a row is, with its first bytes for quick comparison. No key is the beginning of another, so two
// keys with the same first bytes are equal if they have no more.
type keyRef struct {
	p0, p1 uint64
	off    int64
	n      int32
	row    int32 // in cols
	seq    int64 // in the input: ties keep this order
}

const keyRefBytes = 40

// prefixBytes is the length of p0 and p1.
const prefixBytes = 16

func (r *sortRows) key(k *keyRef) []byte { return r.keys[k.off : k.off+int64(k.n)] }

func (r *sortRows) compare(a, b *keyRef) int {
	if c := r.compareKeys(a, b); c != 0 {
		return c
	}
	if a.seq < b.seq {
		return -1
	}
	return 1
}

func (r *sortRows) compareKeys(a, b *keyRef) int {
	switch {
	case a.p0 != b.p0:
		if a.p0 < b.p0 {
			return -1
		}
		return 1
	case a.p1 != b.p1:
		if a.p1 < b.p1 {
			return -1
		}
		return 1
	case a.n <= prefixBytes && b.n <= prefixBytes:
		return 0
	}
	return bytes.Compare(r.key(a), r.key(b))
}

func (k *keyRef) setPrefix(key []byte) {
	var b [prefixBytes]byte
	copy(b[:], key)
	k.p0, k.p1, k.n = binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:]), int32(len(key))
}

func (r *sortRows) bytes() int64 {
	n := int64(cap(r.keys) + cap(r.refs)*keyRefBytes)
	for _, c := range r.cols {
		n += c.MemoryBytes()
	}
	return n
}

// Open prepares the keys.
func (s *Sort) Open(ctx context.Context) error {
	s.s = newEvalState(s.Env)
	s.acct = newAccount(s.Env, "sort")
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
	if !s.done {
		if s.Limit > 0 && s.Limit <= topRows {
			s.err = s.top(ctx)
		} else {
			s.err = s.all(ctx)
		}
		if s.err != nil {
			return nil, s.err
		}
		s.done = true
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n := min(s.Env.batchRows(), len(s.order)-s.at)
	if n <= 0 {
		return nil, nil
	}
	for k, c := range s.rows.cols {
		s.out.Cols[k].Gather(c, s.order[s.at:s.at+n])
	}
	s.at += n
	s.out.N, s.out.Sel = n, nil
	s.stats.Rows += int64(n)
	return &s.out, nil
}

// keysOf evaluates the keys of a batch.
func (s *Sort) keysOf(b *vector.Batch) error {
	_, err := evalAll(s.evals, b, s.vecs)
	return err
}

// appendKey appends the key of row i.
func (s *Sort) appendKey(dst []byte, i int) []byte {
	for k, v := range s.vecs {
		if s.Keys[k].NullsFirst && v.Null(i) {
			dst = append(dst, 0) // below every value's first byte, also of an inverted key
			continue
		}
		dst = vector.AppendSortKey(dst, v, i, s.Keys[k].Desc)
	}
	return dst
}

func (s *Sort) start(b *vector.Batch) {
	if s.rows != nil {
		return
	}
	s.rows = &sortRows{}
	for _, c := range b.Cols {
		s.rows.cols = append(s.rows.cols, vector.New(c.Type, 0))
		s.out.Cols = append(s.out.Cols, &vector.Vector{})
	}
}

var errTooManyRows = errors.New("query: more than 2^31 rows to sort or join")

// all keeps every row.
func (s *Sort) all(ctx context.Context) error {
	for {
		b, err := s.In.Next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		s.start(b)
		if err := s.keysOf(b); err != nil {
			return err
		}
		r := s.rows
		if int64(len(r.refs))+int64(b.Rows()) > math.MaxInt32 {
			return errTooManyRows
		}
		for k := range b.Rows() {
			off := len(r.keys)
			r.keys = s.appendKey(r.keys, b.Row(k))
			n := len(r.refs)
			ref := keyRef{off: int64(off), row: int32(n), seq: int64(n)}
			ref.setPrefix(r.keys[off:])
			r.refs = append(r.refs, ref)
		}
		for k, c := range b.Cols {
			r.cols[k].AppendRows(c, b.Sel, b.N)
		}
		if err := s.acct.set(r.bytes()); err != nil {
			return err
		}
		s.stats.PeakBytes = s.acct.peak
	}
	if s.rows == nil {
		return nil
	}
	sorted, err := s.mergeSort(ctx)
	if err != nil {
		return err
	}
	if s.Limit > 0 && int64(len(sorted)) > s.Limit {
		sorted = sorted[:s.Limit]
	}
	s.order = make([]int32, len(sorted))
	for i := range sorted {
		s.order[i] = sorted[i].row
	}
	s.rows.refs, s.rows.keys = nil, nil
	return nil
}

// mergeSort sorts runs, then merges them pair by pair, looking at the context between.
func (s *Sort) mergeSort(ctx context.Context) ([]keyRef, error) {
	r := s.rows
	refs := r.refs
	for at := 0; at < len(refs); at += sortRun {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		slices.SortFunc(refs[at:min(at+sortRun, len(refs))], func(a, b keyRef) int { return r.compare(&a, &b) })
	}
	if len(refs) <= sortRun {
		return refs, nil
	}
	if err := s.acct.set(r.bytes() + int64(len(refs)*keyRefBytes)); err != nil {
		return nil, err
	}
	s.stats.PeakBytes = s.acct.peak
	buf := make([]keyRef, len(refs))
	for width := sortRun; width < len(refs); width *= 2 {
		for lo := 0; lo < len(refs); lo += 2 * width {
			mid, hi := min(lo+width, len(refs)), min(lo+2*width, len(refs))
			i, j := lo, mid
			for k := lo; k < hi; k++ {
				if k&(mergeStep-1) == 0 {
					if err := ctx.Err(); err != nil {
						return nil, err
					}
				}
				if j >= hi || i < mid && r.compare(&refs[i], &refs[j]) <= 0 {
					buf[k] = refs[i]
					i++
				} else {
					buf[k] = refs[j]
					j++
				}
			}
		}
		refs, buf = buf, refs
	}
	return refs, nil
}

// topHeap is the kept rows with the last in order on top.
type topHeap struct{ r *sortRows }

func (h topHeap) Len() int           { return len(h.r.refs) }
func (h topHeap) Less(i, j int) bool { return h.r.compare(&h.r.refs[i], &h.r.refs[j]) > 0 }
func (h topHeap) Swap(i, j int)      { h.r.refs[i], h.r.refs[j] = h.r.refs[j], h.r.refs[i] }
func (h topHeap) Push(x any)         { h.r.refs = append(h.r.refs, x.(keyRef)) }
func (h topHeap) Pop() any {
	n := len(h.r.refs) - 1
	x := h.r.refs[n]
	h.r.refs = h.r.refs[:n]
	return x
}

// top keeps the first Limit rows. Rows that were pushed out stay in the columns until there are more of them than kept ones.
func (s *Sort) top(ctx context.Context) error {
	var key []byte
	seq := int64(0)
	for {
		b, err := s.In.Next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		s.start(b)
		if err := s.keysOf(b); err != nil {
			return err
		}
		r := s.rows
		h := topHeap{r}
		for k := range b.Rows() {
			i := b.Row(k)
			key = s.appendKey(key[:0], i)
			ref := keyRef{off: int64(len(r.keys)), row: int32(r.rows), seq: seq}
			ref.setPrefix(key)
			seq++
			full := int64(len(r.refs)) >= s.Limit
			if full && ref.p0 > r.refs[0].p0 {
				continue
			}
			r.keys = append(r.keys, key...)
			if full && r.compareKeys(&ref, &r.refs[0]) >= 0 {
				r.keys = r.keys[:ref.off]
				continue
			}
			for c, col := range b.Cols {
				r.cols[c].AppendFrom(col, i)
			}
			r.rows++
			if full {
				r.refs[0] = ref
				heap.Fix(h, 0)
			} else {
				heap.Push(h, ref)
			}
		}
		if r.rows > 2*int(s.Limit)+vector.MaxRows {
			r.compact()
		}
		if err := s.acct.set(r.bytes()); err != nil {
			return err
		}
		s.stats.PeakBytes = s.acct.peak
	}
	if s.rows == nil {
		return nil
	}
	sorted := slices.Clone(s.rows.refs)
	slices.SortFunc(sorted, func(a, b keyRef) int { return s.rows.compare(&a, &b) })
	for i := range sorted {
		s.order = append(s.order, sorted[i].row)
	}
	return nil
}

// compact drops the rows that are no longer in the heap.
func (r *sortRows) compact() {
	idx := make([]int32, len(r.refs))
	keys := make([]byte, 0, len(r.keys)/2)
	for i := range r.refs {
		ref := &r.refs[i]
		idx[i] = ref.row
		off := int64(len(keys))
		keys = append(keys, r.key(ref)...)
		ref.off, ref.row = off, int32(i)
	}
	r.keys = keys
	for c, col := range r.cols {
		kept := vector.New(col.Type, len(idx))
		for _, i := range idx {
			kept.AppendFrom(col, int(i))
		}
		r.cols[c] = kept
	}
	r.rows = len(idx)
}

// Close frees the rows and closes the input.
func (s *Sort) Close() error {
	s.acct.release()
	s.s.close()
	s.rows, s.order, s.done = nil, nil, true
	return s.In.Close()
}

// Stats returns what the operator counted.
func (s *Sort) Stats() Stats {
	if s.s != nil {
		s.stats.OtherType = s.s.OtherType
	}
	return s.stats
}

// TopK reports whether a sort with this limit keeps a heap.
func TopK(limit int64) bool { return limit > 0 && limit <= topRows }
