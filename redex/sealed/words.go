package sealed

import (
	"bytes"
	"hash/maphash"
	"slices"
)

// words gives each distinct text or blob of a column a code, in the order in which they come. The bytes lie in the column's data. Slots
// is a hash table with open addressing that is at most half full.
type words struct {
	seed   maphash.Seed
	refs   []uint64 // of each word: offset in data << 32 | length
	hashes []uint32 // of each word
	slots  []uint32 // code + 1; 0 is free
	last   uint32   // code that was asked for last: values often repeat
}

const leastSlots = 1 << 9

func newWords() *words { return &words{seed: maphash.MakeSeed(), slots: make([]uint32, leastSlots)} }

func (w *words) reset() {
	w.refs, w.hashes, w.last = w.refs[:0], w.hashes[:0], 0
	clear(w.slots)
}

func (w *words) bytes(data []byte, code uint32) []byte {
	r := w.refs[code]
	from, n := r>>32, r&(1<<32-1)
	return data[from : from+n]
}

// find returns the code of v, or the slot where it is to be put.
func (w *words) find(data, v []byte) (code uint32, slot int, hash uint32, ok bool) {
	if len(w.refs) > 0 && bytes.Equal(w.bytes(data, w.last), v) {
		return w.last, 0, 0, true
	}
	h := maphash.Bytes(w.seed, v)
	hash = uint32(h >> 32)
	mask := len(w.slots) - 1
	for slot = int(h) & mask; ; slot = (slot + 1) & mask {
		s := w.slots[slot]
		if s == 0 {
			return 0, slot, hash, false
		}
		if w.hashes[s-1] == hash && bytes.Equal(w.bytes(data, s-1), v) {
			w.last = s - 1
			return s - 1, slot, hash, true
		}
	}
}

// put adds a word at a slot that find returned, and returns its code.
func (w *words) put(ref uint64, slot int, hash uint32, data []byte) uint32 {
	code := uint32(len(w.refs))
	w.refs, w.hashes = append(w.refs, ref), append(w.hashes, hash)
	w.slots[slot] = code + 1
	w.last = code
	if 2*len(w.refs) > len(w.slots) {
		w.grow(data)
	}
	return code
}

func (w *words) grow(data []byte) {
	w.slots = slices.Grow(w.slots[:0], 4*len(w.slots))[:4*len(w.slots)]
	clear(w.slots)
	mask := len(w.slots) - 1
	for i := range w.refs {
		slot := int(maphash.Bytes(w.seed, w.bytes(data, uint32(i)))) & mask
		for w.slots[slot] != 0 {
			slot = (slot + 1) & mask
		}
		w.slots[slot] = uint32(i) + 1
	}
}
