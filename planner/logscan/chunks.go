package logscan

import (
	"bytes"
	"container/list"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/redex"
	"github.com/seed69692123/netdb/redex/sealed"
)

// pageEvents is how many sequences a page covers: a chunk in memory of rows that no column file is of yet.
const pageEvents = sealed.ColumnBlockRows

// hotRows is how many rows at the end of a log are read by row: a page that is not full is made, or made again, when there are more.
const hotRows = pageEvents / 8

// maxColumnFiles is how many column files are kept open that no scan reads.
const maxColumnFiles = 128

// worthMaking is which part of a chunk or page a scan must want for it to be made.
const worthMaking = 4

// worthGrowing is which part of its column file a log's last chunk must have grown by for another one to be made.
const worthGrowing = 8

// columns keeps chunks of columns: those in column files, made of rows that are sealed, and pages of those behind them, in memory.
// It is safe for concurrent use.
type columns struct {
	files *redex.Columns
	max   int64 // bytes of memory

	builders sync.Pool // of *sealed.ColumnBuilder: what a chunk is made in is kept for the next one until memory is collected

	mu     sync.Mutex
	chunks map[chunkKey]*chunk
	order  list.List // of *chunk; the front was used last
	used   int64
	open   int                        // files
	making map[chunkKey]chan struct{} // closed when it is made, or is not
}

// chunkKey names the chunk of the sequences [n × size, (n + 1) × size) of a log.
type chunkKey struct {
	log  redex.LogID
	page bool
	n    uint64
}

func (k *chunkKey) size() redex.Seq {
	if k.page {
		return pageEvents
	}
	return redex.ChunkEvents
}

func (k *chunkKey) span() (from, to redex.Seq) {
	return redex.Seq(k.n) * k.size(), redex.Seq(k.n+1) * k.size()
}

// chunk is a chunk that can be read. One that stands for rows which cannot be made one has no columns.
type chunk struct {
	*sealed.ColumnChunk
	key      chunkKey
	from, to redex.Seq // what it covers
	edits    uint64    // of the log when its events were read
	file     io.Closer // nil in memory

	// Guarded by columns.mu.
	refs int
	elem *list.Element // nil: not kept any more
	size int64

	mu    sync.Mutex
	dicts map[*sealed.Column]*vector.Dict
}

func newColumns(files *redex.Columns, max int64) *columns {
	return &columns{files: files, max: max, chunks: map[chunkKey]*chunk{}, making: map[chunkKey]chan struct{}{}}
}

// builder returns a builder of a chunk. It goes back to builders.
func (c *columns) builder(log redex.LogID, from redex.Seq) (*sealed.ColumnBuilder, error) {
	if b, ok := c.builders.Get().(*sealed.ColumnBuilder); ok {
		return b, b.Reset(uint64(log), uint64(from))
	}
	return sealed.NewColumnBuilder(uint64(log), uint64(from), c.files.Owner(), shredBudget)
}

// keyOf returns which chunk may have a sequence: one of a column file if all its rows are sealed, else a page.
func (c *columns) keyOf(l *redex.Log, seq, sealedTo redex.Seq) chunkKey {
	n := uint64(seq) / redex.ChunkEvents
	if redex.Seq(n+1)*redex.ChunkEvents <= sealedTo {
		return chunkKey{l.ID(), false, n}
	}
	return chunkKey{l.ID(), true, uint64(seq) / pageEvents}
}

