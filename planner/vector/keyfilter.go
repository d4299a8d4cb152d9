package vector

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"sync/atomic"

	"github.com/seed69692123/netdb/internal/num"
)

// KeyFilter lets a scan leave out rows that have no partner in a join (sideways information passing; C. Beeri and R. Ramakrishnan, "On the
// power of magic", 1987). The join says which keys there are once it has read its build side, while the scan may be running: until then, and
// when few rows are dropped, all rows pass. It is safe for concurrent use.
type KeyFilter struct {
	set            atomic.Pointer[KeySet]
	tested, passed atomic.Int64
}

// Publish gives the keys to those who scan. The set must not be changed any more.
func (f *KeyFilter) Publish(s *KeySet) { f.set.Store(s) }

// Set returns the keys; nil when they are not known, or when it is not worth testing them.
func (f *KeyFilter) Set() *KeySet { return f.set.Load() }

const (
	keyTrial = 16 << 10 // rows that are tested before it is asked whether it is worth it
	keyWorth = 8        // one of so many rows has to be dropped
)

// count notes that rows were tested, and gives the filter up when most pass.
func (f *KeyFilter) count(tested, passed int) {
	n := f.tested.Add(int64(tested))
	p := f.passed.Add(int64(passed))
	if n >= keyTrial && (n-p)*keyWorth < n {
		f.set.Store(nil)
	}
}

// KeySet is a set that has all keys of the build side of a join, and few others: a Bloom filter in blocks of one word, so that a test
// asks memory once (F. Putze, P. Sanders and J. Singler, "Cache-, hash- and space-efficient Bloom filters", 2007; H. Lang, T. Neumann,
// A. Kemper and P. Boncz, "Performance-optimal filtering: Bloom overtakes cuckoo at high throughput", 2019), and what each key is between.
type KeySet struct {
	words []uint64
	shift int
	// Bounds are what each column of the key is between.
	Bounds []KeyBounds
}

// keyBits is how many bits a key has at least.
const keyBits = 8

func keyWords(rows int) int {
	return 1 << bits.Len(uint(max(rows, 1)*keyBits/64))
}

// KeySetBytes returns the memory of a set for so many rows.
func KeySetBytes(rows int) int64 { return int64(keyWords(rows)) * 8 }

// NewKeySet returns an empty set for the keys, of so many columns, of so many rows.
func NewKeySet(columns, rows int) *KeySet {
	n := keyWords(rows)
	return &KeySet{words: make([]uint64, n), shift: 64 - bits.TrailingZeros(uint(n)), Bounds: make([]KeyBounds, columns)}
}

// Add adds row i of the columns, which has a hash and no NULL.
func (s *KeySet) Add(hash uint64, cols []*Vector, keys []int, i int) {
	s.words[hash>>s.shift] |= keyMask(hash)
	for k, at := range keys {
		s.Bounds[k].add(cols[at], i)
	}
}

// keyMask is four bits of a word.
func keyMask(hash uint64) uint64 {
	return 1<<(hash&63) | 1<<(hash>>6&63) | 1<<(hash>>12&63) | 1<<(hash>>18&63)
}

func (s *KeySet) has(hash uint64) bool {
	m := keyMask(hash)
	return s.words[hash>>s.shift]&m == m
}

// KeyBounds are what the values of a column of a key are between, when all are integers, times or texts.
type KeyBounds struct {
	// Class is that of all values; ClassNull when there are none, or when they are of other classes or several.
	Class Class
	// Least and Greatest are those of integers and times.
	Least, Greatest int64
	// Few are all integers or times in ascending order, when they are few; else nil.
	Few []int64

	mixed, many bool
	texts       [2]uint64 // the first bytes of the least and the greatest text
}

// fewKeys is how many values are known one by one.
const fewKeys = 64

func (b *KeyBounds) add(v *Vector, i int) {
	if b.mixed {
		return
	}
	c := v.Class(i)
	if b.Class == ClassNull && (c == ClassInt || c == ClassTime || c == ClassText) {
		b.Class, b.Least, b.Greatest, b.texts = c, math.MaxInt64, math.MinInt64, [2]uint64{math.MaxUint64, 0}
	}
	if c != b.Class {
		*b = KeyBounds{mixed: true}
		return
	}
	if c == ClassText {
		p := textStart(v.Bytes(i))
		b.texts[0], b.texts[1] = min(b.texts[0], p), max(b.texts[1], p)
		return
	}
	x := v.Int(i)
	b.Least, b.Greatest = min(b.Least, x), max(b.Greatest, x)
	if b.many {
		return
	}
	if at, found := slices.BinarySearch(b.Few, x); !found {
		b.Few = slices.Insert(b.Few, at, x)
	}
	if len(b.Few) > fewKeys {
		b.Few, b.many = nil, true
	}
}

