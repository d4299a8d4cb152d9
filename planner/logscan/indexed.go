package logscan

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/seed69692123/netdb/internal/num"
	"github.com/seed69692123/netdb/internal/payload"
	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex"
)

// Index is an index of one path of a log: for the key of each value, the sequences of the events that have it there. It is asked
// which events to look at, and never what is in them.
type Index interface {
	// Name and Path say what it is.
	Name() string
	Path() []string
	// Upto returns the first sequence that is not in the index, and the ranges below that it could not see. ok is false when the
	// index cannot be used.
	Upto(ctx context.Context) (next redex.Seq, unseen []redex.Bounds, ok bool)
	// Entries returns the entries (see IndexEntry) of a key, or of all keys that begin with it. They may be of events from Upto on.
	Entries(ctx context.Context, key []byte, prefix bool) iter.Seq2[[]byte, error]
}

// IndexVersion is the version of keys and entries. An index of another one is made anew.
const IndexVersion = 1

// maxIndexKey is how long keys are: of longer ones only so much is kept, so that an index has candidates for them. A key without
// its end is the same for all texts that begin alike.
const maxIndexKey = 256

// Indexer makes the keys of one path. It is for one goroutine.
type Indexer struct {
	selector *payload.Selector
	value    [1]payload.Value
	text     []byte
}

// NewIndexer returns the indexer of a path.
func NewIndexer(path []string) *Indexer {
	return &Indexer{selector: payload.NewSelector([][]string{path})}
}

// Key appends the key of the value that an event has at the path, nothing when that is no value an index knows: NULL, an array
// or an object.
func (x *Indexer) Key(dst []byte, ev *redex.Event) []byte {
	f := format(ev.Encoding)
	if !payload.HasFields(f, ev.Payload) {
		return dst
	}
	x.selector.Find(f, ev.Payload, x.value[:])
	v := &x.value[0]
	switch v.Class {
	case payload.Bool:
		return num.KeyBool(dst, v.Bits != 0)
	case payload.Int:
		return num.KeyInt(dst, v.Int())
	case payload.Float:
		return num.KeyFloat(dst, v.Float())
	case payload.Time:
		return num.KeyTime(dst, v.Int())
	case payload.Big:
		x.text = v.AppendBytes(x.text[:0])
		return cut(num.KeyBig(dst, x.text), len(dst))
	case payload.Text:
		x.text = v.AppendBytes(x.text[:0])
		return cut(num.KeyText(dst, x.text[:min(len(x.text), maxIndexKey)]), len(dst))
	case payload.Blob:
		x.text = v.AppendBytes(x.text[:0])
		return cut(num.KeyBlob(dst, x.text[:min(len(x.text), maxIndexKey)]), len(dst))
	}
	return dst
}

// cut ends a key that begins at from.
func cut(key []byte, from int) []byte { return key[:min(len(key), from+maxIndexKey)] }

// keyOfValue returns the key of a value, nil when an index has none.
func keyOfValue(v query.Value) []byte {
	switch v.Kind() {
	case query.KindBool:
		return num.KeyBool(nil, v.Bool())
	case query.KindInt:
		return num.KeyInt(nil, v.Int())
	case query.KindDouble:
		return num.KeyFloat(nil, v.Double())
	case query.KindBig:
		return cut(num.KeyBig(nil, []byte(v.String())), 0)
	case query.KindTime:
		return num.KeyTime(nil, v.Nanos())
	case query.KindText:
		return textKey(v.Text())
	case query.KindBlob:
		b := v.Bytes()
		return cut(num.KeyBlob(nil, b[:min(len(b), maxIndexKey)]), 0)
	}
	return nil
}

func textKey(s string) []byte { return cut(num.KeyText(nil, []byte(s[:min(len(s), maxIndexKey)])), 0) }

// prefixKey returns what the keys of all texts begin with that begin with s: a key without its end.
func prefixKey(s string) []byte {
	k := num.KeyText(nil, []byte(s[:min(len(s), maxIndexKey)]))
	return cut(k[:len(k)-len(num.KeyText(nil, nil))+1], 0)
}

// IndexEntry appends the entry of an event: entries of one key are in the order of sequences.
func IndexEntry(dst []byte, seq redex.Seq) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(seq))
}

// EntryEvent returns the event of an entry. Of one that is malformed it is the last there can be, which nothing takes.
func EntryEvent(_, entry []byte) redex.Seq {
	if len(entry) != 8 {
		return math.MaxInt64
	}
	return redex.Seq(binary.BigEndian.Uint64(entry))
}

// SetIndexes gives the source the indexes of its log. It is called before the source is used.
func (s *Source) SetIndexes(x []Index) { s.indexes = x }

// Index implements planner.Indexed.
func (s *Source) Index(ctx context.Context, r planner.Request) (string, error) {
	from, to, err := s.sequences(ctx, r.Range)
	if err != nil {
		return "", err
	}
	c, err := s.candidates(ctx, &r, from, to)
	if c == nil || err != nil {
		return "", err
	}
	return fmt.Sprintf("index %s (%s)", planner.SQLPath([]string{c.index.Name()}), c.text()), nil
}

// countedMost is how many entries of an index are counted for an estimate.
const countedMost = 512