// chunkOf returns the chunk that has a sequence of a source. One that there is not is made when the scan, of all in all, wants enough of
// it, or any with always set. Nil is returned when there is none. The caller releases it.
func (c *columns) chunkOf(ctx context.Context, s *Source, seq redex.Seq, all span, always bool) (*chunk, error) {
	key := c.keyOf(s.log, seq, c.files.SealedTo(s.log))
	first, end := key.span()
	if key.page {
		if k, err := c.tail(s, seq); k != nil || err != nil {
			return k, err
		}
	}
	behind, worth := redex.Seq(0), key.size()/worthMaking
	if b := s.log.Bounds(); key.page && end > b.Next { // it is not full
		if always && b.Floor <= seq {
			return c.read(ctx, s, &chunk{key: key, edits: c.files.Edits(s.log), from: max(first, b.Floor), to: b.Next})
		}
		end, behind, worth = b.Next, hotRows-1, hotRows
	}
	wanted := always || int64(min(end, all.to))-int64(max(first, all.from)) >= int64(worth)
	for {
		k, wait, err := c.find(s, key, seq)
		if err != nil {
			return nil, err
		}
		if k != nil {
			if current := k.to+behind >= end; seq < k.to && (current || !wanted) {
				return k, nil
			} else if c.release(k); current {
				return nil, nil
			}
		}
		if wait == nil {
			if !wanted {
				return nil, nil
			}
			if wait = c.begin(key); wait == nil {
				return c.make(ctx, s, key, seq, end)
			}
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Shred makes the column file of a chunk of a log, if all its events are sealed and there is none, and reports whether the log has a
// chunk of that number. What keeps it from being made is no error: queries read rows then.
func (c *Catalogues) Shred(ctx context.Context, l *redex.Log, chunk uint64) (bool, error) {
	cols := c.columns
	key := chunkKey{l.ID(), false, chunk}
	_, end := key.span()
	if end > cols.files.SealedTo(l) {
		return false, ctx.Err()
	}
	if end > l.Bounds().Floor && !cols.files.HasWhole(l, chunk) && cols.end(&Source{log: l, catalogues: c}, key, end-1) < end {
		c.shredTo(ctx, l, key, end)
	}
	return true, ctx.Err()
}

// ShredTail makes a column file of what is sealed of a log's last chunk, up to a whole page, if that is many events and there is no file of
// most of them. What keeps it from being made is no error.
func (c *Catalogues) ShredTail(ctx context.Context, l *redex.Log) {
	to := c.columns.files.SealedTo(l) / pageEvents * pageEvents
	key := chunkKey{l.ID(), false, uint64(to) / redex.ChunkEvents}
	first, _ := key.span()
	if first = max(first, l.Bounds().Floor); first >= to {
		return
	}
	have := max(c.columns.end(&Source{log: l, catalogues: c}, key, first), first)
	if to >= have+max(redex.TailEvents, (have-first)/worthGrowing) {
		c.shredTo(ctx, l, key, to)
	}
}

// shredTo makes the column file of a chunk up to a sequence, unless somebody makes one.
func (c *Catalogues) shredTo(ctx context.Context, l *redex.Log, key chunkKey, to redex.Seq) {
	if c.columns.begin(key) != nil {
		return
	}
	first, _ := key.span()
	if k, err := c.columns.make(ctx, &Source{log: l, catalogues: c}, key, max(first, l.Bounds().Floor), to); err == nil && k != nil {
		c.columns.release(k)
	}
}

// tail returns the chunk that has a sequence, of the column file of a log's last chunk; nil when there is none.
func (c *columns) tail(s *Source, seq redex.Seq) (*chunk, error) {
	k, _, err := c.find(s, chunkKey{s.log.ID(), false, uint64(seq) / redex.ChunkEvents}, seq)
	if k != nil && k.ColumnChunk == nil {
		c.release(k)
		return nil, nil
	}
	return k, err
}

// known returns the chunk that has a sequence, nil unless it is kept or in a file, and where it ends, or what would be made one.
func (c *columns) known(s *Source, seq, sealedTo redex.Seq) (k *chunk, end redex.Seq, err error) {
	key := c.keyOf(s.log, seq, sealedTo)
	_, end = key.span()
	if key.page {
		k, err = c.tail(s, seq)
	}
	if k == nil && err == nil {
		k, _, err = c.find(s, key, seq)
	}
	switch {
	case k == nil:
	case seq < k.to:
		end = k.to
	default:
		c.release(k)
		k = nil
	}
	return k, end, err
}

// end returns where the chunk ends that is kept, or in a file, and has a sequence; 0 when there is none.
func (c *columns) end(s *Source, key chunkKey, seq redex.Seq) redex.Seq {
	k, _, err := c.find(s, key, seq)
	if err != nil || k == nil {
		return 0
	}
	defer c.release(k)
	return k.to
}

// find returns a chunk that is kept, or in a file, and has a sequence, or a page that ends before it; or what to wait for while somebody makes it.
func (c *columns) find(s *Source, key chunkKey, seq redex.Seq) (*chunk, chan struct{}, error) {
	edits := c.files.Edits(s.log)
	c.mu.Lock()
	k := c.chunks[key]
	if k != nil && (k.edits != edits || k.from > seq) {
		c.forgetLocked(k)
		k = nil
	}
	if k != nil && (seq < k.to || key.page) {
		k.refs++
		c.order.MoveToFront(k.elem)
		c.mu.Unlock()
		return k, nil, nil
	}
	wait := c.making[key]
	c.mu.Unlock()
	if key.page || wait != nil || k != nil { // one that ends before the sequence is that of the file
		return nil, wait, nil
	}
	f, err := c.files.Open(s.log, key.n)
	if err != nil || f == nil {
		return nil, nil, err
	}
	columns, err := sealed.OpenColumns(f, f.Size, c.files.Owner())
	_, end := key.span()
	if err == nil && (columns.Info().Log != uint64(key.log) || redex.Seq(columns.Info().From) > seq || redex.Seq(columns.Info().To) > end) {
		err = sealed.ErrCorrupt
	}
	if err != nil {
		_ = f.Close() // only read from
		return nil, nil, c.damaged(s, key, err)
	}
	from, to := redex.Seq(columns.Info().From), redex.Seq(columns.Info().To)
	k = c.keep(&chunk{ColumnChunk: columns, key: key, from: from, to: to, edits: edits, file: f, size: columns.SizeBytes()})
	if seq >= to {
		c.release(k)
		return nil, nil, nil
	}
	return k, nil, nil
}

// damaged drops a column file that cannot be read as one, which is made again, and returns other errors.
func (c *columns) damaged(s *Source, key chunkKey, err error) error {
	if !errors.Is(err, sealed.ErrCorrupt) && !errors.Is(err, sealed.ErrFormat) && !errors.Is(err, sealed.ErrForeign) {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.chunks[key] != nil || c.making[key] != nil { // the file is another's by now
		return nil
	}
	return c.files.Drop(s.log, key.n)
}

// discard gives up a chunk in use that was found damaged.
func (c *columns) discard(s *Source, k *chunk) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.chunks[k.key] == k { // else the file is another's, made since somebody else found this one damaged
		_ = c.files.Drop(s.log, k.key.n) // what stays is found damaged again
	}
	c.forgetLocked(k)
}

// begin takes the making of a chunk, or returns what to wait for.
func (c *columns) begin(key chunkKey) chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if wait := c.making[key]; wait != nil {
		return wait
	}
	c.making[key] = make(chan struct{})
	return nil
}

// make makes a chunk, up to a sequence, of what can be read now. The caller has begun it.
func (c *columns) make(ctx context.Context, s *Source, key chunkKey, seq, to redex.Seq) (*chunk, error) {
	defer func() {
		c.mu.Lock()
		close(c.making[key])
		delete(c.making, key)
		c.mu.Unlock()
	}()
	edits := c.files.Edits(s.log)
	k := &chunk{key: key, edits: edits, to: to}
	k.from, _ = key.span()
	if k.from = max(k.from, s.log.Bounds().Floor); k.from > seq {
		return nil, nil // retention was quicker
	}
	k, err := c.read(ctx, s, k)
	if err != nil {
		return nil, err
	}
	return c.keep(k), nil
}

// read makes a chunk of the events that it covers, and a column file of it, unless it is a page. It is in use, once it is kept.
func (c *columns) read(ctx context.Context, s *Source, k *chunk) (*chunk, error) {
	content, err := s.shred(ctx, k.from, k.to, sealed.S2)
	if err != nil {
		return nil, err
	}
	if content == nil { // that is not tried again
		return k, ctx.Err()
	}
	if k.key.page {
		if _, end := k.key.span(); k.to == end { // a file of the tail would have it
			c.files.Missed(s.log)
		}
	} else {
		kept, err := c.files.Keep(ctx, s.log, k.key.n, k.to, k.edits, content)
		if err == nil && kept {
			f, err := c.files.Open(s.log, k.key.n)
			if err == nil && f != nil {
				if k.ColumnChunk, err = sealed.OpenColumns(f, f.Size, c.files.Owner()); err == nil {
					k.file, k.size = f, k.SizeBytes()
					return k, nil
				}
				_ = f.Close() // only read from
			}
		}
		// It cannot be written, or its events were changed meanwhile: as of now it serves this scan.
	}
	if k.ColumnChunk, err = sealed.OpenColumns(bytes.NewReader(content), int64(len(content)), c.files.Owner()); err != nil {
		return nil, err
	}
	k.size = int64(len(content)) + k.SizeBytes()
	return k, nil
}

// keep keeps a chunk for others, and returns it in use.
func (c *columns) keep(k *chunk) *chunk {
	c.mu.Lock()
	defer c.mu.Unlock()
	k.refs++
	if other := c.chunks[k.key]; other != nil {
		c.forgetLocked(other)
	}
	c.chunks[k.key] = k
	k.elem = c.order.PushFront(k)
	c.used += k.size
	if k.file != nil {
		c.open++
	}
	c.evictLocked()
	return k
}

// evictLocked lets go of the chunks that were not used for longest until the others fit. Those in use count until they are released.
func (c *columns) evictLocked() {
	for e := c.order.Back(); e != nil && (c.used > c.max || c.open > maxColumnFiles); {
		k, before := e.Value.(*chunk), e.Prev()
		if k.refs == 0 && (c.used > c.max || k.file != nil) {
			c.forgetLocked(k)
		}
		e = before
	}
}

func (c *columns) forgetLocked(k *chunk) {
	if c.chunks[k.key] == k {
		delete(c.chunks, k.key)
	}
	if k.elem != nil {
		c.order.Remove(k.elem)
		k.elem = nil
		c.used -= k.size
		if k.file != nil {
			c.open--
		}
	}
	if k.refs == 0 && k.file != nil {
		_ = k.file.Close() // only read from
		k.file = nil
	}
}

// release gives up a chunk that chunkOf returned.
func (c *columns) release(k *chunk) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k.refs = max(k.refs-1, 0) // one that was never kept has none
	if k.elem == nil {
		c.forgetLocked(k)
	} else {
		c.evictLocked()
	}
}

// close lets go of all chunks. None is in use.
func (c *columns) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.chunks {
		c.forgetLocked(k)
	}
}

// dict returns the dictionary of a column of the chunk, the same for all who ask.
func (c *columns) dict(k *chunk, col *sealed.Column) (*vector.Dict, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if d := k.dicts[col]; d != nil {
		return d, nil
	}
	raw, err := col.Dictionary()
	if err != nil {
		return nil, err
	}
	d := &vector.Dict{Refs: make([]vector.Ref, len(raw.Ends)), Data: raw.Data}
	from := 0
	for i, end := range raw.Ends {
		d.Refs[i] = vector.MakeRef(from, int(end)-from)
		from = int(end)
	}
	if k.dicts == nil {
		k.dicts = map[*sealed.Column]*vector.Dict{}
	}
	k.dicts[col] = d
	size := col.DictionaryBytes() + int64(len(d.Refs))*8
	c.mu.Lock()
	k.size += size
	if k.elem != nil {
		c.used += size
	}
	c.mu.Unlock()
	return d, nil
}
