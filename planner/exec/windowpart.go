package exec

import (
	"context"
	"errors"
	"slices"

	"github.com/seed69692123/netdb/planner/vector"
)

// partWindow computes window functions over rows that come partition by partition, in the order of the window. It keeps whole
// partitions: one, or several small ones. Positions are those of the rows it keeps.
type partWindow struct {
	In        Operator
	Width     int // columns of the input that are passed on
	Number    int // and one more, -1 for none
	Partition []int
	Order     []SortKey // over columns
	Calls     []*WindowCall
	Exprs     []Expr // of the columns
	Env       *Env

	windowBase
	spill spiller
	part  []*vector.Vector // scratch: the columns of the partition, twice
	part2 []*vector.Vector
	keys  []*vector.Vector // the same of the order
	keys2 []*vector.Vector

	in    *vector.Batch // from which rows are taken, and how many were
	taken int
	ended bool

	rows *windowRows
	page int // that find looked at last, and how many rows it has
	size int
	// spans are the partitions; peers the first positions of the groups of peers of all, and the end; peerOf the group of each row.
	spans  []span
	peers  paged[int32]
	peerOf paged[int32]
	open   bool // the last partition goes on
	piece  windowPiece

	evals []windowEval
	at    int // rows given out
	locs  []vector.Loc
	wide  bool // results may be large
	out   vector.Batch
	cols  []*vector.Vector
	sel   vector.Sel
	idx   []int32
}

// span is positions from lo up to hi.
type span struct{ lo, hi int }

// windowEval computes a window function.
type windowEval interface {
	// start prepares the rows of a partition.
	start(p span) error
	// row appends the result for the row at pos. Within a partition rows come in order.
	row(pos int, out *vector.Vector) error
	// bytes is the memory held.
	bytes() int64
}

// Open opens the input.
func (w *partWindow) Open(ctx context.Context) error {
	w.prepare(w.Env)
	w.spill.gate = w.gate
	w.spill.open(w.Env)
	for _, c := range w.Calls {
		e := w.eval(c)
		w.evals = append(w.evals, e)
		w.wide = w.wide || c.T.Dynamic() || c.T == vector.Text || c.T == vector.Blob
	}
	w.piece.prepare(w.Calls)
	for range w.Width + len(w.Calls) {
		w.cols = append(w.cols, &vector.Vector{})
	}
	if w.Number >= 0 {
		w.cols = append(w.cols, &vector.Vector{})
	}
	w.part, w.part2 = make([]*vector.Vector, len(w.Partition)), make([]*vector.Vector, len(w.Partition))
	w.keys, w.keys2 = make([]*vector.Vector, len(w.Order)), make([]*vector.Vector, len(w.Order))
	return w.In.Open(ctx)
}

// Next returns the next rows.
func (w *partWindow) Next(ctx context.Context) (*vector.Batch, error) {
	if w.err != nil {
		return nil, w.err
	}
	w.s.begin(ctx)
	if w.rows == nil || w.at == w.piece.limit {
		if w.err = w.load(ctx); w.err != nil {
			return nil, w.err
		}
		if w.rows.Len() == 0 {
			return nil, nil
		}
	}
	if w.err = ctx.Err(); w.err == nil {
		w.err = w.emit()
	}
	if w.err != nil && w.out.N == 0 {
		return nil, w.err
	}
	w.stats.Rows += int64(w.out.N)
	return &w.out, nil
}

// load reads whole partitions, until there are enough rows for a batch.
func (w *partWindow) load(ctx context.Context) error {
	if err := w.again(); err != nil {
		return err
	}
	for !w.ended {
		if w.in == nil || w.taken == w.in.Rows() {
			b, err := w.In.Next(ctx)
			if err != nil {
				return err
			}
			if b == nil {
				w.ended, w.in = true, nil
				break
			}
			w.in, w.taken = b, 0
		}
		fresh, err := w.take()
		if err != nil {
			return err
		}
		if fresh {
			break
		}
		if err := w.hold(); err != nil {
			return err
		}
	}
	w.endPiece()
	w.openGroup(w.rows.Len()) // the end
	w.rows.index()
	if len(w.spans) == 0 {
		return nil
	}
	for _, e := range w.evals {
		if err := e.start(w.spans[0]); err != nil {
			return err
		}
	}
	return w.hold()
}

