package fold

import (
	"errors"
	"runtime"
	"testing"

	"github.com/seed69692123/netdb/redex"
)

// TestDecodeHostile: an extension where a map is wanted is not read as the head of a huge one.
func TestDecodeHostile(t *testing.T) {
	for _, payload := range []string{
		"\x81\xa4tags\xd6\xff\xde\xff\xff\x00", "\x81\xa4tags\xc7\x0c\xff\xdf\xff\xff\xff\xff\xa1a\xc6\xff\xff\xff", "\x81\xa4tags\xc7\x05\x07\xdf\xff\xff\xff\xff",
	} {
		var v struct {
			Tags map[string]int `msgpack:"tags"`
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := Decode(&redex.Event{Encoding: redex.Msgpack, Payload: []byte(payload)}, &v)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, ErrUndecodable) || used > 64<<10 {
			t.Errorf("%q: %v, %d bytes allocated", payload, err, used)
		}
	}
}
