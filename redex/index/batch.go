package index

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/seed69692123/netdb/redex"
)

// maxEventBytes bounds what the projection of one event does.
const maxEventBytes = 16 << 20

// Ops takes what a projection makes of an event. Arguments are copied. A key has at most MaxKeyBytes and a value at most
// MaxValueBytes; what is over a limit fails the event, whatever its projection returns. Operations on one key count in their order.
type Ops struct {
	b   *batch
	err error
}

// Insert adds a value to the values of key, unless it is there.
func (o *Ops) Insert(key, value []byte) { o.add(opInsert, key, value) }

// Remove takes a value from the values of key, if it is there.
func (o *Ops) Remove(key, value []byte) { o.add(opRemove, key, value) }

// RemoveAll takes all values of key.
func (o *Ops) RemoveAll(key []byte) { o.add(opRemoveAll, key, nil) }

func (o *Ops) add(kind opKind, key, value []byte) {
	if o.err != nil {
		return
	}
	switch {
	case len(key) > MaxKeyBytes:
		o.err = fmt.Errorf("%w: key of %d bytes, at most %d", ErrTooLarge, len(key), MaxKeyBytes)
	case len(value) > MaxValueBytes:
		o.err = fmt.Errorf("%w: value of %d bytes, at most %d", ErrTooLarge, len(value), MaxValueBytes)
	case o.b.bytes()-o.b.kept.bytes > maxEventBytes:
		o.err = fmt.Errorf("%w: the operations of one event are over %d bytes", ErrTooLarge, maxEventBytes)
	default:
		o.b.add(kind, key, value)
	}
}

type opKind uint8

const (
	opInsert opKind = iota
	opRemove
	opRemoveAll
)

// op is one operation. Its memory is that of its batch.
type op struct {
	head   uint64 // the first bytes of the entry's key behind its first: most comparisons end there
	at     uint32 // of the entry's key in the batch's data
	prefix uint16 // bytes of it that all entries of the index key begin with
	entry  uint16 // bytes of it
	long   uint16 // bytes of a value that is not in it, behind it
	kind   opKind
	order  uint32
}

const opMemory = 40

// batch gathers the operations of some events, and turns them into changes of the view.
type batch struct {
	ops  []op
	data []byte
	kept struct{ ops, data, bytes int } // by the events before the current one
}

func (b *batch) bytes() int { return len(b.data) + opMemory*len(b.ops) }

// full reports whether there is no room for another event of any size.
func (b *batch) full(limit int) bool {
	return b.bytes() >= limit || len(b.data) > math.MaxUint32-2*maxEventBytes
}

// keep makes what was added since the last keep or drop a part of the batch.
func (b *batch) keep() { b.kept.ops, b.kept.data, b.kept.bytes = len(b.ops), len(b.data), b.bytes() }

// drop takes it away.
func (b *batch) drop() { b.ops, b.data = b.ops[:b.kept.ops], b.data[:b.kept.data] }

// maxSpareBytes bounds the memory that an empty batch keeps.
const maxSpareBytes = 8 << 20

func (b *batch) reset() {
	if b.bytes() > maxSpareBytes {
		*b = batch{}
	}
	b.ops, b.data = b.ops[:0], b.data[:0]
	b.keep()
}

func (b *batch) add(kind opKind, key, value []byte) {
	o := op{at: uint32(len(b.data)), kind: kind, order: uint32(len(b.ops))}
	b.data = appendPrefix(b.data, key)
	o.prefix = uint16(len(b.data) - int(o.at))
	long := false
	if kind != opRemoveAll {
		b.data, long = appendValue(b.data, value)
	}
	o.entry = uint16(len(b.data) - int(o.at))
	if long && kind == opInsert {
		b.data = append(b.data, value...)
		o.long = uint16(len(value))
	}
	o.head = keyHead(b.key(&o)[1:])
	b.ops = append(b.ops, o)
}

func (b *batch) key(o *op) []byte    { return b.data[o.at : int(o.at)+int(o.entry)] }
func (b *batch) prefix(o *op) []byte { return b.data[o.at : int(o.at)+int(o.prefix)] }

func (b *batch) value(o *op) []byte {
	end := int(o.at) + int(o.entry)
	return b.data[end : end+int(o.long)]
}

