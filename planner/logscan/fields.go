package logscan

import (
	"context"
	"slices"
	"sync"

	"github.com/seed69692123/netdb/internal/num"
	"github.com/seed69692123/netdb/internal/payload"
	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/redex"
)

// fields is the field catalogue of one log, and which of its payloads are malformed. One goroutine at a time takes rows in: the
// one that has the walk. It alone writes, under mu; it may read without.
type fields struct {
	id      redex.LogID
	walking chan struct{} // of capacity 1: who has put something in has the walk
	walk    payload.ValueWalker

	mu        sync.RWMutex
	nodes     []node // 0 is the top; a node comes after its parent
	walked    redex.Seq
	ordinal   redex.Ordinal // of the newest row that was taken in
	over      bool          // a path did not fit the limits
	malformed int64
	noObject  int64
	bad       map[uint64]*badRows // by sequence / badChunk
	event     uint64              // counts rows that were walked, to know what occurred in this one
	cached    *planner.Catalogue  // nil after a change
	detached  bool                // no longer the log's catalogue: not to be saved

	savedTo    redex.Seq // walked when it was saved
	dirtyNodes map[int32]struct{}
	dirtyBad   map[uint64]struct{}
}

// node is one name of a path.
type node struct {
	name   string
	parent int32
	level  uint8
	types  uint16 // a bit for each payload.Class
	kids   map[string]int32
	seen   uint64 // event in which the name occurred last

	// Members mostly come in the order of the row before: first is the one that came first in this object, next the one that
	// came after this one, at the one that came last, in event atEvent.
	first, next, at int32
	atEvent         uint64
}

// badRows is a set of rows of one chunk of sequences.
type badRows struct {
	bits  [badChunk / 64]uint64
	count int
}

const badChunk = 1 << 16

func newFields(id redex.LogID) *fields {
	f := &fields{
		id: id, walking: make(chan struct{}, 1), nodes: make([]node, 1), bad: map[uint64]*badRows{},
		dirtyNodes: map[int32]struct{}{}, dirtyBad: map[uint64]struct{}{},
	}
	f.walk.Visit = f.visitLocked
	return f
}

