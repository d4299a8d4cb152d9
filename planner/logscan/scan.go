package logscan

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/seed69692123/netdb/internal/num"
	"github.com/seed69692123/netdb/internal/payload"
	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/redex"
)

const (
	// maxBatchBytes is how many bytes of text and the like end a batch, and what the fixed parts of its rows take at most.
	maxBatchBytes = 1 << 20
	// maxReadBytes is how many bytes of payloads end a batch, whatever is taken of them.
	maxReadBytes = 4 << 20
	// cellBytes is about what a value takes in a batch beside its bytes.
	cellBytes = 16
	// largePayload is the size from which on the context is looked at while a payload is read.
	largePayload = 1 << 18
)

// projection says what a batch is made of. It is immutable.
type projection struct {
	outputs []planner.Output
	paths   [][]string // the dynamic outputs, in order
	static  []int      // outputs that are static columns
	dynamic []int      // outputs that are fields: dynamic[k] is paths[k]
	types   []vector.Type
	needsOK bool // a payload's well-formedness matters
	columns planner.ColumnUse
	keys    []planner.KeyHint
	once    bool // rows that came may be left out
}

func newProjection(outputs []planner.Output) *projection {
	p := &projection{outputs: outputs, types: make([]vector.Type, len(outputs))}
	columns := (*Source)(nil).Columns()
	for i, o := range outputs {
		if o.Column < 0 {
			p.dynamic = append(p.dynamic, i)
			p.paths = append(p.paths, o.Path)
			p.needsOK = true
			continue
		}
		p.static = append(p.static, i)
		p.types[i] = columns[o.Column].Type
		p.needsOK = p.needsOK || o.Column == colPayload
	}
	return p
}

// reader fills batches with the rows of a range, in order. It belongs to one goroutine.
type reader struct {
	s        *Source
	p        *projection
	all      span          // what the scan wants
	columns  *columnReader // nil: chunks do not have what is wanted
	selector *payload.Selector
	values   []payload.Value
	cur      *redex.Cursor
	curAt    redex.Seq // where it goes on
	at, to   redex.Seq
	most     int // bytes that end a batch
	bad      []redex.Seq
	stats    planner.ScanStats
}

func newReader(s *Source, p *projection, all span, most int) *reader {
	r := &reader{s: s, p: p, all: all, most: most, selector: payload.NewSelector(p.paths), values: make([]payload.Value, len(p.paths))}
	r.columns = newColumnReader(r)
	return r
}

// paceOf returns how the reading of a payload sees that ctx was cancelled; nil when the payload is small.
func paceOf(ctx context.Context, ev *redex.Event) *num.Pace {
	if len(ev.Payload) < largePayload {
		return nil
	}
	return num.NewPace(func() bool { return ctx.Err() != nil })
}

// seek starts the range [from, to).
func (r *reader) seek(from, to redex.Seq) error {
	err := r.closeCursor()
	r.at, r.to = from, to
	return err
}

func (r *reader) close() error {
	if r.columns != nil {
		r.columns.close()
	}
	return r.closeCursor()
}

func (r *reader) closeCursor() error {
	if r.cur == nil {
		return nil
	}
	err := r.cur.Close()
	r.cur = nil
	return err
}

// newBatch returns an empty batch of the projection's columns.
func (r *reader) newBatch() *vector.Batch {
	b := &vector.Batch{Cols: make([]*vector.Vector, len(r.p.outputs))}
	for i, t := range r.p.types {
		b.Cols[i] = &vector.Vector{Type: t}
	}
	return b
}

func (r *reader) clear(b *vector.Batch) {
	b.N, b.Sel = 0, nil
	for i, c := range b.Cols {
		c.Reset(r.p.types[i])
	}
}

