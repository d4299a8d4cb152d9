package fold

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/seed69692123/netdb/redex"
)

// frozen is a Frozen state.
type frozen struct {
	head   header // without its tables
	marks  []Mark
	tables []tableCore
	plain  []byte // the state, when it has no tables
	broken error  // why it cannot be exported
}

func (f *frozen) Fold() string  { return f.head.fold }
func (f *frozen) Marks() []Mark { return f.marks }

func (f *frozen) Tables() []TableView {
	out := make([]TableView, len(f.tables))
	for i, t := range f.tables {
		out[i] = t.view()
	}
	return out
}

func (f *frozen) Export(w io.Writer) (err error) {
	if f.broken != nil {
		return fmt.Errorf("fold: export of %q: %w", f.head.fold, f.broken)
	}
	defer func() {
		if r := recover(); r != nil { // a codec is user code
			err = newPanic(r)
		}
		if err != nil {
			err = fmt.Errorf("fold: export of %q: %w", f.head.fold, err)
		}
	}()
	h := f.head
	h.plain = len(f.tables) == 0
	for _, t := range f.tables {
		h.tables = append(h.tables, tableHeader{t.tableName(), uint64(t.len())})
	}
	s := newStreamWriter(w)
	if err := s.record(h.append(nil)); err != nil {
		return err
	}
	if h.plain {
		if err := s.record(f.plain); err != nil {
			return err
		}
	}
	for _, t := range f.tables {
		if err := t.encode(s); err != nil {
			return err
		}
	}
	return s.finish()
}

// ordinal returns how far the journal must be durable before f may be written.
func (f *frozen) ordinal() redex.Ordinal {
	o := redex.Ordinal(0)
	for _, m := range f.marks {
		o = max(o, m.Ordinal)
	}
	return o
}

// pieceWriter puts a stream into the store as a generation of pieces that nothing refers to yet.
type pieceWriter struct {
	ctx     context.Context
	views   *redex.Views
	derived redex.Ordinal
	m       manifest
	batch   *redex.ViewBatch
	held    int // pieces in batch
	buf     []byte
	value   []byte
}

func newPieceWriter(ctx context.Context, v *redex.Views, derived redex.Ordinal, generation uint64) *pieceWriter {
	p := &pieceWriter{ctx: ctx, views: v, derived: derived, m: manifest{generation: generation}, batch: new(redex.ViewBatch)}
	// Pieces of a checkpoint that was interrupted may lie here.
	p.batch.DeleteRange(pieceKey(generation, 0), []byte{'p' + 1})
	return p
}