// beginWalk waits for the right to take rows in.
func (f *fields) beginWalk(ctx context.Context) error {
	select {
	case f.walking <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tryWalk takes that right if nobody has it.
func (f *fields) tryWalk() bool {
	select {
	case f.walking <- struct{}{}:
		return true
	default:
		return false
	}
}

func (f *fields) endWalk() { <-f.walking }

// position returns the first sequence that was not taken in.
func (f *fields) position() redex.Seq {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.walked
}

// reached notes that everything below a sequence was taken in, or does not exist.
func (f *fields) reached(seq redex.Seq) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.walked = max(f.walked, seq)
}

func (f *fields) unsaved() redex.Seq {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.walked - f.savedTo
}

func (f *fields) dirtyLocked() bool { return f.walked != f.savedTo }

// format returns how walkers see an event's payload.
func format(e redex.Encoding) payload.Format {
	switch e {
	case redex.JSON:
		return payload.JSON
	case redex.Msgpack:
		return payload.Msgpack
	}
	return payload.Opaque
}

// take takes a row in: it is checked whole, and its paths are noted. It reports whether the payload is well-formed. Only who has
// the walk may call it, with rows in order. A row that was given up is not taken in.
func (f *fields) take(ev *redex.Event, pace *num.Pace) (wellFormed bool) {
	p := format(ev.Encoding)
	class, err := payload.CheckPaced(p, ev.Payload, pace)
	if pace.Over() {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil && class == payload.Object {
		f.event++
		if f.walk.Walk(p, ev.Payload, pace); pace.Over() {
			return false // what it noted are paths that there are
		}
	}
	f.walked = ev.Seq + 1
	f.ordinal = max(f.ordinal, ev.Ordinal)
	switch {
	case err != nil:
		f.malformed++
		f.addBadLocked(ev.Seq)
		return false
	case p == payload.Opaque:
	case class != payload.Object:
		f.noObject++
	}
	return true
}

// skip leaves out a row that cannot be read: should it be readable one day, it has no fields.
func (f *fields) skip() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addBadLocked(f.walked)
	f.walked++
}

func (f *fields) addBadLocked(seq redex.Seq) {
	k := uint64(seq) / badChunk
	b := f.bad[k]
	if b == nil {
		b = &badRows{}
		f.bad[k] = b
	}
	b.bits[seq%badChunk/64] |= 1 << (seq % 64)
	b.count++
	f.dirtyBad[k] = struct{}{}
}

// visitLocked notes a member of an object and returns its node, or -1 to leave out what is inside.
func (f *fields) visitLocked(parent int32, name []byte, v *payload.Value) int32 {
	p := &f.nodes[parent]
	var guess int32
	if p.atEvent != f.event {
		p.atEvent, p.at = f.event, 0
		guess = p.first
	} else {
		guess = f.nodes[p.at].next
	}
	k := guess
	if guess == 0 || f.nodes[guess].name != string(name) {
		if k = p.kids[string(name)]; k == 0 {
			if k = f.addLocked(parent, string(name)); k == 0 {
				return -1
			}
			p = &f.nodes[parent]
		}
		if p.at == 0 {
			p.first = k
		} else {
			f.nodes[p.at].next = k
		}
	}
	p.at = k
	n := &f.nodes[k]
	if n.seen == f.event {
		return -1 // a duplicate: the first counts
	}
	n.seen = f.event
	if bit := uint16(1) << v.Class; n.types&bit == 0 {
		n.types |= bit
		f.cached = nil
		f.dirtyNodes[k] = struct{}{}
	}
	return k
}

// addLocked adds a name below a node; 0 when it is beyond the limits.
func (f *fields) addLocked(parent int32, name string) int32 {
	if len(f.nodes) > MaxPaths || f.nodes[parent].level == MaxLevels || len(name) > MaxNameBytes {
		if !f.over {
			f.over, f.cached = true, nil
		}
		return 0
	}
	k := int32(len(f.nodes))
	f.nodes = append(f.nodes, node{name: name, parent: parent, level: f.nodes[parent].level + 1})
	p := &f.nodes[parent]
	if p.kids == nil {
		p.kids = map[string]int32{}
	}
	p.kids[name] = k
	f.cached = nil
	f.dirtyNodes[k] = struct{}{}
	return k
}

// badBetween appends the malformed rows of [from, to) that have been taken in, and returns the first sequence that has not.
func (f *fields) badBetween(dst []redex.Seq, from, to redex.Seq) ([]redex.Seq, redex.Seq) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if len(f.bad) > 0 {
		for seq := from; seq < min(to, f.walked); {
			b := f.bad[uint64(seq)/badChunk]
			if b == nil {
				seq = (seq/badChunk + 1) * badChunk
				continue
			}
			if b.bits[seq%badChunk/64]>>(seq%64)&1 != 0 {
				dst = append(dst, seq)
			}
			seq++
		}
	}
	return dst, f.walked
}

// catalogue returns the paths in order of first sequence.
func (f *fields) catalogue() planner.Catalogue {
	f.mu.RLock()
	c := f.cached
	f.mu.RUnlock()
	if c != nil {
		return *c
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cached == nil {
		all := make([]planner.Field, 0, len(f.nodes)-1)
		for i := range f.nodes[1:] {
			n := &f.nodes[i+1]
			var path []string
			if n.parent > 0 {
				up := all[n.parent-1].Path
				path = append(up[:len(up):len(up)], n.name)
			} else {
				path = []string{n.name}
			}
			all = append(all, planner.Field{Path: path, Type: typeOf(n.types), Types: typesOf(n.types)})
		}
		f.cached = &planner.Catalogue{Fields: all, Open: f.over}
	}
	return *f.cached
}

// typeOf returns the type that all values of some classes have: DOUBLE for integers beside doubles, Any for others mixed, and for
// integers beyond BIGINT.
func typeOf(classes uint16) vector.Type {
	const null, integer, double = 1 << payload.Null, 1 << payload.Int, 1 << payload.Float
	switch classes &^ null {
	case 1 << payload.Bool:
		return vector.Bool
	case integer:
		return vector.Int
	case double, integer | double:
		return vector.Float
	case 1 << payload.Text:
		return vector.Text
	case 1 << payload.Blob:
		return vector.Blob
	case 1 << payload.Time:
		return vector.Time
	case 1 << payload.Array, 1 << payload.Object, 1<<payload.Array | 1<<payload.Object:
		return vector.JSON
	}
	return vector.Any
}

// typesOf returns the types that values of some classes have, when they are several.
func typesOf(classes uint16) (types []vector.Type) {
	for c := payload.Bool; c <= payload.Object; c++ {
		if classes>>c&1 == 0 {
			continue
		}
		t := typeOf(1 << c)
		if c == payload.Big {
			t = vector.Int
		}
		if !slices.Contains(types, t) {
			types = append(types, t)
		}
	}
	if len(types) < 2 {
		return nil
	}
	return types
}