// fill replaces b with the next rows, at most n; none at the end of the range. Sequences that compaction by key took have no rows.
func (r *reader) fill(ctx context.Context, b *vector.Batch, n int) error {
	r.clear(b)
	n = int(min(redex.Seq(n), r.to-r.at))
	if n == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return ctx.Err()
	}
	if len(r.p.outputs) == 0 && !r.s.sparse { // rows are only counted
		b.N = n
		r.at += redex.Seq(n)
		r.stats.RowsSkipped += int64(n)
		return nil
	}
	if r.columns != nil {
		for r.at < r.to {
			there, err := r.columns.at(ctx, r.at)
			if err == nil && there {
				there, err = r.columns.fill(ctx, b, n)
			}
			if err != nil || there && b.N > 0 {
				return err
			}
			if !there {
				break
			}
		}
		if r.at >= r.to {
			return nil
		}
		// By row up to where the next chunk or page may begin.
		n = int(min(redex.Seq(n), pageEvents-r.at%pageEvents, r.to-r.at))
	}
	if r.cur == nil || r.curAt != r.at {
		if err := r.closeCursor(); err != nil {
			return err
		}
		r.cur = r.s.log.Cursor(r.at, r.to)
	}
	defer func() { r.curAt = r.at }()
	end := r.at + redex.Seq(n)
	walked, mine := end, false
	if r.p.needsOK {
		r.bad, walked = r.s.fields.badBetween(r.bad[:0], r.at, end)
		if walked < end && (walked >= r.at || r.at <= r.s.log.Bounds().Floor) && r.s.fields.tryWalk() {
			defer r.s.fields.endWalk()
			mine = true // the catalogue takes these rows in, unless another walk came in between
			if r.bad, walked = r.s.fields.badBetween(r.bad[:0], r.at, end); walked < r.at {
				walked = r.at // what is below is gone
			}
		}
	}
	bytes, made := 0, 0
	for bad := r.bad; r.at < min(r.to, end) && b.N < n && bytes < maxReadBytes && made < r.most; r.at++ {
		if !r.cur.Next(ctx) {
			if r.cur.Err() == nil { // compaction took what is left of the range
				r.at = r.to
				break
			}
			return r.failed(ctx)
		}
		ev := r.cur.Event()
		if ev.Seq < r.at {
			return fmt.Errorf("scan of %q: sequence %d came, not %d", r.s.log.Name(), ev.Seq, r.at)
		}
		r.at = ev.Seq
		for len(bad) > 0 && bad[0] < r.at {
			bad = bad[1:]
		}
		ok, pace := true, paceOf(ctx, ev)
		switch {
		case !r.p.needsOK:
		case r.at < walked && r.at < end:
			ok = len(bad) == 0 || bad[0] != r.at
		case mine && r.at < end:
			ok = r.s.fields.take(ev, pace)
			walked = r.at + 1
		default:
			_, err := payload.CheckPaced(format(ev.Encoding), ev.Payload, pace)
			ok = err == nil
		}
		r.row(b, ev, ok, pace)
		if pace.Over() {
			return ctx.Err()
		}
		b.N++
		bytes += len(ev.Payload) + len(ev.Key)
		made = 0
		for _, c := range b.Cols {
			made += len(c.Data)
		}
	}
	r.stats.RowsRead += int64(b.N)
	r.stats.BytesRead += int64(bytes)
	return nil
}

// failed returns why the cursor ended before its range.
func (r *reader) failed(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	err := r.cur.Err()
	if err == nil { // the range existed at the cut
		err = redex.ErrNoEvent
	}
	return fmt.Errorf("scan of %q at sequence %d: %w", r.s.log.Name(), r.at, err)
}

// row appends one event.
func (r *reader) row(b *vector.Batch, ev *redex.Event, wellFormed bool, pace *num.Pace) {
	for _, i := range r.p.static {
		r.static(b.Cols[i], r.p.outputs[i].Column, ev, wellFormed, pace)
	}
	if len(r.p.dynamic) == 0 {
		return
	}
	if !wellFormed || ev.Encoding == redex.Raw {
		for _, i := range r.p.dynamic {
			b.Cols[i].AppendNull()
		}
		return
	}
	r.selector.FindPaced(format(ev.Encoding), ev.Payload, r.values, pace)
	for k, i := range r.p.dynamic {
		appendValue(b.Cols[i], &r.values[k], pace)
	}
}

