package payload

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/seed69692123/netdb/internal/num"
)

// large returns payloads of about n bytes that make readers work in different places.
func large(n int) map[Format]map[string][]byte {
	fill := func(before, unit, after string) []byte {
		return append(append([]byte(before), bytes.Repeat([]byte(unit), n/len(unit))...), after...)
	}
	array := func(unit string) []byte {
		head := []byte{0x82, 0xa1, 'a', 0xdd, 0, 0, 0, 0}
		count := n / len(unit)
		for i := range 4 {
			head[4+i] = byte(count >> (24 - 8*i))
		}
		return append(append(head, bytes.Repeat([]byte(unit), count)...), 0xa1, 'z', 1)
	}
	return map[Format]map[string][]byte{
		JSON: {
			"integers": fill(`{"a":[`, "1,", `1],"z":1}`),
			"arrays":   fill(`{"a":[`, "[],", `1],"z":1}`),
			"objects":  fill(`{"a":[`, `{"b":1},`, `1],"z":1}`),
			"members":  fill(`{"a":{`, `"b":1,`, `"c":1},"z":1}`),
			"escapes":  fill(`{"a":"`, `\u00e9`, `","z":1}`),
			"letters":  fill(`{"a":"`, "é", `","z":1}`),
		},
		Msgpack: {
			"integers": array("\x01"),
			"arrays":   array("\x91\x01"),
			"objects":  array("\x81\xa1b\x01"),
			"texts":    array("\xa3abc"),
		},
	}
}

// TestPace reads large payloads: each reader asks at least once for every two steps' worth of bytes, and ends soon after it was
// told to.
func TestPace(t *testing.T) {
	const n = 2 << 20
	for f, payloads := range large(n) {
		for name, p := range payloads {
			if _, err := Check(f, p); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			sel := NewSelector([][]string{{"z"}})
			all := NewSelector([][]string{{"a"}})
			found := make([]Value, 1)
			all.Find(f, p, found)
			a := found[0]
			readers := map[string]func(pace *num.Pace){
				"check":  func(pace *num.Pace) { _, _ = CheckPaced(f, p, pace) },
				"top":    func(pace *num.Pace) { TopPaced(f, p, pace) },
				"find":   func(pace *num.Pace) { sel.FindPaced(f, p, make([]Value, 1), pace) },
				"walk":   func(pace *num.Pace) { WalkValues(f, p, pace, func(int32, []byte, *Value) int32 { return 1 }) },
				"lookup": func(pace *num.Pace) { LookupPaced(Top(f, p), []byte("z"), pace) },
			}
			switch {
			case a.Class == Array:
				readers["length"] = func(pace *num.Pace) { LengthPaced(a, pace) }
				readers["element"] = func(pace *num.Pace) { ElementPaced(a, -1, pace) }
			case a.Escaped:
				readers["bytes"] = func(pace *num.Pace) { a.AppendBytesPaced(nil, pace) }
			}
			if f == JSON {
				readers["key"] = func(pace *num.Pace) { num.KeyJSONPaced(nil, p, pace) }
			} else {
				readers["json"] = func(pace *num.Pace) { a.AppendBytesPaced(nil, pace) }
			}
			for what, read := range readers {
				t.Run(fmt.Sprintf("%d/%s/%s", f, name, what), func(t *testing.T) {
					asked := 0
					read(num.NewPace(func() bool { asked++; return false }))
					if least := n / num.PaceBytes / 2; asked < least && !skipsAtOnce(f, name, what) {
						t.Errorf("asked %d times in %d bytes, not %d", asked, n, least)
					}
					asked = 0
					pace := num.NewPace(func() bool { asked++; return true })
					read(pace)
					if asked > 1 || asked == 1 && !pace.Over() {
						t.Errorf("went on: asked %d times", asked)
					}
				})
			}
		}
	}
}

// skipsAtOnce tells the readers that pass over a long string: eight bytes at a time, a few milliseconds for the largest payload.
func skipsAtOnce(f Format, name, what string) bool {
	return f == JSON && (name == "escapes" || name == "letters") && what != "check" && what != "bytes" && what != "key"
}

// TestPaceGivesTheSame compares what is read with a pace that never ends with what is read without one.
func TestPaceGivesTheSame(t *testing.T) {
	never := func() *num.Pace { return num.NewPace(func() bool { return false }) }
	for f, payloads := range large(1 << 20) {
		for name, p := range payloads {
			paths := [][]string{{"a"}, {"z"}, {"no"}}
			want, got := make([]Value, 3), make([]Value, 3)
			NewSelector(paths).Find(f, p, want)
			NewSelector(paths).FindPaced(f, p, got, never())
			for i := range want {
				x, y := want[i].AppendJSON(nil), got[i].appendJSON(nil, never())
				if !bytes.Equal(x, y) || want[i].Class != got[i].Class {
					t.Errorf("%s: path %v differs", name, paths[i])
				}
			}
			if f == JSON && !bytes.Equal(num.KeyJSON(nil, p), num.KeyJSONPaced(nil, p, never())) {
				t.Errorf("%s: keys differ", name)
			}
		}
	}
}
