package exec

import (
	"crypto/md5"  //nolint:gosec // a checksum by that name
	"crypto/sha1" //nolint:gosec // a checksum by that name
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"strconv"
	"unicode/utf8"

	"github.com/seed69692123/netdb/planner/vector"
)

var (
	errHex    = errors.New("no hexadecimal digits")
	errBase64 = errors.New("no base64 text")
	errUTF8   = errors.New("the bytes are no UTF-8 text")
)

// encodingFunctions turn bytes into text and back, and are sums of them.
func encodingFunctions() []*Function {
	bytesOf := func(f func(c *call, i int, b []byte) error) func(c *call, i int) error {
		return func(c *call, i int) error {
			switch v := c.args[0]; v.Class(i) {
			case vector.ClassText, vector.ClassBlob:
				return f(c, i, v.Bytes(i))
			}
			c.other(i)
			return nil
		}
	}
	textOrBlobIs := func(t vector.Type) func([]vector.Type) (vector.Type, bool) {
		return func(args []vector.Type) (vector.Type, bool) {
			return t, args[0] == vector.Text || args[0] == vector.Blob || args[0].Dynamic()
		}
	}
	sum := func(name, doc, example, answer string, make func() hash.Hash) *Function {
		return &Function{
			Name: name, Params: []Param{AnyParam}, result: textOrBlobIs(vector.Text),
			row: bytesOf(func(c *call, i int, b []byte) error {
				h := make()
				if err := c.pieces(b, func(part []byte) { h.Write(part) }); err != nil {
					return err
				}
				return c.setText(i, hex.AppendEncode(nil, h.Sum(nil)))
			}),
			Doc: doc, Example: example, Answer: answer,
		}
	}
	text, anything := []Param{TextParam}, []Param{AnyParam}
	return []*Function{
		{
			Name: "decode", Params: []Param{BlobParam}, result: gives(vector.Text), CanFail: true,
			row: func(c *call, i int) error {
				b := c.args[0].Bytes(i)
				if !validText(c, b) {
					return errUTF8
				}
				return c.setText(i, b)
			},
			Doc: "decode(blob): the text that its bytes are in UTF-8", Example: "decode(X'c3a9')", Answer: "é",
		},
		{
			Name: "encode", Params: text, result: gives(vector.Blob),
			row: func(c *call, i int) error {
				r, err := c.AddData(&c.out, c.args[0].Bytes(i))
				if err == nil {
					c.out.SetRef(i, vector.ClassBlob, r)
				}
				return err
			},
			Doc: "encode(text): the bytes of a text", Example: "encode('é')", Answer: `\xc3a9`,
		},
		{
			Name: "format_bytes", Aliases: []string{"pg_size_pretty"}, Params: []Param{IntParam}, result: gives(vector.Text),
			row: func(c *call, i int) error { return c.setText(i, appendSize(nil, c.args[0].Int(i))) },
			Doc: "format_bytes(n): a number of bytes for people", Example: "format_bytes(1536)", Answer: "1.5 KiB",
		},
		{
			Name: "from_base64", Aliases: []string{"unbase64"}, Params: text, result: gives(vector.Blob), CanFail: true, row: fromBase64,
			Doc: "from_base64(text): the bytes that a base64 text stands for", Example: "from_base64('w6k=')", Answer: `\xc3a9`,
		},
		{
			Name: "hex", Aliases: []string{"to_hex"}, Params: anything, result: hexType, CanFail: true,
			row: func(c *call, i int) error {
				switch v := c.args[0]; v.Class(i) {
				case vector.ClassText, vector.ClassBlob:
					b := v.Bytes(i)
					return c.build(i, vector.ClassText, func(w *sink) error { return w.c.upperHex(w, b) })
				case vector.ClassInt:
					b := strconv.AppendUint(nil, uint64(v.Int(i)), 16)
					for k := range b {
						if b[k] >= 'a' {
							b[k] -= 'a' - 'A'
						}
					}
					return c.setText(i, b)
				}
				c.other(i)
				return nil
			},
			Doc: "hex(x): the bytes of a text or blob, or a BIGINT, in hexadecimal digits", Example: "hex('é') || ' ' || hex(255)", Answer: "C3A9 FF",
		},
		sum("md5", "md5(x): the MD5 sum of a text or blob, in hexadecimal digits", "md5('a')", "0cc175b9c0f1b6a831c399e269772661", md5.New),
		sum("sha1", "sha1(x): the SHA-1 sum of a text or blob, in hexadecimal digits", "sha1('a')", "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8", sha1.New),
		sum("sha256", "sha256(x): the SHA-256 sum of a text or blob, in hexadecimal digits", "left(sha256('a'), 16)", "ca978112ca1bbdca", sha256.New),
		{
			Name: "to_base64", Aliases: []string{"base64"}, Params: anything, result: textOrBlobIs(vector.Text), CanFail: true,
			row: bytesOf(func(c *call, i int, b []byte) error {
				return c.build(i, vector.ClassText, func(w *sink) error {
					var out [4096]byte
					for rest := b; len(rest) > 0; {
						part := rest[:min(len(rest), 3*len(out)/4)]
						rest = rest[len(part):]
						base64.StdEncoding.Encode(out[:], part)
						if err := w.add(out[:base64.StdEncoding.EncodedLen(len(part))]); err != nil {
							return err
						}
					}
					return nil
				})
			}),
			Doc: "to_base64(x): the bytes of a text or blob in base64", Example: "to_base64('é')", Answer: "w6k=",
		},
		{
			Name: "unhex", Aliases: []string{"from_hex"}, Params: text, result: gives(vector.Blob), CanFail: true,
			row: func(c *call, i int) error {
				s := c.args[0].Bytes(i)
				n := (len(s) + 1) / 2
				return c.write(i, n, func(dst []byte) ([]byte, error) {
					odd := len(s)%2 == 1
					var failed error
					var high byte
					err := c.pieces(s, func(part []byte) {
						for _, x := range part {
							d, ok := hexDigit(x)
							if !ok {
								failed = errHex
								return
							}
							if odd = !odd; odd {
								high = d << 4
							} else {
								dst = append(dst, high|d)
							}
						}
					})
					if failed != nil {
						err = failed
					}
					return dst, err
				})
			},
			Doc: "unhex(text): the bytes of which a text has the hexadecimal digits", Example: "unhex('C3a9')", Answer: `\xc3a9`,
		},
		{
			Name: "url_decode", Params: text, result: gives(vector.Text), CanFail: true, row: urlDecode,
			Doc: "url_decode(text): with %XX replaced by the bytes they stand for", Example: "url_decode('a%20b')", Answer: "a b",
		},
		{
			Name: "url_encode", Params: text, result: gives(vector.Text), CanFail: true,
			row: func(c *call, i int) error {
				s := c.args[0].Bytes(i)
				return c.build(i, vector.ClassText, func(w *sink) error {
					const digits = "0123456789ABCDEF"
					for k, x := range s {
						part := s[k : k+1]
						switch {
						case x|0x20 >= 'a' && x|0x20 <= 'z', x >= '0' && x <= '9', x == '-', x == '.', x == '_', x == '~':
						default:
							part = []byte{'%', digits[x>>4], digits[x&15]}
						}
						if err := w.add(part); err != nil {
							return err
						}
					}
					return nil
				})
			},
			Doc: "url_encode(text): with all but letters, digits and - . _ ~ as %XX", Example: "url_encode('a b/é')", Answer: "a%20b%2F%C3%A9",
		},
	}
}

