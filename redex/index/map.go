package index

import (
	"context"
	"fmt"
	"iter"

	"github.com/seed69692123/netdb/redex"
)

// MapOps is Ops with keys and values of Go's types.
type MapOps[K, V any] struct {
	ops        *Ops
	keys       Coder[K]
	values     Coder[V]
	key, value []byte
}

// Insert adds a value to the values of key, unless it is there.
func (o *MapOps[K, V]) Insert(key K, value V) {
	o.encode(key, value)
	o.ops.Insert(o.key, o.value)
}

// Remove takes a value from the values of key, if it is there.
func (o *MapOps[K, V]) Remove(key K, value V) {
	o.encode(key, value)
	o.ops.Remove(o.key, o.value)
}

// RemoveAll takes all values of key.
func (o *MapOps[K, V]) RemoveAll(key K) {
	o.key = o.keys.Append(o.key[:0], key)
	o.ops.RemoveAll(o.key)
}

func (o *MapOps[K, V]) encode(key K, value V) {
	o.key, o.value = o.keys.Append(o.key[:0], key), o.values.Append(o.value[:0], value)
}

// Project makes the projection of a definition from a function that works with Go's types. The projection is for one index.
func Project[K, V any](keys Coder[K], values Coder[V], fn func(ev *redex.Event, ops *MapOps[K, V]) error) Projection {
	o := &MapOps[K, V]{keys: keys, values: values}
	return func(ev *redex.Event, ops *Ops) error {
		o.ops = ops
		return fn(ev, o)
	}
}

// Map reads an index by Go's types. It has the index's other methods too.
type Map[K, V any] struct {
	*Index
	keys   Coder[K]
	values Coder[V]
}

// MapOf returns the map of an index whose keys and values are those of the coders.
func MapOf[K, V any](x *Index, keys Coder[K], values Coder[V]) Map[K, V] {
	return Map[K, V]{x, keys, values}
}

// Has reports whether value is among the values of key.
func (m Map[K, V]) Has(key K, value V) (bool, error) {
	return m.Contains(m.keys.Append(nil, key), m.values.Append(nil, value))
}

// Of returns the values of key.
func (m Map[K, V]) Of(ctx context.Context, key K) ([]V, error) {
	var out []V
	for b, err := range m.Values(ctx, m.keys.Append(nil, key)) {
		if err != nil {
			return nil, err
		}
		v, err := m.values.Decode(b)
		if err != nil {
			return nil, m.wrap(fmt.Errorf("value %x of %v: %w", b, key, err))
		}
		out = append(out, v)
	}
	return out, nil
}

// Len returns the number of values of key, by counting them.
func (m Map[K, V]) Len(ctx context.Context, key K) (int64, error) {
	return m.Count(ctx, m.keys.Append(nil, key))
}

// Pair is a key and one of its values.
type Pair[K, V any] struct {
	Key   K
	Value V
}

// Between returns the pairs whose keys are in [from, to), in order. An error is the last pair.
func (m Map[K, V]) Between(ctx context.Context, from, to K) iter.Seq2[Pair[K, V], error] {
	return m.pairs(ctx, Range{From: m.keys.Append(nil, from), To: m.keys.Append([]byte{}, to)})
}

// All returns all pairs, in order. An error is the last pair.
func (m Map[K, V]) All(ctx context.Context) iter.Seq2[Pair[K, V], error] {
	return m.pairs(ctx, Range{})
}

func (m Map[K, V]) pairs(ctx context.Context, r Range) iter.Seq2[Pair[K, V], error] {
	return func(yield func(Pair[K, V], error) bool) {
		for e, err := range m.Scan(ctx, r) {
			var p Pair[K, V]
			if err == nil {
				if p.Key, err = m.keys.Decode(e.Key); err == nil {
					p.Value, err = m.values.Decode(e.Value)
				}
				if err != nil {
					err = m.wrap(fmt.Errorf("entry %x, %x: %w", e.Key, e.Value, err))
				}
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}
