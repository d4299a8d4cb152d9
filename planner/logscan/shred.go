package logscan

import (
	"context"
	"encoding/hex"
	"fmt"
	"unicode/utf8"

	"github.com/seed69692123/netdb/internal/num"
	"github.com/seed69692123/netdb/internal/payload"
	"github.com/seed69692123/netdb/redex"
	"github.com/seed69692123/netdb/redex/sealed"
)

// shredBudget is how many bytes of values a chunk is made of at most (see sealed.ColumnBuilder).
const shredBudget = 64 << 20

// The events' own columns in a chunk.
var (
	ownSeq      = sealed.ColumnName{Path: []string{"seq"}, Own: true}
	ownTime     = sealed.ColumnName{Path: []string{"ts"}, Own: true}
	ownSize     = sealed.ColumnName{Path: []string{"size"}, Own: true}
	ownOrigin   = sealed.ColumnName{Path: []string{"origin"}, Own: true}
	ownKind     = sealed.ColumnName{Path: []string{"kind"}, Own: true}
	ownEncoding = sealed.ColumnName{Path: []string{"encoding"}, Own: true}
	ownKey      = sealed.ColumnName{Path: []string{"key"}, Own: true}
)

// ownColumns are the names by static column; those of payload and bytes are not in chunks.
var ownColumns = [numColumns]*sealed.ColumnName{
	colSeq: &ownSeq, colTime: &ownTime, colSize: &ownSize, colOrigin: &ownOrigin, colKind: &ownKind, colEncoding: &ownEncoding, colKey: &ownKey,
}

// shredder makes the columns of a chunk from events: every path of their payloads, up to the limits of a field catalogue. It belongs
// to one goroutine.
type shredder struct {
	b     *sealed.ColumnBuilder
	own   [numColumns]int
	nodes []shredNode // 0 is the top
	event uint32
	bytes []byte

	origin   []byte // the text of originOf, if it is not nil
	originOf redex.Origin

	more bool // there is a path beyond the limits

	// For the field catalogue.
	beyond              bool // a path was not looked at
	malformed, noObject []redex.Seq
	ordinal             redex.Ordinal

	walk payload.ValueWalker
}

// shredNode is one name of a path.
type shredNode struct {
	name   string
	parent int32
	level  int
	column int // -1: none
	kids   map[string]int32
	seen   uint32 // event in which the name occurred last
	types  uint16 // a bit for each payload.Class

	// Members mostly come in the order of the row before, as in a field catalogue.
	first, next, at int32
	atEvent         uint32
}

func newShredder(log redex.LogID, from redex.Seq, owner uint64, budget int64) (*shredder, error) {
	b, err := sealed.NewColumnBuilder(uint64(log), uint64(from), owner, budget)
	if err != nil {
		return nil, fmt.Errorf("logscan: columns: %w", err)
	}
	return shredInto(b), nil
}

// shredInto returns a shredder that fills a builder without columns.
func shredInto(b *sealed.ColumnBuilder) *shredder {
	s := &shredder{b: b, nodes: []shredNode{{column: -1}}}
	for i, name := range ownColumns {
		if name != nil {
			s.own[i] = b.Column(*name)
		}
	}
	s.walk.Visit = s.member
	return s
}

// add takes an event in. It reports false when ctx ended meanwhile.
func (s *shredder) add(ev *redex.Event, pace *num.Pace) bool {
	s.ordinal = max(s.ordinal, ev.Ordinal)
	s.b.Row()
	s.b.Set(s.own[colSeq], payload.Int, uint64(ev.Seq), nil)
	s.b.Set(s.own[colTime], payload.Time, uint64(ev.Time), nil)
	s.b.Set(s.own[colSize], payload.Int, uint64(len(ev.Payload)), nil)
	if s.origin == nil || s.originOf != ev.Origin {
		s.origin, s.originOf = appendOrigin(s.origin[:0], ev.Origin), ev.Origin
	}
	s.b.Set(s.own[colOrigin], payload.Text, 0, s.origin)
	s.b.Set(s.own[colKind], payload.Int, uint64(ev.Kind), nil)
	s.bytes = append(s.bytes[:0], ev.Encoding.String()...)
	s.b.Set(s.own[colEncoding], payload.Text, 0, s.bytes)
	if len(ev.Key) > 0 {
		class := payload.Blob
		if utf8.Valid(ev.Key) {
			class = payload.Text
		}
		s.b.Set(s.own[colKey], class, 0, ev.Key)
	}
	f := format(ev.Encoding)
	if f == payload.Opaque {
		return true
	}
	switch class, err := payload.CheckPaced(f, ev.Payload, pace); {
	case err != nil:
		s.malformed = append(s.malformed, ev.Seq)
		return !pace.Over()
	case class != payload.Object:
		s.noObject = append(s.noObject, ev.Seq)
		return !pace.Over()
	}
	s.event++
	s.walk.Walk(f, ev.Payload, pace)
	return !pace.Over()
}