// static appends one of the log's own columns.
func (r *reader) static(v *vector.Vector, column int, ev *redex.Event, wellFormed bool, pace *num.Pace) {
	switch column {
	case colSeq:
		v.AppendInt(int64(ev.Seq))
	case colTime:
		v.AppendTime(ev.Time)
	case colSize:
		v.AppendInt(int64(len(ev.Payload)))
	case colOrigin:
		var raw [8]byte
		binary.BigEndian.PutUint64(raw[:], uint64(ev.Origin))
		at := len(v.Data)
		v.Data = hex.AppendEncode(v.Data, raw[:])
		v.AppendRef(vector.ClassText, vector.MakeRef(at, len(v.Data)-at))
	case colKind:
		v.AppendInt(int64(ev.Kind))
	case colEncoding:
		at := len(v.Data)
		v.Data = append(v.Data, ev.Encoding.String()...)
		v.AppendRef(vector.ClassText, vector.MakeRef(at, len(v.Data)-at))
	case colKey:
		switch {
		case len(ev.Key) == 0:
			v.AppendNull()
		case utf8.Valid(ev.Key):
			v.AppendText(ev.Key)
		default:
			v.AppendBlob(ev.Key)
		}
	case colPayload:
		if !wellFormed || ev.Encoding == redex.Raw {
			v.AppendNull()
			return
		}
		top := payload.TopPaced(format(ev.Encoding), ev.Payload, pace)
		appendValue(v, &top, pace)
	case colBytes:
		v.AppendBlob(ev.Payload)
	}
}

// appendValue appends a value found in a payload to a dynamic column.
func appendValue(v *vector.Vector, x *payload.Value, pace *num.Pace) {
	switch x.Class {
	case payload.Missing:
		v.AppendNull()
	case payload.Null:
		v.AppendExplicitNull()
	case payload.Bool:
		v.AppendBool(x.Bits != 0)
	case payload.Int:
		v.AppendInt(x.Int())
	case payload.Float:
		v.AppendFloat(x.Float())
	case payload.Time:
		v.AppendTime(x.Int())
	default:
		at := len(v.Data)
		v.Data = x.AppendBytesPaced(v.Data, pace)
		v.AppendRef(classOf(x.Class), vector.MakeRef(at, len(v.Data)-at))
	}
}

func classOf(c payload.Class) vector.Class {
	switch c {
	case payload.Big:
		return vector.ClassBig
	case payload.Text:
		return vector.ClassText
	case payload.Array:
		return vector.ClassArray
	case payload.Object:
		return vector.ClassObject
	}
	return vector.ClassBlob
}

// forward is a scan in one goroutine, the caller's.
type forward struct {
	r      *reader
	spans  []span // those to come
	b      *vector.Batch
	rows   int
	err    error
	before planner.ScanStats // counted before anything was read
}

func newForward(s *Source, p *projection, spans []span, all span, rows int, st planner.ScanStats) *forward {
	f := &forward{r: newReader(s, p, all, maxBatchBytes), spans: spans, rows: rows, before: st}
	if f.r.columns != nil {
		f.r.columns.share = true
	}
	f.b = f.r.newBatch()
	return f
}

// Next returns the next batch, valid until the next call.
func (f *forward) Next(ctx context.Context) (*vector.Batch, error) {
	for f.err == nil {
		if f.err = f.r.fill(ctx, f.b, f.rows); f.err != nil {
			break
		}
		if f.b.N > 0 {
			return f.b, nil
		}
		if len(f.spans) == 0 {
			return nil, nil
		}
		f.err = f.r.seek(f.spans[0].from, f.spans[0].to)
		f.spans = f.spans[1:]
	}
	return nil, f.err
}

