package memories

import (
	"errors"
	"unicode/utf8"

	"github.com/seed69692123/netdb/fold"
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

// decode reads an event of a known kind; its errors are fold.ErrUndecodable.
func decode(ev *redex.Event) (payload, error) {
	var p payload
	if err := fold.Decode(ev, &p); err != nil {
		return p, err
	}
	ok := p.ID != nil && *p.ID <= MaxID && p.text()
	switch ev.Kind {
	case kindStore:
		ok = ok && p.Content != nil && p.Tags != nil && p.Source != nil && p.At != nil
	case kindRetag:
		ok = ok && p.Tags != nil && p.At != nil
	case kindPin, kindUnpin:
		ok = ok && p.At != nil
	}
	if !ok {
		return p, fold.Undecodable(errFields)
	}
	return p, nil
}

// text reports whether all texts are UTF-8.
func (p *payload) text() bool {
	ok := (p.Content == nil || utf8.ValidString(*p.Content)) && (p.Source == nil || utf8.ValidString(*p.Source))
	if p.Tags != nil {
		for _, t := range *p.Tags {
			ok = ok && utf8.ValidString(t)
		}
	}
	return ok
}
