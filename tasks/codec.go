package tasks

import (
	"errors"
	"unicode/utf8"

	"github.com/seed69692123/netdb/fold"
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

// decode reads an event of a known kind; its errors are fold.ErrUndecodable.
func decode(ev *redex.Event) (payload, error) {
	var p payload
	if err := fold.Decode(ev, &p); err != nil {
		return p, err
	}
	titled := ev.Kind == kindCreate || ev.Kind == kindRename
	if p.ID == nil || *p.ID > MaxID || titled && (p.Title == nil || !utf8.ValidString(*p.Title)) || ev.Kind != kindDelete && p.At == nil {
		return p, fold.Undecodable(errFields)
	}
	return p, nil
}
