package logscan

import (
	"context"
	"runtime/debug"
	"sync"

	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/redex"
)

// maxThreads is the most goroutines one scan starts.
const maxThreads = 64

// stripeBatches is how many full batches a thread reads before the next one's turn, and how many it may be ahead.
const stripeBatches = 4

// minStripe is the least number of rows of a stripe, so that small batches do not make a thread decode a block for each.
const minStripe = 512

// maxAheadBytes bounds what all threads of a scan have read ahead, but for a batch with one large event each.
const maxAheadBytes = 64 << 20

// parallel is a scan by several goroutines that delivers rows in order. The range is cut into stripes; stripe k is read by
// worker k modulo their number, and Next takes the stripes in turn. A worker is at most stripeBatches batches ahead, which bounds
// memory; batches go back to their worker when the next one is asked for.
type parallel struct {
	workers []*worker
	cancel  context.CancelCauseFunc
	wg      sync.WaitGroup
	started bool

	at     int // worker whose stripe is being delivered
	last   *vector.Batch
	lastOf *worker
	left   int // workers that have not ended
	err    error
	before planner.ScanStats // counted before anything was read
}

// worker reads every so-manieth stripe.
type worker struct {
	r       *reader
	out     chan delivery      // closed at the end
	free    chan *vector.Batch // batches to fill
	stripes []span             // of all workers
	first   int                // its first stripe
	step    int                // from stripe to stripe
	rows    int
	done    bool // its channel was seen closed

	mu    sync.Mutex
	stats planner.ScanStats
}

// delivery is a batch, or the end of a stripe when it is nil.
type delivery struct {
	b   *vector.Batch
	err error
}

func newParallel(s *Source, p *projection, spans []span, all span, rows, threads int, st planner.ScanStats) *parallel {
	stripes := stripesOf(spans, redex.Seq(max(rows*stripeBatches, minStripe)))
	threads = min(threads, len(stripes))
	it := &parallel{before: st, left: threads}
	most := min(maxBatchBytes, maxAheadBytes/(stripeBatches+2)/max(threads, 1))
	for k := range threads {
		w := &worker{
			r: newReader(s, p, all, most), out: make(chan delivery, stripeBatches), free: make(chan *vector.Batch, stripeBatches+2),
			stripes: stripes, first: k, step: threads, rows: rows,
		}
		for range cap(w.free) {
			w.free <- w.r.newBatch()
		}
		it.workers = append(it.workers, w)
	}
	return it
}

// stripesOf cuts spans into stripes of a width, which begin at its multiples: those begin chunks too.
func stripesOf(spans []span, width redex.Seq) (stripes []span) {
	stripes = make([]span, 0, rowsOf(spans)/int64(width)+2*int64(len(spans)))
	for _, s := range spans {
		for at := s.from; at < s.to; {
			end := min(s.to, (at/width+1)*width)
			stripes = append(stripes, span{at, end})
			at = end
		}
	}
	return stripes
}

// start starts the workers, which end when their stripes are delivered, at an error, or with Close.
func (it *parallel) start() {
	ctx, cancel := context.WithCancelCause(context.Background())
	it.started, it.cancel = true, cancel
	for _, w := range it.workers {
		it.wg.Go(func() { w.run(ctx) })
	}
}

// run reads the worker's stripes until they end or ctx does.
func (w *worker) run(ctx context.Context) {
	defer close(w.out)
	defer func() {
		if r := recover(); r != nil {
			w.send(ctx, delivery{err: &planner.PanicError{Value: r, Stack: debug.Stack()}})
		}
	}()
	for k := w.first; k < len(w.stripes); k += w.step {
		if err := w.stripe(ctx, w.stripes[k].from, w.stripes[k].to); err != nil {
			w.send(ctx, delivery{err: err})
			break
		}
		if !w.send(ctx, delivery{}) {
			break
		}
	}
	_ = w.r.close() // nothing was written
}

// stripe delivers the batches of one stripe.
func (w *worker) stripe(ctx context.Context, from, to redex.Seq) error {
	if err := w.r.seek(from, to); err != nil {
		return err
	}
	for {
		var b *vector.Batch
		select {
		case b = <-w.free:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		for i, c := range b.Cols {
			if cap(c.Data) > 2*w.r.most { // of a large event: there are several batches
				b.Cols[i] = &vector.Vector{Type: w.r.p.types[i]}
			}
		}
		if err := w.r.fill(ctx, b, w.rows); err != nil {
			return err
		}
		w.mu.Lock()
		w.stats = w.r.stats
		w.mu.Unlock()
		if b.N == 0 {
			w.free <- b
			return nil
		}
		large := 0
		for _, c := range b.Cols {
			large = max(large, cap(c.Data))
		}
		if !w.send(ctx, delivery{b: b}) || large > 2*w.r.most && !w.alone(ctx) {
			return context.Cause(ctx)
		}
	}
}

// alone waits until all batches are back, so that no second large event is read ahead.
func (w *worker) alone(ctx context.Context) bool {
	var back []*vector.Batch
	for range cap(w.free) {
		select {
		case b := <-w.free:
			back = append(back, b)
		case <-ctx.Done():
			return false
		}
	}
	for _, b := range back {
		w.free <- b
	}
	return true
}

func (w *worker) send(ctx context.Context, d delivery) bool {
	select {
	case w.out <- d:
		return true
	case <-ctx.Done():
		return false
	}
}

// Next returns the next batch, valid until the next call.
func (it *parallel) Next(ctx context.Context) (*vector.Batch, error) {
	if it.err != nil {
		return nil, it.err
	}
	if !it.started {
		it.start()
	}
	if it.last != nil {
		it.lastOf.free <- it.last // it has room for all of the worker's batches
		it.last = nil
	}
	if ctx.Err() != nil {
		it.end(ctx.Err())
		return nil, it.err
	}
	for it.left > 0 {
		w := it.workers[it.at]
		if w.done {
			it.at = (it.at + 1) % len(it.workers)
			continue
		}
		var d delivery
		var open bool
		select {
		case d, open = <-w.out:
		case <-ctx.Done():
			it.end(ctx.Err())
			return nil, it.err
		}
		switch {
		case !open:
			w.done = true
			it.left--
		case d.err != nil:
			it.end(d.err)
			return nil, it.err
		case d.b != nil:
			it.last, it.lastOf = d.b, w
			return d.b, nil
		default:
			it.at = (it.at + 1) % len(it.workers)
		}
	}
	return nil, nil
}

// end stops the workers, for a reason that Next goes on to return.
func (it *parallel) end(err error) {
	it.err = err
	if it.cancel != nil {
		it.cancel(err)
	}
}

// Close stops the workers and waits for them.
func (it *parallel) Close() error {
	if it.err == nil {
		it.err = errClosed
	}
	it.last = nil
	if it.cancel != nil {
		it.cancel(errClosed)
	}
	it.wg.Wait()
	return nil
}

// ScanStats returns what was read.
func (it *parallel) ScanStats() planner.ScanStats {
	st := it.before
	for _, w := range it.workers {
		w.mu.Lock()
		st = plus(w.stats, st)
		w.mu.Unlock()
	}
	return st
}
