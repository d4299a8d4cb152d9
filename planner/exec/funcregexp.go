package exec

import (
	"errors"
	"regexp"

	"github.com/seed69692123/netdb/planner/vector"
)

var errGroup = errors.New("the regular expression has no such group")

// regexpFunctions are the functions on regular expressions, in the syntax of RE2.
func regexpFunctions() []*Function {
	// options are the argument at place k.
	options := func(c *call, i, k int) []byte {
		if len(c.args) > k {
			return c.args[k].Bytes(i)
		}
		return nil
	}
	extract := []Param{TextParam, TextParam, IntParam, TextParam}
	text3 := []Param{TextParam, TextParam, TextParam}
	return []*Function{
		{
			Name: "regexp_escape", Params: []Param{TextParam}, result: gives(vector.Text), CanFail: true,
			row: func(c *call, i int) error {
				s := c.args[0].Bytes(i)
				return c.build(i, vector.ClassText, func(w *sink) error {
					var failed error
					err := c.pieces(s, func(part []byte) {
						if failed == nil {
							failed = w.addString(regexp.QuoteMeta(string(part)))
						}
					})
					if failed != nil {
						return failed
					}
					return err
				})
			},
			Doc: "regexp_escape(text): a regular expression that matches just the text", Example: "regexp_escape('a.b')", Answer: `a\.b`,
		},
		{
			Name: "regexp_extract", Params: extract, Min: 2, result: gives(vector.Text), CanFail: true,
			row: func(c *call, i int) error {
				s := c.args[0].Bytes(i)
				p, err := c.pattern(c.args[1].Bytes(i), options(c, i, 3))
				if err != nil {
					return err
				}
				g, err := c.group(p, i)
				if err != nil {
					return err
				}
				at, err := c.find(p.re, s)
				if err != nil {
					return err
				}
				if at == nil || at[g] < 0 {
					return c.setText(i, nil)
				}
				return c.setText(i, s[at[g]:at[g+1]])
			},
			Doc: "regexp_extract(text, pattern [, group [, options]]): the first match, or a group of it; an empty text where there is none", Example: "regexp_extract('id=42', 'id=(\\d+)', 1)", Answer: "42",
		},
		{
			Name: "regexp_extract_all", Params: extract, Min: 2, result: gives(vector.JSON), CanFail: true,
			row: func(c *call, i int) error {
				s := c.args[0].Bytes(i)
				p, err := c.pattern(c.args[1].Bytes(i), options(c, i, 3))
				if err != nil {
					return err
				}
				g, err := c.group(p, i)
				if err != nil {
					return err
				}
				return c.list(i, func(w *sink, next func() error) error {
					return c.eachMatch(p, s, func(at []int) error {
						if err := next(); err != nil {
							return err
						}
						if at[g] < 0 {
							return w.addString(`""`)
						}
						return w.addQuoted(s[at[g]:at[g+1]])
					})
				})
			},
			Doc: "regexp_extract_all(text, pattern [, group [, options]]): a JSON array of all matches, or of a group of them", Example: "regexp_extract_all('a1b22', '\\d+')", Answer: `["1","22"]`,
		},
		{
			Name: "regexp_full_match", Params: text3, Min: 2, result: gives(vector.Bool), CanFail: true,
			row: func(c *call, i int) error {
				// The text goes from its start to its end through the expression in a group.
				m, ok := c.kept.(*fullPattern)
				if !ok {
					m = &fullPattern{}
					c.kept = m
				}
				text, opts := c.args[1].Bytes(i), options(c, i, 2)
				if m.re == nil || string(m.text) != string(text) || string(m.options) != string(opts) {
					if len(text) > patternBytes {
						return errPatternLong
					}
					p, err := compilePattern(string(text), string(opts))
					if err != nil {
						return err
					}
					if m.re, err = regexp.Compile(`\A(?:` + p.re.String() + `)\z`); err != nil {
						return &PatternError{err.Error()}
					}
					m.text, m.options = append(m.text[:0], text...), append(m.options[:0], opts...)
				}
				ok, err := c.matches(m.re, c.args[0].Bytes(i))
				c.out.Bools[i] = ok
				return err
			},
			Doc: "regexp_full_match(text, pattern [, options]): whether the whole text matches", Example: "regexp_full_match('abc', 'b')", Answer: "false",
		},
		{
			Name: "regexp_matches", Aliases: []string{"regexp_like"}, Params: text3, Min: 2, result: gives(vector.Bool), CanFail: true,
			row: func(c *call, i int) error {
				p, err := c.pattern(c.args[1].Bytes(i), options(c, i, 2))
				if err != nil {
					return err
				}
				ok, err := c.matches(p.re, c.args[0].Bytes(i))
				c.out.Bools[i] = ok
				return err
			},
			Doc: "regexp_matches(text, pattern [, options]): whether a part of the text matches", Example: "regexp_matches('abc', '^B', 'i')", Answer: "false",
		},
		{
			Name: "regexp_replace", Params: []Param{TextParam, TextParam, TextParam, TextParam}, Min: 3, result: gives(vector.Text), CanFail: true,
			row: regexpReplace,
			Doc: "regexp_replace(text, pattern, by [, options]): with the first match replaced, with all by option g; \\1 in by is a group", Example: "regexp_replace('a-b-c', '-(\\w)', '+\\1', 'g')", Answer: "a+b+c",
		},
		{
			Name: "regexp_split_to_array", Aliases: []string{"string_split_regex", "str_split_regex", "regexp_split"}, Params: text3, Min: 2, result: gives(vector.JSON), CanFail: true,
			row: func(c *call, i int) error {
				s := c.args[0].Bytes(i)
				p, err := c.pattern(c.args[1].Bytes(i), options(c, i, 2))
				if err != nil {
					return err
				}
				return c.list(i, func(w *sink, next func() error) error {
					from := 0
					err := c.eachMatch(p, s, func(at []int) error {
						if at[1] == at[0] && (at[0] == 0 || at[0] == len(s)) {
							return nil // an empty match at an end parts nothing
						}
						if err := next(); err != nil {
							return err
						}
						part := s[from:at[0]]
						from = at[1]
						return w.addQuoted(part)
					})
					if err != nil {
						return err
					}
					if err := next(); err != nil {
						return err
					}
					return w.addQuoted(s[from:])
				})
			},
			Doc: "regexp_split_to_array(text, pattern [, options]): a JSON array of the parts between matches", Example: "regexp_split_to_array('a, b;c', '[,;] *')", Answer: `["a","b","c"]`,
		},
	}
}

