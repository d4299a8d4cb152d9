package exec

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/seed69692123/netdb/internal/payload"
	"github.com/seed69692123/netdb/planner/vector"
)

var errPath = errors.New("a JSON path is like $.name[0].\"other name\" or /name/0")

// jsonStep is a member by name, or an element by number where the value is an array.
type jsonStep struct {
	name   string
	number int
	index  bool
}

// jsonPath is a path taken apart: $.a[0] or /a/0; any other text is the name of a member.
type jsonPath struct {
	text  string
	steps []jsonStep
}

func parseJSONPath(s string) (*jsonPath, error) {
	p := &jsonPath{text: s}
	switch {
	case strings.HasPrefix(s, "/"):
		for part := range strings.SplitSeq(s[1:], "/") {
			part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
			n, err := strconv.Atoi(part)
			p.steps = append(p.steps, jsonStep{name: part, number: n, index: err == nil && n >= 0 && n <= math.MaxInt32})
		}
		return p, nil
	case !strings.HasPrefix(s, "$"):
		p.steps = []jsonStep{{name: s}}
		return p, nil
	}
	for s = s[1:]; s != ""; {
		var name string
		switch {
		case strings.HasPrefix(s, "[#-"), strings.HasPrefix(s, "["):
			end := strings.IndexByte(s, ']')
			if end < 0 {
				return nil, errPath
			}
			n, err := strconv.Atoi(strings.TrimPrefix(s[1:end], "#"))
			if err != nil || n < math.MinInt32 || n > math.MaxInt32 {
				return nil, errPath
			}
			p.steps = append(p.steps, jsonStep{number: n, index: true})
			s = s[end+1:]
			continue
		case strings.HasPrefix(s, `."`):
			end := strings.IndexByte(s[2:], '"')
			if end < 0 {
				return nil, errPath
			}
			name, s = s[2:2+end], s[3+end:]
		case strings.HasPrefix(s, "."):
			end := strings.IndexAny(s[1:], ".[")
			if end < 0 {
				end = len(s) - 1
			}
			if name, s = s[1:1+end], s[1+end:]; name == "" || name == "*" {
				return nil, errPath
			}
		default:
			return nil, errPath
		}
		p.steps = append(p.steps, jsonStep{name: name})
	}
	return p, nil
}

// longestPath bounds a path.
const longestPath = 1 << 16

// atPath returns the value that argument 1 names in argument 0: a path, a name, or the number of an element.
func (c *call) atPath(i int) (payload.Value, error) {
	v, key := c.args[0], c.args[1]
	class := v.Class(i)
	if class != vector.ClassObject && class != vector.ClassArray {
		if class != vector.ClassNull && !(key.Class(i) == vector.ClassText && string(key.Bytes(i)) == "$") {
			return payload.Value{}, nil
		}
	}
	var path *jsonPath
	switch key.Class(i) {
	case vector.ClassInt:
		n := key.Int(i)
		if n < math.MinInt32 || n > math.MaxInt32 {
			return payload.Value{}, nil
		}
		path = &jsonPath{steps: []jsonStep{{number: int(n), index: true}}}
	case vector.ClassText:
		text := key.Bytes(i)
		kept, ok := c.kept.(*jsonPath)
		if !ok || kept.text != string(text) {
			if len(text) > longestPath {
				return payload.Value{}, errPath
			}
			var err error
			if kept, err = parseJSONPath(string(text)); err != nil {
				return payload.Value{}, err
			}
			c.kept = kept
		}
		path = kept
	default:
		c.OtherType++
		return payload.Value{}, nil
	}
	x := c.payloadOf(v, i)
	for _, s := range path.steps {
		switch {
		case x.Class == payload.Array && s.index:
			x = payload.ElementPaced(x, s.number, c.pace)
		case x.Class == payload.Object && s.name != "":
			x = payload.LookupPaced(x, []byte(s.name), c.pace)
		case x.Class == payload.Object && !s.index:
			x = payload.LookupPaced(x, nil, c.pace)
		default:
			x = payload.Value{}
		}
	}
	return x, c.Step(0)
}

// payloadOf is row i of a dynamic vector as a value found in JSON.
func (c *call) payloadOf(v *vector.Vector, i int) payload.Value {
	x := payload.Value{Format: payload.JSON}
	switch v.Class(i) {
	case vector.ClassArray, vector.ClassObject:
		return payload.TopPaced(payload.JSON, v.Bytes(i), c.pace)
	case vector.ClassNull:
		if v.ExplicitNull(i) {
			x.Class = payload.Null
		}
	case vector.ClassBool:
		if x.Class = payload.Bool; v.Bool(i) {
			x.Bits = 1
		}
	case vector.ClassInt:
		x.Class, x.Bits = payload.Int, uint64(v.Int(i))
	case vector.ClassFloat:
		x.Class, x.Bits = payload.Float, math.Float64bits(v.Float(i))
	case vector.ClassBig:
		x.Class, x.Raw = payload.Big, v.Bytes(i)
	case vector.ClassText: // not escaped: Raw is only right for texts without a quote; see addText
		x.Class, x.Raw, x.Format = payload.Text, v.Bytes(i), payload.Msgpack
	case vector.ClassTime:
		x.Class, x.Bits, x.Format = payload.Time, uint64(v.Int(i)), payload.Msgpack
	}
	return x
}