func (w *partWindow) hold() error {
	n := w.peers.bytes() + w.peerOf.bytes() + int64(cap(w.spans)*16)
	for _, e := range w.evals {
		n += e.bytes()
	}
	for _, v := range w.cols {
		n += v.MemoryBytes()
	}
	full, err := w.spill.hold(n + w.rows.bytes())
	if err == nil && full {
		if err = w.rows.toDisk(); err == nil {
			full, err = w.spill.hold(n + w.rows.bytes())
		}
	}
	w.stats.PeakBytes = w.acct.peak
	if err == nil && full && w.spill.over() && n > w.spill.share() {
		return w.spill.budgetError() // what functions keep is no rows
	}
	if err == nil {
		err = w.rows.fault
	}
	return err
}

// take adds rows of the batch; it reports true when the next one begins a partition that is not to be loaded now.
func (w *partWindow) take() (bool, error) {
	b := w.in
	if int64(w.rows.Len())+int64(b.Rows()) > 1<<31-1 {
		return false, errTooManyRows
	}
	from := w.taken
	left := w.loadBytes() - w.rows.mem.MemoryBytes() - int64(w.rows.onDisk)
	for ; w.taken < b.Rows(); w.taken++ {
		i := b.Row(w.taken)
		samePart, samePeer := false, false
		switch {
		case !w.open:
		case w.taken > from: // beside the row before
			j := b.Row(w.taken - 1)
			samePart = w.samePartition(b.Cols, j, b.Cols, i)
			samePeer = samePart && w.samePeer(b.Cols, j, b.Cols, i)
		default:
			cols, j := w.rows.lastRow()
			samePart = w.samePartition(cols, j, b.Cols, i)
			samePeer = samePart && w.samePeer(cols, j, b.Cols, i)
		}
		pos := w.rows.Len() + w.taken - from
		if !samePart {
			if w.open && (pos >= w.Env.batchRows() || left < 0) {
				return true, w.append(from)
			}
			w.spans = append(w.spans, span{pos, pos})
			w.open = true
		}
		if left < 0 && samePart && w.cut(pos) {
			return true, w.append(from)
		}
		left -= int64(rowBytes(b.Cols, i))
		if !samePeer {
			w.openGroup(pos)
		}
		w.peerOf.grow(pos + 1)
		*w.peerOf.at(pos) = int32(w.peers.n - 1)
		w.spans[len(w.spans)-1].hi = pos + 1
	}
	return false, w.append(from)
}

// loadBytes is how many bytes of small partitions are loaded at once.
func (w *partWindow) loadBytes() int64 {
	n := int64(partBytes / 4)
	if b := w.Env.Budget; b != nil && b.limit > 0 {
		n = min(n, b.limit/16)
	}
	return n
}

func (w *partWindow) openGroup(pos int) {
	w.peers.grow(w.peers.n + 1)
	*w.peers.at(w.peers.n - 1) = int32(pos)
}

// append keeps the rows of the batch from one on that were looked at.
func (w *partWindow) append(from int) error {
	if w.taken == from {
		return nil
	}
	b := *w.in
	if from > 0 || w.taken < b.Rows() {
		w.sel = w.sel[:0]
		for k := from; k < w.taken; k++ {
			w.sel = append(w.sel, int32(b.Row(k)))
		}
		b.Sel = w.sel
	}
	if w.rows.mem.Len() > 0 && w.spill.crowded(&b, nil) {
		if err := w.rows.toDisk(); err != nil {
			return err
		}
	}
	var err error
	had := w.rows.mem.MemoryBytes()
	if w.locs, err = w.rows.mem.AppendBatch(w.locs[:0], &b); err != nil {
		return err
	}
	return w.s.Step(2*int(w.rows.mem.MemoryBytes()-had) + b.Rows()*rowStep)
}

func (w *partWindow) samePartition(a []*vector.Vector, i int, b []*vector.Vector, j int) bool {
	for k, c := range w.Partition {
		w.part[k], w.part2[k] = a[c], b[c]
	}
	return w.s.EqualRows(w.part, i, w.part2, j)
}

func (w *partWindow) samePeer(a []*vector.Vector, i int, b []*vector.Vector, j int) bool {
	for k, o := range w.Order {
		c := o.Expr.(*Col).Index
		w.keys[k], w.keys2[k] = a[c], b[c]
	}
	return w.s.EqualRows(w.keys, i, w.keys2, j)
}

// find returns the columns of the page that has a position, and the place there.
func (w *partWindow) find(pos int) ([]*vector.Vector, int) {
	cols, n, k, i := w.rows.find(pos, w.page)
	w.page, w.size = k, n
	return cols, i
}

// value returns the value of a column at a position, as a row of a vector.
func (w *partWindow) value(col, pos int) (*vector.Vector, int) {
	cols, i := w.find(pos)
	return cols[col], i
}

