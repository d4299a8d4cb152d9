package naivesql

import (
	"crypto/md5" //nolint:gosec // a checksum by that name
	"encoding/hex"
	"regexp"
	"slices"
	"strings"

	"github.com/seed69692123/netdb/query"
)

// textCall is a function of texts and numbers: NULL where one of them is NULL or of another type.
func (s *scope) textCall(e *query.Call, name string, args []*node) (*node, error) {
	var result typ
	var f func(args []value) (value, bool)
	str := func(v value) (string, bool) { s, ok := v.(string); return s, ok }
	switch name {
	case "reverse":
		result, f = text, func(a []value) (value, bool) {
			s, ok := str(a[0])
			r := []rune(s)
			slices.Reverse(r)
			return string(r), ok
		}
	case "md5":
		result, f = text, func(a []value) (value, bool) {
			s, ok := str(a[0])
			sum := md5.Sum([]byte(s)) //nolint:gosec // a checksum by that name
			return hex.EncodeToString(sum[:]), ok
		}
	case "left":
		result, f = text, func(a []value) (value, bool) {
			s, ok := str(a[0])
			n, _ := a[1].(int64)
			r := []rune(s)
			return string(r[:min(int(n), len(r))]), ok
		}
	case "replace":
		result, f = text, func(a []value) (value, bool) {
			s, ok := str(a[0])
			from, _ := str(a[1])
			to, _ := str(a[2])
			return strings.ReplaceAll(s, from, to), ok
		}
	case "regexp_replace": // of all matches, with a text that has no backslash
		result, f = text, func(a []value) (value, bool) {
			s, ok := str(a[0])
			pattern, _ := str(a[1])
			by, _ := str(a[2])
			return regexp.MustCompile(pattern).ReplaceAllLiteralString(s, by), ok
		}
	case "regexp_matches":
		result, f = boolean, func(a []value) (value, bool) {
			s, ok := str(a[0])
			pattern, _ := str(a[1])
			return regexp.MustCompile(pattern).MatchString(s), ok
		}
	default:
		return nil, unknown(e)
	}
	if len(args) > 0 && args[0].t != text && args[0].t != dynamic {
		return nil, fail(query.CodeType)
	}
	return &node{t: result, eval: func(row []value) (value, error) {
		values := make([]value, len(args))
		for i, a := range args {
			v, err := a.eval(row)
			if err != nil || isNull(v) {
				return nil, err
			}
			values[i] = v
		}
		v, ok := f(values)
		if !ok {
			return nil, nil
		}
		return v, nil
	}}, nil
}
