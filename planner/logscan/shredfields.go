package logscan

import (
	"context"

	"github.com/seed69692123/netdb/redex"
)

// Making a chunk of columns and keeping a field catalogue both take a walk through every payload. So who makes a chunk brings what the
// catalogue wants along, and a walk makes the chunks it comes upon.

// chunkFields is what a field catalogue wants to know of the events of a chunk.
type chunkFields struct {
	from, to  redex.Seq
	nodes     []shredNode // as the shredder has them
	malformed []redex.Seq
	noObject  []redex.Seq
	ordinal   redex.Ordinal
}

// fieldsOf returns what the shredder knows of [from, to), nil when there were paths that it has not looked at.
func (s *shredder) fieldsOf(from, to redex.Seq) *chunkFields {
	if s.beyond {
		return nil
	}
	return &chunkFields{from, to, s.nodes, s.malformed, s.noObject, s.ordinal}
}

// takeChunk takes the rows of a chunk in that were not taken in, if those before it were. Only who has the walk may call it.
func (f *fields) takeChunk(k *chunkFields) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.walked < k.from || f.walked >= k.to {
		return
	}
	at := make([]int32, len(k.nodes)) // of each node here; -1: beyond the limits
	for i := 1; i < len(k.nodes); i++ {
		n := &k.nodes[i]
		parent := at[n.parent]
		at[i] = -1
		if parent < 0 {
			continue
		}
		j := f.nodes[parent].kids[n.name]
		if j == 0 {
			if j = f.addLocked(parent, n.name); j == 0 {
				continue
			}
		}
		at[i] = j
		if m := &f.nodes[j]; m.types|n.types != m.types {
			m.types |= n.types
			f.cached = nil
			f.dirtyNodes[j] = struct{}{}
		}
	}
	for _, seq := range k.malformed {
		if seq >= f.walked {
			f.malformed++
			f.addBadLocked(seq)
		}
	}
	for _, seq := range k.noObject {
		if seq >= f.walked {
			f.noObject++
		}
	}
	f.walked = k.to
	f.ordinal = max(f.ordinal, k.ordinal)
}

// takeChunk has a log's catalogue take a chunk in that it has come to. What hinders that is no error: it walks the rows then.
func (c *Catalogues) takeChunk(ctx context.Context, l *redex.Log, k *chunkFields) {
	f, err := c.fields(l)
	if err != nil || k == nil {
		return
	}
	if at := f.position(); at < k.from || at >= k.to || f.beginWalk(ctx) != nil {
		return
	}
	defer f.endWalk()
	f.takeChunk(k)
	if f.unsaved() >= saveEvery {
		c.saveSoon(ctx, f)
	}
}

// ShredAhead has walks make the column files of the chunks they come upon. It is called before anything else.
func (c *Catalogues) ShredAhead() { c.shredAhead = true }

// walkByChunk makes the chunk at the catalogue's position, if it is to be one and there is none, and reports whether the catalogue has
// taken it in. The caller has the walk, and may have it again afterwards.
func (c *Catalogues) walkByChunk(ctx context.Context, f *fields, l *redex.Log) (took, held bool, err error) {
	at := max(f.position(), l.Bounds().Floor)
	key := chunkKey{l.ID(), false, uint64(at / redex.ChunkEvents)}
	first, end := key.span()
	const most = 2 // of it a quarter, at least, is new
	if !c.shredAhead || at-first > redex.ChunkEvents/most || end > c.columns.files.SealedTo(l) || c.columns.files.HasWhole(l, key.n) {
		return false, true, nil
	}
	f.reached(at) // what is below the floor has no fields
	f.endWalk()
	if wait := c.columns.begin(key); wait == nil {
		k, err := c.columns.make(ctx, &Source{log: l, fields: f, catalogues: c}, key, max(first, l.Bounds().Floor), end)
		if k != nil {
			c.columns.release(k)
		}
		if err != nil && ctx.Err() != nil {
			return false, false, err
		} // else reading by row tells what is wrong
	} else {
		select {
		case <-wait:
		case <-ctx.Done():
		}
	}
	if err := f.beginWalk(ctx); err != nil {
		return false, false, err
	}
	return f.position() >= end, true, nil
}