// eachPage calls f with the pieces of a span that lie in one page.
func (w *partWindow) eachPage(s span, f func(cols []*vector.Vector, from, to int) error) error {
	for at := s.lo; at < s.hi; {
		cols, i := w.find(at)
		to := min(w.size, i+s.hi-at)
		if err := w.rows.fault; err != nil {
			return err
		}
		if err := f(cols, i, to); err != nil {
			return err
		}
		if err := w.s.Step((to - i) * rowStep); err != nil {
			return err
		}
		at += to - i
	}
	return nil
}

// emit computes the next rows: of one page, and fewer when their results are large.
func (w *partWindow) emit() error {
	_, from := w.find(w.at)
	n := min(w.size-from, w.Env.batchRows(), w.piece.limit-w.at)
	results := w.cols[w.Width : w.Width+len(w.Calls)]
	for k, c := range w.Calls {
		results[k].Reset(c.T)
	}
	done, err := w.compute(results, n)
	for _, v := range results {
		v.Len = min(v.Len, done) // a row that failed may have some
	}
	w.idx = w.idx[:0]
	for i := range done {
		w.idx = append(w.idx, int32(from+i))
	}
	cols, _ := w.find(w.at) // others may have been read meanwhile
	if w.rows.fault != nil {
		w.out.N = 0
		return w.rows.fault
	}
	for k := range w.Width {
		w.cols[k].Gather(cols[k], w.idx)
	}
	if w.Number >= 0 {
		w.cols[len(w.cols)-1].Gather(cols[w.Number], w.idx)
	}
	w.at += done
	w.out.Cols, w.out.N, w.out.Sel = w.cols, done, nil
	if err == nil {
		err = w.hold()
	}
	return err
}

// compute appends the results for the next n rows, or fewer, and returns for how many. The rows before one that fails are done.
func (w *partWindow) compute(results []*vector.Vector, n int) (int, error) {
	step := n
	if w.wide {
		step = 1
	}
	had := 0
	for done := 0; done < n; done += step {
		pos, limit := w.at+done, step
		var failed error
		for k, e := range w.evals {
			if err := w.run(e, w.Calls[k], span{pos, pos + limit}, results[k]); err != nil {
				failed, limit = err, results[k].Len-done
			}
		}
		if failed != nil {
			return done + limit, failed
		}
		data := 0
		for _, v := range results {
			data += len(v.Data)
		}
		if err := w.s.Step(step*len(results)*rowStep + 2*(data-had)); err != nil {
			return 0, err
		}
		if had = data; w.wide && data > partBytes {
			return done + 1, nil
		}
	}
	return n, nil
}

// run appends the results of a call. The rows may be of several partitions.
func (w *partWindow) run(e windowEval, c *WindowCall, rows span, out *vector.Vector) error {
	for pos := rows.lo; pos < rows.hi; pos++ {
		if pos > 0 && w.begins(pos) {
			k, _ := slices.BinarySearchFunc(w.spans, pos, func(s span, pos int) int { return s.lo - pos })
			if err := e.start(w.spans[k]); err != nil {
				return placed(w.s.errorAt(c.Span, err))
			}
		}
		if err := e.row(pos, out); err != nil {
			return placed(w.s.errorAt(c.Span, err))
		}
	}
	if w.rows.fault != nil {
		return w.rows.fault
	}
	return w.s.Fault()
}

// begins reports whether a partition begins at a position.
func (w *partWindow) begins(pos int) bool {
	if len(w.spans) == 1 || int(*w.peers.at(int(*w.peerOf.at(pos)))) != pos {
		return false
	}
	_, ok := slices.BinarySearchFunc(w.spans, pos, func(s span, pos int) int { return s.lo - pos })
	return ok
}

// Close frees the rows and closes the input.
func (w *partWindow) Close() error {
	err := errors.Join(w.rows.close(), w.spill.close())
	w.rows, w.evals, w.in = nil, nil, nil
	w.peers, w.peerOf = paged[int32]{}, paged[int32]{}
	return errors.Join(err, w.close(w.In))
}

// Stats returns what the operator counted.
func (w *partWindow) Stats() Stats {
	w.spill.count(&w.stats)
	return w.windowBase.Stats()
}

// group returns the positions of the peers of a row.
func (w *partWindow) group(pos int) span { return w.groupAt(int(*w.peerOf.at(pos))) }

func (w *partWindow) groupAt(g int) span {
	return span{int(*w.peers.at(g)), int(*w.peers.at(g + 1))}
}