// sort brings the operations into the order of entries, and those of one entry into that in which they were made.
func (b *batch) sort() {
	slices.SortFunc(b.ops, func(x, y op) int {
		if x.head != y.head {
			return cmp.Compare(x.head, y.head)
		}
		if c := bytes.Compare(b.key(&x), b.key(&y)); c != 0 {
			return c
		}
		return cmp.Compare(x.order, y.order)
	})
}

// resolve appends to out what the operations change in the view, and returns by how much keys and values become more. It looks up
// every entry, except those of keys that fresh says are new: that is what makes the counts exact.
func (b *batch) resolve(v *redex.Views, out *redex.ViewBatch, fresh *newKeys) (keys, values int64, err error) {
	if len(b.ops) == 0 {
		return 0, 0, nil
	}
	b.sort()
	it, err := v.Iter([]byte{keyEntry}, []byte{keyEntry + 1})
	if err != nil {
		return 0, 0, err
	}
	defer it.Close()
	r := resolver{b: b, it: it, out: out, fresh: fresh}
	for from := 0; from < len(b.ops); {
		prefix := b.prefix(&b.ops[from])
		to := from + 1
		for to < len(b.ops) && bytes.Equal(b.prefix(&b.ops[to]), prefix) {
			to++
		}
		r.key(prefix, b.ops[from:to])
		from = to
	}
	return r.keys, r.values, it.Err()
}

// resolver goes through the keys of a sorted batch and the entries of the view side by side.
type resolver struct {
	b            *batch
	it           *redex.ViewIter
	out          *redex.ViewBatch
	keys, values int64
	removed      []*op // of one key
	fresh        *newKeys
}

// key resolves the operations on one key.
func (r *resolver) key(prefix []byte, ops []op) {
	wiped := -1 // order of the last RemoveAll
	for i := range ops {
		if ops[i].kind == opRemoveAll {
			wiped = max(wiped, int(ops[i].order))
		}
	}
	within := !r.fresh.add(prefix) && r.it.SeekGE(prefix) && bytes.HasPrefix(r.it.Key(), prefix)
	had := within
	if wiped >= 0 {
		r.values -= r.wipe(prefix, within)
		within = false
	}
	has := false // surely, afterwards
	r.removed = r.removed[:0]
	for i := 0; i < len(ops); i++ {
		entry := r.b.key(&ops[i])
		for i+1 < len(ops) && bytes.Equal(r.b.key(&ops[i+1]), entry) { // the last one counts
			i++
		}
		o := &ops[i]
		if o.kind == opRemoveAll || int(o.order) < wiped {
			continue
		}
		if within && bytes.Compare(r.it.Key(), entry) < 0 {
			within = r.it.SeekGE(entry) && bytes.HasPrefix(r.it.Key(), prefix)
		}
		exists := within && bytes.Equal(r.it.Key(), entry)
		switch {
		case o.kind == opInsert:
			has = true
			if !exists {
				r.values++
				r.out.Set(entry, r.b.value(o))
			}
		case exists:
			r.values--
			r.removed = append(r.removed, o)
			r.out.Delete(entry)
		}
	}
	if !has && had && wiped < 0 {
		has = len(r.removed) == 0 || r.remains(prefix)
	}
	switch {
	case has && !had:
		r.keys++
	case had && !has:
		r.keys--
	}
}

// wipe deletes the entries of a key, at whose first the iterator is if there is one, and returns how many there were.
func (r *resolver) wipe(prefix []byte, within bool) (n int64) {
	const few = 16 // ranges that are deleted cost every later read
	var single [][]byte
	for ; within; within = r.it.Next() && bytes.HasPrefix(r.it.Key(), prefix) {
		if n++; n <= few {
			single = append(single, bytes.Clone(r.it.Key()))
		}
	}
	if n > few {
		r.out.DeleteRange(prefix, prefixEnd(prefix))
		return n
	}
	for _, entry := range single {
		r.out.Delete(entry)
	}
	return n
}

// remains reports whether a key has an entry that is not removed.
func (r *resolver) remains(prefix []byte) bool {
	for ok, i := r.it.SeekGE(prefix), 0; ok && bytes.HasPrefix(r.it.Key(), prefix); ok = r.it.Next() {
		if i == len(r.removed) || !bytes.Equal(r.it.Key(), r.b.key(r.removed[i])) {
			return true
		}
		i++
	}
	return false
}
