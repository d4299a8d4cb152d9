package index

import "hash/maphash"

// newKeys is a Bloom filter of the keys of an index that began empty with a long log before it: most keys of a batch are new then,
// and a key that was never added needs no look into the store. It goes when the index has caught up.
type newKeys struct {
	seed maphash.Seed
	bits []uint64
	n    int
}

const (
	newKeysBits = 64 << 20 // 8 MiB
	newKeysMost = 16 << 20 // keys, beyond which it is of little use
	longLog     = 100_000  // events for which it is worth its memory
)

func makeNewKeys() *newKeys {
	return &newKeys{seed: maphash.MakeSeed(), bits: make([]uint64, newKeysBits/64)}
}

// add adds a key and reports whether it is surely new. Without a filter no key is.
func (f *newKeys) add(key []byte) bool {
	if f == nil || f.n >= newKeysMost {
		return false
	}
	h := maphash.Bytes(f.seed, key)
	a, b := h%newKeysBits, h>>32%newKeysBits
	seen := f.bits[a/64]&(1<<(a%64)) != 0 && f.bits[b/64]&(1<<(b%64)) != 0
	f.bits[a/64] |= 1 << (a % 64)
	f.bits[b/64] |= 1 << (b % 64)
	if !seen {
		f.n++
	}
	return !seen
}
