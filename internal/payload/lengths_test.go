package payload

import (
	"slices"
	"strings"
	"testing"
)

func TestCheckLengths(t *testing.T) {
	for _, c := range []struct {
		p      string
		times  []int
		reason string // "": well-formed
	}{
		{"\x01", nil, ""},
		{"\xc0", nil, ""},
		{"\x82\xa1a\x93\x01\xc3\xcb12345678\xa1b\xc4\x02xy", nil, ""},
		{"\xa1\xff", nil, ""}, // not UTF-8: the decoder's business
		{"\x92\xd6\xff1234\xc7\x0c\xff123456789012", []int{3, 10}, ""},
		{"\xd7\xff12345678", []int{2}, ""},
		{strings.Repeat("\x91", MaxDepth) + "\x01", nil, ""},
		{strings.Repeat("\x91", MaxDepth+1) + "\x01", nil, "nested too deep"},
		{"", nil, "unexpected end"},
		{"\x91", nil, "unexpected end"},
		{"\x81\xa1a", nil, "unexpected end"},
		{"\xa2x", nil, "unexpected end"},
		{"\xcd\x01", nil, "unexpected end"},
		{"\xdf\xff\xff\xff\xff\x01", nil, "unexpected end"},
		{"\xdd\x00\x00\x00\x02\x01", nil, "unexpected end"},
		{"\xc6\xff\xff\xff\xffx", nil, "unexpected end"},
		{"\xd6\xff123", nil, "unexpected end"},
		{"\xc1", nil, "invalid byte"},
		{"\x01\x01", nil, "something behind the value"},
		{"\xd6\x051234", nil, "an extension that is no timestamp"},
		{"\xd5\xff12", nil, "an extension that is no timestamp"},
	} {
		times, err := CheckLengths([]byte(c.p), nil)
		if (err == nil) != (c.reason == "") || err != nil && !strings.HasSuffix(err.Error(), c.reason) || err == nil && !slices.Equal(times, c.times) {
			t.Errorf("%.40x: %v, %v; want %v, %q", c.p, times, err, c.times, c.reason)
		}
	}
}
