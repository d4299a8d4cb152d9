package tasks

import (
	"errors"
	"unicode/utf8"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/internal/flatmap"
	"github.com/seed69692123/netdb/redex"
	"github.com/vmihailenco/msgpack/v5"
)

// The kinds of the model's events. 0x05 to 0x0F are reserved for it.
const (
	kindCreate   redex.Kind = 0x01
	kindRename   redex.Kind = 0x02
	kindComplete redex.Kind = 0x03
	kindDelete   redex.Kind = 0x04
)

// payload is an event's payload, with the fields that its kind has.
type payload struct {
	ID    *uint64 `msgpack:"id" json:"id"`
	Title *string `msgpack:"title,omitempty" json:"title"`
	At    *int64  `msgpack:"at,omitempty" json:"at"`
}

func (p *payload) encode() ([]byte, error) { return msgpack.Marshal(p) }

var errFields = errors.New("a field is missing or out of its range")

// change is what an event of a known kind says. Fields that its kind does not have mean nothing.
type change struct {
	id    uint64
	title string
	at    int64
	has   fields
}

// fields are the fields that a payload has.
type fields uint8

const (
	hasID fields = 1 << iota
	hasTitle
	hasAt
)

// decode reads an event of a known kind; its errors are fold.ErrUndecodable.
func decode(ev *redex.Event) (change, error) {
	c, ok := plain(ev)
	if !ok {
		var p payload
		if err := fold.Decode(ev, &p); err != nil {
			return c, err
		}
		c = p.change()
	}
	needs := hasID
	switch ev.Kind {
	case kindCreate, kindRename:
		needs |= hasTitle | hasAt
	case kindComplete:
		needs |= hasAt
	}
	if c.has&needs != needs || c.id > MaxID || needs&hasTitle != 0 && !utf8.ValidString(c.title) {
		return c, fold.Undecodable(errFields)
	}
	return c, nil
}

// plain reads a payload as this package writes it, which a replay has many of. Others are left to fold.Decode.
func plain(ev *redex.Event) (c change, ok bool) {
	if ev.Encoding != redex.Msgpack {
		return c, false
	}
	r := flatmap.Read(ev.Payload)
	for r.Next() {
		has := c.has
		switch string(r.Key()) {
		case "id":
			c.id, c.has = r.Uint(), has|hasID
		case "title":
			c.title, c.has = string(r.Text()), has|hasTitle
		case "at":
			c.at, c.has = r.Int(), has|hasAt
		}
		if c.has == has { // unknown, or a second time
			return change{}, false
		}
	}
	if !r.OK() {
		return change{}, false
	}
	return c, true
}

func (p *payload) change() (c change) {
	if p.ID != nil {
		c.id, c.has = *p.ID, c.has|hasID
	}
	if p.Title != nil {
		c.title, c.has = *p.Title, c.has|hasTitle
	}
	if p.At != nil {
		c.at, c.has = *p.At, c.has|hasAt
	}
	return c
}