// fullPattern is the expression of regexp_full_match.
type fullPattern struct {
	text, options []byte
	re            *regexp.Regexp
}

// group returns where in the places of a match the wanted group stands.
func (c *call) group(p *pattern, i int) (int, error) {
	if len(c.args) < 3 {
		return 0, nil
	}
	g := c.args[2].Int(i)
	if g < 0 || g > int64(p.re.NumSubexp()) {
		return 0, errGroup
	}
	return int(2 * g), nil
}

func regexpReplace(c *call, i int) error {
	s, by := c.args[0].Bytes(i), c.args[2].Bytes(i)
	var opts []byte
	if len(c.args) > 3 {
		opts = c.args[3].Bytes(i)
	}
	p, err := c.pattern(c.args[1].Bytes(i), opts)
	if err != nil {
		return err
	}
	return c.build(i, vector.ClassText, func(w *sink) error {
		from := 0
		put := func(at []int) error {
			if err := w.add(s[from:at[0]]); err != nil {
				return err
			}
			from = at[1]
			return w.addReplacement(by, s, at)
		}
		if p.global {
			err = c.eachMatch(p, s, put)
		} else {
			var at []int
			if at, err = c.find(p.re, s); at != nil && err == nil {
				err = put(at)
			}
		}
		if err != nil {
			return err
		}
		return w.add(s[from:])
	})
}

// addReplacement adds a text in which \0 is the match and \1 to \9 its groups.
func (w *sink) addReplacement(by, s []byte, at []int) error {
	for k := 0; k < len(by); k++ {
		if by[k] != '\\' || k+1 == len(by) {
			end := k + 1
			for end < len(by) && by[end] != '\\' {
				end++
			}
			if err := w.add(by[k:end]); err != nil {
				return err
			}
			k = end - 1
			continue
		}
		k++
		part := by[k : k+1]
		if d := int(by[k] - '0'); by[k] >= '0' && by[k] <= '9' {
			if 2*d >= len(at) {
				return errGroup
			}
			if part = nil; at[2*d] >= 0 {
				part = s[at[2*d]:at[2*d+1]]
			}
		}
		if err := w.add(part); err != nil {
			return err
		}
	}
	return nil
}
