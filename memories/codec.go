package memories

import (
	"errors"
	"unicode/utf8"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/internal/flatmap"
	"github.com/seed69692123/netdb/redex"
	"github.com/vmihailenco/msgpack/v5"
)

// The kinds of the model's events. 0x15 to 0x1F are reserved for it.
const (
	kindStore  redex.Kind = 0x10
	kindRetag  redex.Kind = 0x11
	kindPin    redex.Kind = 0x12
	kindUnpin  redex.Kind = 0x13
	kindDelete redex.Kind = 0x14
)

// payload is an event's payload, with the fields that its kind has.
type payload struct {
	ID      *uint64   `msgpack:"id" json:"id"`
	Content *string   `msgpack:"content,omitempty" json:"content"`
	Tags    *[]string `msgpack:"tags,omitempty" json:"tags"`
	Source  *string   `msgpack:"source,omitempty" json:"source"`
	At      *int64    `msgpack:"at,omitempty" json:"at"`
}

func (p *payload) encode() ([]byte, error) { return msgpack.Marshal(p) }

var errFields = errors.New("a field is missing or out of its range")

// change is what an event of a known kind says. Fields that its kind does not have mean nothing.
type change struct {
	id      uint64
	content string
	tags    []string
	source  string
	at      int64
	has     fields
}

// fields are the fields that a payload has.
type fields uint8

const (
	hasID fields = 1 << iota
	hasContent
	hasTags
	hasSource
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
	case kindStore:
		needs |= hasContent | hasTags | hasSource | hasAt
	case kindRetag:
		needs |= hasTags | hasAt
	case kindPin, kindUnpin:
		needs |= hasAt
	}
	if c.has&needs != needs || c.id > MaxID || !c.text() {
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
		case "content":
			c.content, c.has = string(r.Text()), has|hasContent
		case "tags":
			c.tags, c.has = r.Texts(), has|hasTags
		case "source":
			c.source, c.has = string(r.Text()), has|hasSource
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
	if p.Content != nil {
		c.content, c.has = *p.Content, c.has|hasContent
	}
	if p.Tags != nil {
		c.tags, c.has = *p.Tags, c.has|hasTags
	}
	if p.Source != nil {
		c.source, c.has = *p.Source, c.has|hasSource
	}
	if p.At != nil {
		c.at, c.has = *p.At, c.has|hasAt
	}
	return c
}

// text reports whether all texts are UTF-8.
func (c *change) text() bool {
	ok := utf8.ValidString(c.content) && utf8.ValidString(c.source)
	for _, t := range c.tags {
		ok = ok && utf8.ValidString(t)
	}
	return ok
}

// valid reports whether all texts of a payload that is to be written are UTF-8.
func (p *payload) valid() bool {
	c := p.change()
	return c.text()
}
