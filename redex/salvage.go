package redex

import (
	"bytes"
	"errors"
	"math/big"

	"github.com/seed69692123/netdb/redex/internal/kv"
)

// salvage calls f for every key and value in [from, to) of a map that can be read, over damaged places, and returns what is wrong with
// those. A damaged block hides its keys; where the next readable one is has to be found by trying.
func salvage(db *kv.DB, from, to []byte, f func(k, v []byte) error) (damage []error, err error) {
	for from != nil {
		last := from
		it, err := db.NewIter(from, to)
		if err != nil {
			return damage, err
		}
		bad := error(nil)
		for ok := it.First(); ok; ok = it.Next() {
			v, err := it.Value()
			if err != nil {
				bad = err
				break
			}
			if err := f(it.Key(), v); err != nil {
				return damage, errors.Join(err, it.Close())
			}
			last = append(bytes.Clone(it.Key()), 0)
		}
		if err := it.Close(); bad == nil {
			bad = err
		}
		if bad == nil {
			return damage, nil
		}
		if !errors.Is(bad, kv.ErrCorrupt) {
			return damage, bad
		}
		damage = append(damage, bad)
		if from, err = nextReadable(db, last, to); err != nil {
			return damage, err
		}
	}
	return damage, nil
}

// salvageBytes is how much of a key is looked at to find the end of a damaged place.
const salvageBytes = 24

// nextReadable returns a key above last from which on the map can be read, near the first such one, or nil.
func nextReadable(db *kv.DB, last, to []byte) ([]byte, error) {
	padded := append(bytes.Clone(last[:min(len(last), salvageBytes)]), make([]byte, max(0, salvageBytes-len(last)))...)
	base := new(big.Int).SetBytes(padded)
	key := func(n *big.Int) []byte { // nil above all keys
		sum := new(big.Int).Add(base, n)
		if sum.BitLen() > 8*salvageBytes {
			return nil
		}
		return sum.FillBytes(make([]byte, salvageBytes))
	}
	reads := func(n *big.Int) (bool, error) {
		k := key(n)
		if k == nil || bytes.Compare(k, to) >= 0 {
			return true, nil
		}
		it, err := db.NewIter(k, to)
		if err != nil {
			return false, err
		}
		if it.First() {
			_, err = it.Value()
		}
		if err = errors.Join(err, it.Close()); errors.Is(err, kv.ErrCorrupt) {
			return false, nil
		}
		return err == nil, err
	}
	one := big.NewInt(1)
	low, high := new(big.Int), new(big.Int)
	for i := uint(0); ; i++ {
		high.Lsh(one, i)
		ok, err := reads(high)
		if err != nil {
			return nil, err
		}
		if ok {
			break
		}
		low.Set(high)
	}
	for new(big.Int).Sub(high, low).Cmp(one) > 0 {
		mid := new(big.Int).Add(low, high)
		mid.Rsh(mid, 1)
		ok, err := reads(mid)
		if err != nil {
			return nil, err
		}
		if ok {
			high = mid
		} else {
			low = mid
		}
	}
	k := key(high)
	if k == nil || bytes.Compare(k, to) >= 0 {
		return nil, nil
	}
	return k, nil
}