// textStart is the first 8 bytes of a text as a number that orders as they do.
func textStart(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	var p [8]byte
	copy(p[:], b)
	return binary.BigEndian.Uint64(p[:])
}

// Texts returns texts that no value is below and none above.
func (b *KeyBounds) Texts() (least, greatest []byte) {
	least = binary.BigEndian.AppendUint64(nil, b.texts[0])
	for len(least) > 0 && least[len(least)-1] == 0 {
		least = least[:len(least)-1]
	}
	return least, append(binary.BigEndian.AppendUint64(nil, b.texts[1]), 0xff)
}

// Between reports whether a value may be in [least, greatest], integers or times as the bounds are.
func (b *KeyBounds) Between(least, greatest int64) bool {
	if b.Few == nil {
		return least <= b.Greatest && greatest >= b.Least
	}
	at, _ := slices.BinarySearch(b.Few, least)
	return at < len(b.Few) && b.Few[at] <= greatest
}

// KeyTest tests the rows of a scan. It belongs to one goroutine.
type KeyTest struct {
	Filter *KeyFilter

	state  State
	view   Vector
	set    *KeySet // of which codes are
	dict   *Dict
	codes  []uint8 // of a dictionary: 0 is not known, 1 in the set, 2 not
	hashes []uint64
	sel    Sel
}

// Apply returns those rows of the keys' columns, n long, that may be in the set. NULL is not. The result is valid until the next call.
func (t *KeyTest) Apply(set *KeySet, keys []*Vector, sel Sel, n int) Sel {
	out := t.sel[:0]
	if cap(out) < n {
		out = make(Sel, 0, n)
	}
	if v := keys[0].Typed(&t.view); len(keys) == 1 && v.Type == Text && !v.Const {
		out = t.texts(set, v, sel, n, out)
	} else {
		sel.All(n, func(i int) {
			if t.row(set, keys, i) {
				out = append(out, int32(i))
			}
		})
	}
	t.sel = out
	t.Filter.count(sel.Count(n), len(out))
	return out
}

// texts is Apply for a column of texts.
func (t *KeyTest) texts(set *KeySet, v *Vector, sel Sel, n int, out Sel) Sel {
	nulls := v.Nulls.Any()
	if v.Dict == nil && sel == nil {
		// First all hashes, then a loop without a branch for each row: what one row waits for in memory, the next waits for as well.
		t.hashes = extend(t.hashes, n)
		for i, r := range v.Refs[:n] {
			if t.hashes[i] = 0; !nulls || !v.Nulls.Get(i) { // the bits of NULL are no reference
				t.hashes[i] = textHash(r.In(v.Data))
			}
		}
		out, k := out[:n], 0
		for i, h := range t.hashes {
			out[k] = int32(i)
			if set.has(h) {
				k++
			}
		}
		if out = out[:k]; nulls {
			out = slices.DeleteFunc(out, func(i int32) bool { return v.Nulls.Get(int(i)) })
		}
		return out
	}
	if v.Dict == nil {
		sel.All(n, func(i int) {
			if (!nulls || !v.Nulls.Get(i)) && set.has(textHash(v.Refs[i].In(v.Data))) {
				out = append(out, int32(i))
			}
		})
		return out
	}
	t.see(set, v.Dict)
	sel.All(n, func(i int) {
		if (!nulls || !v.Nulls.Get(i)) && t.code(v.Codes[i]) {
			out = append(out, int32(i))
		}
	})
	return out
}

func (t *KeyTest) see(set *KeySet, d *Dict) {
	if t.dict == d && t.set == set {
		return
	}
	t.dict, t.set = d, set
	t.codes = extend(t.codes, len(d.Refs))
	clear(t.codes)
}

// code reports whether a text of the dictionary may be in the set.
func (t *KeyTest) code(c uint32) bool {
	if t.codes[c] == 0 {
		t.codes[c] = 2
		if t.set.has(textHash(t.dict.Value(c))) {
			t.codes[c] = 1
		}
	}
	return t.codes[c] == 1
}

// Any reports whether a text of a dictionary may be in the set.
func (t *KeyTest) Any(set *KeySet, d *Dict) bool {
	t.see(set, d)
	for c := range d.Refs {
		if t.code(uint32(c)) {
			return true
		}
	}
	return false
}

// row reports whether the key of a row may be in the set. Arrays and objects are not looked into.
func (t *KeyTest) row(set *KeySet, keys []*Vector, i int) bool {
	hash, whole := uint64(0), true
	for _, v := range keys {
		switch v.Class(i) {
		case ClassNull:
			return false
		case ClassArray, ClassObject:
			whole = false
		default:
			hash = num.Combine(hash, t.state.HashValue(v, i))
		}
	}
	return !whole || set.has(hash)
}

// textHash is the hash of a row whose only column is a text.
func textHash(b []byte) uint64 { return num.Combine(0, num.HashBytes(b)+uint64(ClassText)) }