func hexType(args []vector.Type) (vector.Type, bool) {
	return vector.Text, args[0] == vector.Text || args[0] == vector.Blob || args[0] == vector.Int || args[0].Dynamic()
}

// upperHex adds bytes as hexadecimal digits in upper case.
func (c *call) upperHex(w *sink, b []byte) error {
	const digits = "0123456789ABCDEF"
	var text [2048]byte
	for len(b) > 0 {
		n := min(len(b), len(text)/2)
		for k, x := range b[:n] {
			text[2*k], text[2*k+1] = digits[x>>4], digits[x&15]
		}
		if err := w.add(text[:2*n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func hexDigit(x byte) (byte, bool) {
	switch {
	case x >= '0' && x <= '9':
		return x - '0', true
	case x|0x20 >= 'a' && x|0x20 <= 'f':
		return x | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// validText reports whether bytes are UTF-8. What the gate says is seen by who asks it next.
func validText(c *call, b []byte) bool {
	for len(b) > stepBytes {
		n := stepBytes
		for n > stepBytes-utf8.UTFMax && !utf8.RuneStart(b[n]) {
			n--
		}
		if !utf8.Valid(b[:n]) || c.Step(n) != nil {
			return false
		}
		b = b[n:]
	}
	return utf8.Valid(b)
}

func fromBase64(c *call, i int) error {
	s := c.args[0].Bytes(i)
	if len(s)%4 != 0 {
		return errBase64
	}
	return c.write(i, len(s)/4*3, func(dst []byte) ([]byte, error) {
		var out [3072]byte
		for len(s) > 0 {
			part := s[:min(len(s), 4096)]
			s = s[len(part):]
			n, err := base64.StdEncoding.Strict().Decode(out[:], part)
			if err != nil || n != len(part)/4*3 && len(s) > 0 {
				return dst, errBase64
			}
			dst = append(dst, out[:n]...)
			if err := c.Step(len(part)); err != nil {
				return dst, err
			}
		}
		return dst, nil
	})
}

// urlDecode takes a % without two digits behind it for itself.
func urlDecode(c *call, i int) error {
	s := c.args[0].Bytes(i)
	return c.write(i, len(s), func(dst []byte) ([]byte, error) {
		at := len(dst)
		for k := 0; k < len(s); k++ {
			x := s[k]
			if x == '%' && k+2 < len(s) {
				hi, ok1 := hexDigit(s[k+1])
				lo, ok2 := hexDigit(s[k+2])
				if ok1 && ok2 {
					x = hi<<4 | lo
					k += 2
				}
			}
			dst = append(dst, x)
			if err := c.Step(1); err != nil {
				return dst, err
			}
		}
		if !validText(c, dst[at:]) {
			return dst, errUTF8
		}
		return dst, nil
	})
}