// Matching implements planner.Indexed. What an index has not taken in yet is like what it has.
func (s *Source) Matching(ctx context.Context, r planner.Range, m planner.Match) (int64, bool, error) {
	if !slices.ContainsFunc(s.indexes, func(x Index) bool { return slices.Equal(x.Path(), m.Path) }) {
		return 0, false, nil
	}
	from, to, err := s.sequences(ctx, r)
	if err != nil {
		return 0, false, err
	}
	for _, x := range s.indexes {
		if !slices.Equal(x.Path(), m.Path) {
			continue
		}
		next, _, ok := x.Upto(ctx)
		if next = min(next, to); !ok || next <= from {
			continue
		}
		found, ok, err := entriesOf(ctx, x, &m, from, next, countedMost)
		if ctx.Err() != nil {
			return 0, false, ctx.Err()
		}
		if err == nil && ok {
			rows := float64(len(found)) * float64(to-from) / float64(next-from)
			return int64(math.Ceil(rows)), true, nil
		}
	}
	return 0, false, nil
}

// candidates are the sequences of [from, to) that may have rows which satisfy a match, as an index tells.
type candidates struct {
	index Index
	match *planner.Match
	spans []span
}

// text is the match in words.
func (c *candidates) text() string {
	path := planner.SQLPath(c.match.Path)
	switch {
	case c.match.Values == nil:
		return path + " LIKE " + literal(query.Text(c.match.Prefix+"%"))
	case len(c.match.Values) == 1:
		return path + " = " + literal(c.match.Values[0])
	}
	return fmt.Sprintf("%s IN %d values", path, len(c.match.Values))
}

func literal(v query.Value) string { return (&query.Literal{Value: v}).String() }

// An index is worth it when it leaves so few of the rows: one in indexShare, since finding one by itself costs as much as reading
// some hundred in order; but any
// indexAlways, and never more than maxCandidates, which are held in memory.
const (
	indexShare    = 256
	indexAlways   = 64
	maxCandidates = 1 << 18
)

// candidates returns those of the index that leaves fewest, nil when none is worth it. Every row of [from, to) that satisfies the
// matches is in them. An index that fails is not used.
func (s *Source) candidates(ctx context.Context, r *planner.Request, from, to redex.Seq) (best *candidates, err error) {
	if len(s.indexes) == 0 {
		return nil, nil
	}
	var seqs []redex.Seq
	var upto redex.Seq
	var unseen []redex.Bounds
	limit := -1
	for i := range r.Matches {
		m := &r.Matches[i]
		for _, x := range s.indexes {
			if !slices.Equal(x.Path(), m.Path) {
				continue
			}
			next, missing, ok := x.Upto(ctx)
			if next = min(next, to); !ok || next <= from {
				continue
			}
			most := min(max(indexAlways, int((next-from)/indexShare)), maxCandidates)
			if limit >= 0 {
				most = limit - 1
			}
			found, ok, err := entriesOf(ctx, x, m, from, next, most)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil || !ok {
				continue
			}
			if _, _, ok := x.Upto(ctx); !ok { // it was dropped, and perhaps before its entries were read
				continue
			}
			best, limit, seqs, upto, unseen = &candidates{index: x, match: m}, len(found), found, next, missing
		}
	}
	if best == nil {
		return nil, nil
	}
	// What the index could not see is read, as what is behind it.
	all := make([]span, 0, len(seqs)+len(unseen)+1)
	for _, seq := range seqs {
		all = append(all, span{seq, seq + 1})
	}
	for _, b := range unseen {
		all = append(all, span{max(b.Floor, from), min(b.Next, upto)})
	}
	all = append(all, span{upto, to})
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	for _, sp := range all {
		if n := len(best.spans); n > 0 {
			sp.from = max(sp.from, best.spans[n-1].to)
		}
		best.spans = addSpan(best.spans, sp.from, sp.to)
	}
	return best, nil
}

// entriesOf returns the sequences in [from, to) that an index has for a match, or false when they are more than most.
func entriesOf(ctx context.Context, x Index, m *planner.Match, from, to redex.Seq, most int) (seqs []redex.Seq, ok bool, err error) {
	read := func(key []byte, prefix bool) (bool, error) {
		looked := 0
		for e, err := range x.Entries(ctx, key, prefix) {
			if err != nil {
				return false, err
			}
			if len(e) != 8 {
				return false, errEntry
			}
			if looked++; looked > 8*(most+indexAlways) { // of events that retention took, or that the query does not want
				return false, nil
			}
			seq := redex.Seq(binary.BigEndian.Uint64(e))
			if seq < from {
				continue
			}
			if seq >= to {
				if prefix {
					continue
				}
				break
			}
			if seqs = append(seqs, seq); len(seqs) > most {
				return false, nil
			}
		}
		return true, nil
	}
	if m.Values == nil {
		ok, err = read(prefixKey(m.Prefix), true)
		return seqs, ok, err
	}
	for _, v := range m.Values {
		key := keyOfValue(v)
		if key == nil {
			return nil, false, nil
		}
		if ok, err = read(key, false); !ok || err != nil {
			return nil, false, err
		}
	}
	return seqs, true, nil
}

var errEntry = errors.New("logscan: malformed entry of an index")