func (p *pieceWriter) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		k := min(len(b), pieceBytes-len(p.buf))
		p.buf = append(p.buf, b[:k]...)
		b = b[k:]
		if len(p.buf) == pieceBytes {
			if err := p.cut(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func (p *pieceWriter) cut() error {
	if p.m.pieces == math.MaxUint32 {
		return errors.New("state too large")
	}
	key := pieceKey(p.m.generation, p.m.pieces)
	p.value = appendPiece(p.value[:0], key, p.buf)
	p.batch.Set(key, p.value)
	p.m.pieces++
	p.m.bytes += uint64(len(p.buf))
	p.buf = p.buf[:0]
	if p.held++; p.held < batchPieces {
		return nil
	}
	return p.commit()
}

func (p *pieceWriter) commit() error {
	err := p.views.Commit(p.ctx, p.batch, p.derived)
	p.batch, p.held = new(redex.ViewBatch), 0
	return err
}

// publish makes the pieces the checkpoint, in one small batch that also drops the one before.
func (p *pieceWriter) publish(before uint64) error {
	if len(p.buf) > 0 {
		if err := p.cut(); err != nil {
			return err
		}
	}
	if err := p.commit(); err != nil {
		return err
	}
	have, err := readManifest(p.views)
	if err != nil || have.generation != before {
		return errors.Join(errNoProgress, err)
	}
	p.batch.Set(manifestKey, p.m.append(nil))
	p.batch.DeleteRange(pieceKey(0, 0), pieceKey(p.m.generation, 0))
	return p.commit()
}

// readManifest returns the zero manifest when there is none, or none that can be read.
func readManifest(v *redex.Views) (manifest, error) {
	b, err := v.Get(manifestKey)
	switch {
	case errors.Is(err, redex.ErrCorrupt):
		return manifest{}, nil
	case err != nil || b == nil:
		return manifest{}, err
	}
	m, err := parseManifest(b)
	if err != nil {
		return manifest{}, nil
	}
	return m, nil
}

type pieceReader struct {
	views *redex.Views
	m     manifest
	next  uint32
	rest  []byte
}

func (p *pieceReader) Read(b []byte) (int, error) {
	for len(p.rest) == 0 {
		if p.next == p.m.pieces {
			return 0, io.EOF
		}
		key := pieceKey(p.m.generation, p.next)
		v, err := p.views.Get(key)
		if err != nil {
			return 0, err
		}
		if p.rest, err = parsePiece(key, v); err != nil {
			return 0, err
		}
		p.next++
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// claim takes the place in the store where a fold's checkpoints are, for its only writer.
func claim(store *redex.Store, fold string) (*redex.Views, func(), error) {
	v := store.Views("fold/" + fold)
	release, ok := v.Claim()
	if !ok {
		return nil, nil, ErrOpen
	}
	return v, release, nil
}

// writeFrozen writes f as the next checkpoint. generation is the one it replaces.
func writeFrozen(ctx context.Context, v *redex.Views, f *frozen, generation uint64) (uint64, error) {
	p := newPieceWriter(ctx, v, f.ordinal(), generation+1)
	if err := f.Export(p); err != nil {
		return generation, err
	}
	if err := p.publish(generation); err != nil {
		return generation, fmt.Errorf("fold: checkpoint of %q: %w", f.head.fold, err)
	}
	return generation + 1, nil
}

// Import puts a state that Frozen.Export wrote into the store as the checkpoint of the fold of that name, before it is
// opened. The state is verified while it is read and is not visible before all of it is in; r must end where the state ends.
// Errors wrap ErrCheckpoint for bytes that are no whole export of that fold, ErrOpen while the fold is open or is imported. Open
// checks that the state fits the fold's layout and the logs.
func Import(ctx context.Context, store *redex.Store, name string, r io.Reader) error {
	fail := func(err error) error { return fmt.Errorf("fold: import of %q: %w", name, err) }
	v, release, err := claim(store, name)
	if err != nil {
		return fail(err)
	}
	defer release()
	m, err := readManifest(v)
	if err != nil {
		return fail(err)
	}
	// What the state was derived from is not in this store's journal: nothing there has to be durable first.
	p := newPieceWriter(ctx, v, 0, m.generation+1)
	rr, err := newRecordReader(io.TeeReader(r, p))
	if err != nil {
		return fail(unusable(err))
	}
	h, err := rr.header()
	if err != nil {
		return fail(unusable(err))
	}
	if h.fold != name {
		return fail(unusable(fmt.Errorf("it is of fold %q", h.fold)))
	}
	if h.store != store.ID() {
		return fail(unusable(fmt.Errorf("it is of store %v", h.store)))
	}
	if err := rr.skim(h); err != nil {
		return fail(unusable(err))
	}
	if err := p.publish(m.generation); err != nil {
		return fail(err)
	}
	return nil
}

func unusable(err error) error {
	if errors.Is(err, redex.ErrClosed) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrCheckpoint, err)
}

// load brings the handle's empty state to the store's checkpoint. It returns false when there is none.
func (h *Handle[S]) load(ctx context.Context) (found bool, err error) {
	defer func() {
		if r := recover(); r != nil { // codecs, Derive and indexes are user code
			err = unusable(newPanic(r))
		}
	}()
	raw, err := h.views.Get(manifestKey)
	switch {
	case errors.Is(err, redex.ErrCorrupt):
		return true, unusable(err)
	case err != nil || raw == nil:
		return false, err
	}
	m, err := parseManifest(raw)
	if err != nil {
		return true, unusable(err)
	}
	h.generation = m.generation
	rr, err := newRecordReader(&pieceReader{views: h.views, m: m})
	if err != nil {
		return true, unusable(err)
	}
	head, err := rr.header()
	if err != nil {
		return true, unusable(err)
	}
	if err := h.fits(ctx, head); err != nil {
		return true, err
	}
	if head.plain {
		b, err := rr.record()
		if err == nil {
			err = decodePlain(b, h.state)
		}
		if err != nil {
			return true, unusable(err)
		}
	}
	for i, t := range head.tables {
		if err := h.live[i].decode(rr, t.rows); err != nil {
			return true, unusable(fmt.Errorf("table %s: %w", t.name, err))
		}
	}
	if err := rr.finish(); err != nil {
		return true, unusable(err)
	}
	for i := range h.logs {
		for _, l := range head.logs {
			if l.mark.Log == h.logs[i].id {
				l.mark.Name = h.logs[i].name
				h.own.logs[i] = l
			}
		}
	}
	h.lost, h.skipped = head.lost, head.skipped
	return true, nil
}

// fits checks that a checkpoint is of this fold as it is defined now, and of this store's history as it is now.
func (h *Handle[S]) fits(ctx context.Context, head *header) error {
	switch {
	case head.fold != h.def.Name:
		return unusable(fmt.Errorf("it is of fold %q", head.fold))
	case head.version != int64(h.def.Version):
		return fmt.Errorf("%w: it is of version %d, the fold of version %d", ErrLayout, head.version, h.def.Version)
	case head.layout != h.layout || head.plain != (h.tables == nil) || len(head.tables) != len(h.live):
		return fmt.Errorf("%w: its rows or indexes are of another type", ErrLayout)
	case head.store != h.store.ID():
		return unusable(fmt.Errorf("it is of store %v", head.store))
	case head.epoch > h.store.Epoch():
		return unusable(fmt.Errorf("it is of epoch %d, the store of epoch %d: %w", head.epoch, h.store.Epoch(), redex.ErrEpoch))
	case len(head.logs) != len(h.logs):
		return fmt.Errorf("%w: it is of %d logs, the fold of %d", ErrLayout, len(head.logs), len(h.logs))
	}
	for i, t := range head.tables {
		if t.name != h.live[i].tableName() {
			return fmt.Errorf("%w: table %q is in the place of %q", ErrLayout, t.name, h.live[i].tableName())
		}
	}
	byID := map[redex.LogID]*logHeader{}
	for i := range head.logs {
		byID[head.logs[i].mark.Log] = &head.logs[i]
	}
	for _, l := range h.logs {
		c := byID[l.id]
		if c == nil {
			return unusable(fmt.Errorf("it knows nothing of log %q (id %d)", l.name, l.id))
		}
		m := c.mark
		if next := l.log.Bounds().Next; m.Next > next {
			return unusable(fmt.Errorf("it is ahead of log %q: it has folded below %d, the log ends at %d", l.name, m.Next, next))
		}
		// Of an epoch that ended, only what was placed before the next one began is still there. Ordinal 0 is of sealed
		// events, which no epoch loses.
		epochs := h.store.Epochs()
		if epochs[0].Epoch > head.epoch+1 && m.Ordinal > 0 {
			return unusable(fmt.Errorf("log %q: the end of epoch %d is forgotten: %w", l.name, head.epoch, redex.ErrEpoch))
		}
		for _, e := range epochs {
			if e.Epoch > head.epoch && m.Ordinal >= e.First {
				return unusable(fmt.Errorf("log %q: it has folded what was lost at the end of epoch %d: %w", l.name, head.epoch, redex.ErrEpoch))
			}
		}
	}
	return nil
}

// checkpointDue reports whether the driver should start a checkpoint.
func (h *Handle[S]) checkpointDue() bool {
	c := &h.def.Options.Checkpoint
	if c.Off || h.unwritable != nil || h.since.events < c.Events && h.since.bytes < c.Bytes {
		return false
	}
	return !h.writing.Load() && time.Since(h.since.start) >= c.Every
}

// startCheckpoint writes the state beside the driver's work. Only the driver calls it.
func (h *Handle[S]) startCheckpoint() {
	f := h.freezeHere()
	h.since.events, h.since.bytes, h.since.start = 0, 0, time.Now()
	h.writing.Store(true)
	h.writers.Go(func() {
		defer h.writing.Store(false)
		h.write(h.ctx, f)
	})
}

// write writes f unless the store has something as new.
func (h *Handle[S]) write(ctx context.Context, f *frozen) error {
	h.writeMu.Lock()
	defer h.writeMu.Unlock()
	if h.released {
		return ErrClosed
	}
	if !ahead(f.marks, h.written) {
		return nil
	}
	g, err := writeFrozen(ctx, h.views, f, h.generation)
	h.generation = g
	h.statMu.Lock()
	h.checkpointErr = err
	if err == nil {
		h.checkpoints++
		h.written = f.marks
	}
	h.statMu.Unlock()
	if err != nil && ctx.Err() == nil {
		h.def.Options.Logger.Warn("fold: checkpoint not written", "fold", h.def.Name, "err", err)
	}
	return err
}

// ahead reports whether a has folded something that b has not; a nil b has folded nothing.
func ahead(a, b []Mark) bool {
	for i := range a {
		if b == nil && a[i].Next > 0 || b != nil && a[i].Next > b[i].Next {
			return true
		}
	}
	return false
}

// Checkpoint implements Instance: it writes the newest state to the store, which makes the journal durable up to it first. It
// fails with ErrClosed after Close.
func (h *Handle[S]) Checkpoint(ctx context.Context) error {
	f, err := h.Frozen()
	if err != nil {
		return err
	}
	return h.write(ctx, f.(*frozen))
}
