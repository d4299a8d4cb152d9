package logscan

import (
	"context"
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/seed69692123/netdb/redex"
)

// This file is the form of catalogues in the store's view "fields". Keys are a kind, the log's id and a number, both big-endian:
//
//	'h' id 0       head: version 1, flags (1: over), then as uvarints walked, malformed, noObject, number of nodes
//	'n' id number  node: parent, types as uvarints, then the name
//	'b' id chunk   malformed rows of 65,536 sequences: 0 and the distances between them as uvarints, or 1 and 8 KiB of bits
//
// Node 0 is the top and not stored. What cannot be read is dropped and built again from the log.

const catalogueVersion = 1

// viewKinds are the kinds of keys.
var viewKinds = [...]byte{'h', 'n', 'b'}

var errCatalogue = errors.New("logscan: malformed catalogue")

func viewKey(kind byte, id redex.LogID, number uint64) []byte {
	k := make([]byte, 0, 17)
	k = binary.BigEndian.AppendUint64(append(k, kind), uint64(id))
	return binary.BigEndian.AppendUint64(k, number)
}

// save writes what changed. The caller has the walk.
func (c *Catalogues) save(ctx context.Context, f *fields) error {
	var b redex.ViewBatch
	f.mu.RLock()
	if f.detached || !f.dirtyLocked() {
		f.mu.RUnlock()
		return nil
	}
	b.Set(viewKey('h', f.id, 0), f.appendHead(nil))
	for k := range f.dirtyNodes {
		b.Set(viewKey('n', f.id, uint64(k)), f.nodes[k].append(nil))
	}
	for k := range f.dirtyBad {
		b.Set(viewKey('b', f.id, k), f.bad[k].append(nil))
	}
	walked, ordinal := f.walked, f.ordinal
	f.mu.RUnlock()
	if err := c.views.Commit(ctx, &b, ordinal); err != nil {
		return ignoreReadOnly(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.savedTo = walked
	clear(f.dirtyNodes)
	clear(f.dirtyBad)
	return nil
}

// load reads the catalogue of a log, an empty one when there is none or it cannot be read.
func (c *Catalogues) load(l *redex.Log) (*fields, error) {
	id := l.ID()
	f := newFields(id)
	head, err := c.views.Get(viewKey('h', id, 0))
	if err != nil || head == nil {
		return f, err
	}
	count, err := f.readHead(head)
	if err != nil || f.walked > l.Bounds().Next {
		return newFields(id), nil
	}
	for k := range count {
		v, err := c.views.Get(viewKey('n', id, k+1))
		if err != nil {
			return nil, err
		}
		if f.readNode(v) != nil {
			return newFields(id), nil
		}
	}
	for key, v := range c.views.Scan(viewKey('b', id, 0), viewKey('b', id+1, 0)) {
		if v.Err != nil {
			return nil, v.Err
		}
		var rows badRows
		if len(key) != 17 || rows.read(v.Bytes) != nil {
			return newFields(id), nil
		}
		f.bad[binary.BigEndian.Uint64(key[9:])] = &rows
	}
	f.savedTo = f.walked
	clear(f.dirtyNodes)
	return f, nil
}

func (f *fields) appendHead(dst []byte) []byte {
	flags := byte(0)
	if f.over {
		flags = 1
	}
	dst = append(dst, catalogueVersion, flags)
	for _, u := range [...]uint64{uint64(f.walked), uint64(f.malformed), uint64(f.noObject), uint64(len(f.nodes) - 1)} {
		dst = binary.AppendUvarint(dst, u)
	}
	return dst
}

// readHead reads a head and returns the number of nodes.
func (f *fields) readHead(b []byte) (uint64, error) {
	if len(b) < 2 || b[0] != catalogueVersion || b[1] > 1 {
		return 0, errCatalogue
	}
	f.over = b[1] == 1
	b = b[2:]
	var u [4]uint64
	for i := range u {
		x, n := binary.Uvarint(b)
		if n <= 0 {
			return 0, errCatalogue
		}
		u[i], b = x, b[n:]
	}
	if len(b) > 0 || u[3] > MaxPaths || u[0] > 1<<63 || u[1] > u[0] || u[2] > u[0] {
		return 0, errCatalogue
	}
	f.walked, f.malformed, f.noObject = redex.Seq(u[0]), int64(u[1]), int64(u[2])
	return u[3], nil
}

func (n *node) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(n.parent))
	dst = binary.AppendUvarint(dst, uint64(n.types))
	return append(dst, n.name...)
}

// readNode reads the next node.
func (f *fields) readNode(b []byte) error {
	parent, n := binary.Uvarint(b)
	if n <= 0 || parent >= uint64(len(f.nodes)) {
		return errCatalogue
	}
	b = b[n:]
	types, n := binary.Uvarint(b)
	if n <= 0 || types > 1<<16-1 {
		return errCatalogue
	}
	name := string(b[n:])
	if _, twice := f.nodes[parent].kids[name]; twice {
		return errCatalogue
	}
	k := f.addLocked(int32(parent), name)
	if k == 0 {
		return errCatalogue
	}
	f.nodes[k].types = uint16(types)
	return nil
}

func (r *badRows) append(dst []byte) []byte {
	if r.count > len(r.bits)*8/3 { // a distance takes three bytes at most
		dst = append(dst, 1)
		for _, w := range r.bits {
			dst = binary.LittleEndian.AppendUint64(dst, w)
		}
		return dst
	}
	dst = append(dst, 0)
	last := -1
	for i, w := range r.bits {
		for ; w != 0; w &= w - 1 {
			k := i*64 + bits.TrailingZeros64(w)
			dst = binary.AppendUvarint(dst, uint64(k-last))
			last = k
		}
	}
	return dst
}

func (r *badRows) read(b []byte) error {
	switch {
	case len(b) == 1+8*len(r.bits) && b[0] == 1:
		for i := range r.bits {
			r.bits[i] = binary.LittleEndian.Uint64(b[1+8*i:])
			r.count += bits.OnesCount64(r.bits[i])
		}
		return nil
	case len(b) == 0 || b[0] != 0:
		return errCatalogue
	}
	b = b[1:]
	at := -1
	for len(b) > 0 {
		d, n := binary.Uvarint(b)
		if n <= 0 || d == 0 || d >= badChunk || at+int(d) >= badChunk {
			return errCatalogue
		}
		b = b[n:]
		at += int(d)
		r.bits[at/64] |= 1 << (at % 64)
		r.count++
	}
	return nil
}