func appendOrigin(dst []byte, o redex.Origin) []byte {
	var raw [8]byte
	for i := range raw {
		raw[i] = byte(uint64(o) >> (56 - 8*i))
	}
	return hex.AppendEncode(dst, raw[:])
}

// member takes a member of an object in, and returns its node if there are members in it.
func (s *shredder) member(parent int32, name []byte, v *payload.Value) int32 {
	k := s.node(parent, name)
	if k <= 0 {
		s.more, s.beyond = true, true
		return -1
	}
	n := &s.nodes[k]
	if n.seen == s.event {
		return -1 // a duplicate: the first counts
	}
	n.seen = s.event
	n.types |= 1 << v.Class
	if n.column == unset {
		n.column = s.b.Column(sealed.ColumnName{Path: s.path(k)})
	}
	if n.column < 0 {
		s.more = true
		return k
	}
	switch v.Class {
	case payload.Text:
		if v.Escaped {
			s.bytes = v.AppendBytes(s.bytes[:0])
			s.b.Set(n.column, v.Class, 0, s.bytes)
		} else {
			s.b.Set(n.column, v.Class, 0, v.Raw)
		}
	case payload.Blob:
		s.b.Set(n.column, v.Class, 0, v.Raw)
	case payload.Big:
		s.bytes = v.AppendBytes(s.bytes[:0])
		s.b.Set(n.column, v.Class, 0, s.bytes)
	default:
		s.b.Set(n.column, v.Class, v.Bits, nil)
	}
	return k
}

// unset is the column of a node that has none yet.
const unset = -2

// node returns the node of a name, 0 when it is beyond the limits.
func (s *shredder) node(parent int32, name []byte) int32 {
	p := &s.nodes[parent]
	var guess int32
	if p.atEvent != s.event {
		p.atEvent, p.at = s.event, 0
		guess = p.first
	} else {
		guess = s.nodes[p.at].next
	}
	k := guess
	if guess == 0 || s.nodes[guess].name != string(name) {
		if k = p.kids[string(name)]; k == 0 {
			if len(s.nodes) > MaxPaths || p.level == MaxLevels || len(name) > MaxNameBytes {
				return 0
			}
			k = int32(len(s.nodes))
			if p.kids == nil {
				p.kids = map[string]int32{}
			}
			p.kids[string(name)] = k
			s.nodes = append(s.nodes, shredNode{name: string(name), parent: parent, level: p.level + 1, column: unset})
			p = &s.nodes[parent]
		}
		if p.at == 0 {
			p.first = k
		} else {
			s.nodes[p.at].next = k
		}
	}
	p.at = k
	return k
}

func (s *shredder) path(k int32) []string {
	path := make([]string, s.nodes[k].level)
	for ; k > 0; k = s.nodes[k].parent {
		path[s.nodes[k].level-1] = s.nodes[k].name
	}
	return path
}

// shred reads the events of [from, to) and makes a chunk of them; nil when the range cannot be read whole. The catalogue takes in what it
// learns of fields.
func (s *Source) shred(ctx context.Context, from, to redex.Seq, how sealed.Compression) (content []byte, err error) {
	b, err := s.catalogues.columns.builder(s.log.ID(), from)
	if err != nil {
		return nil, err
	}
	defer s.catalogues.columns.builders.Put(b)
	sh := shredInto(b)
	cur := s.log.Cursor(from, to)
	defer func() { _ = cur.Close() }() // only read from
	for cur.Next(ctx) {
		if !sh.add(cur.Event(), paceOf(ctx, cur.Event())) {
			return nil, ctx.Err()
		}
	}
	if cur.Err() != nil {
		return nil, ctx.Err() // reading by row tells what is wrong, where that is
	}
	s.catalogues.takeChunk(ctx, s.log, sh.fieldsOf(from, to))
	if sh.more {
		sh.b.MoreFields()
	}
	return sh.b.Finish(uint64(to), redex.Seq(sh.b.Rows()) < to-from, how)
}