// Close ends the scan.
func (f *forward) Close() error {
	f.r.to, f.spans = f.r.at, nil
	if f.err == nil {
		f.err = errClosed
	}
	return f.r.close()
}

// ScanStats returns what was read.
func (f *forward) ScanStats() planner.ScanStats {
	return plus(f.r.stats, f.before)
}

// plus adds what was counted before a scan to what it read.
func plus(st, before planner.ScanStats) planner.ScanStats {
	before.RowsRead += st.RowsRead
	before.BytesRead += st.BytesRead
	before.RowsSkipped += st.RowsSkipped
	before.RowsKeyed += st.RowsKeyed
	before.ChunksKeyed += st.ChunksKeyed
	return before
}

// errClosed is what Next returns after Close.
var errClosed = errors.New("logscan: scan closed")

// backward reads blocks of rows from the end on, each forward, and turns them round.
type backward struct {
	r        *reader
	in, out  *vector.Batch
	spans    []span // those to come are the ones before
	from, to redex.Seq
	rows     int
	hot      redex.Seq // sequences of the next block alone: those behind the end of a page
	size     redex.Seq // sequences of the next block: fewer than rows while payloads are large, more where compaction left few
	turn     []int32
	err      error
	before   planner.ScanStats // counted before anything was read
}

func newBackward(s *Source, p *projection, spans []span, all span, rows int, st planner.ScanStats) *backward {
	b := &backward{r: newReader(s, p, all, maxBatchBytes), spans: spans, rows: rows, size: redex.Seq(rows), before: st}
	b.in, b.out = b.r.newBatch(), b.r.newBatch()
	return b
}

// Next returns the next batch, valid until the next call.
func (b *backward) Next(ctx context.Context) (*vector.Batch, error) {
	if b.err != nil {
		return nil, b.err
	}
	for {
		if b.from >= b.to {
			if len(b.spans) == 0 {
				return nil, nil
			}
			last := len(b.spans) - 1
			b.from, b.to = b.spans[last].from, b.spans[last].to
			b.spans = b.spans[:last]
		}
		n := min(b.size, b.to-b.from)
		if b.r.columns != nil { // a chunk gives no more than a block, and the rest of one at once
			n = min(n, (b.to-1)%pageEvents+1)
			if b.hot > 0 {
				n, b.hot = min(n, b.hot), 0
			}
		}
		if b.err = b.r.seek(b.to-n, b.to); b.err != nil {
			return nil, b.err
		}
		if b.err = b.r.fill(ctx, b.in, b.rows); b.err != nil {
			return nil, b.err
		}
		if b.r.at < b.to && b.r.columns.endsAt(b.r.at) {
			b.hot = b.to - b.r.at
			continue
		}
		if b.r.at < b.to {
			// Large payloads ended the batch early, or there were more rows than are wanted: take fewer, so that the last ones come first.
			b.size = max(1, n/2)
			continue
		}
		b.to -= n
		if b.in.N < b.rows/4 {
			b.size = max(2*b.size, n)
		}
		if b.in.N > 0 {
			break
		}
	}
	b.turn = b.turn[:0]
	for i := int32(b.in.N) - 1; i >= 0; i-- {
		b.turn = append(b.turn, i)
	}
	for i, c := range b.in.Cols {
		b.out.Cols[i].Gather(c, b.turn)
	}
	b.out.N, b.out.Sel = b.in.N, nil
	return b.out, nil
}

// Close ends the scan.
func (b *backward) Close() error {
	b.from, b.spans = b.to, nil
	if b.err == nil {
		b.err = errClosed
	}
	return b.r.close()
}

// ScanStats returns what was read.
func (b *backward) ScanStats() planner.ScanStats {
	return plus(b.r.stats, b.before)
}
