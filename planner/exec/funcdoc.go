package exec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed69692123/netdb/planner/vector"
)

// Form is a function that the binder makes other expressions of: it has no entry in Functions.
type Form struct {
	Name                 string
	Aliases              []string
	Doc, Example, Answer string
	Result               string
}

// Forms returns the functions that are no entries of Functions. It must not be changed.
func Forms() []Form {
	return []Form{
		{"coalesce", nil, "coalesce(a, b, …): the first value that is not NULL", "coalesce(NULL, 2, 3)", "2", "as a"},
		{"date_add", nil, "date_add(t, interval): t + interval", "date_add(DATE '2024-01-31', INTERVAL '1 month')", "2024-02-29T00:00:00.000000000Z", "TIMESTAMPTZ"},
		{"if", []string{"iif"}, "if(condition, a, b): a where the condition is true, else b", "if(1 < 2, 'yes', 'no')", "yes", "as a"},
		{"ifnull", nil, "ifnull(a, b): a, or b where a is NULL", "ifnull(NULL, 'none')", "none", "as a"},
		{"ilike_escape", nil, "ilike_escape(text, pattern, escape): text ILIKE pattern ESCAPE escape", "ilike_escape('A%', 'a$%', '$')", "true", "BOOLEAN"},
		{"like_escape", nil, "like_escape(text, pattern, escape): text LIKE pattern ESCAPE escape", "like_escape('a%c', 'a$%c', '$')", "true", "BOOLEAN"},
		{"mod", nil, "mod(a, b): a % b", "mod(-7, 3)", "-1", "BIGINT"},
		{"nullif", nil, "nullif(a, b): NULL where a = b, else a", "nullif(2, 2)", "NULL", "as a"},
		{"time_bucket", []string{"date_bin"}, "time_bucket(size, t [, origin]): the start of the window of that size, as tumble gives it", "time_bucket(INTERVAL '1 week', TIMESTAMP '2024-02-29')", "2024-02-26T00:00:00.000000000Z", "TIMESTAMPTZ"},
	}
}

// sections part the list of functions in the documentation.
func sections() []section {
	return []section{
		{"Text", slices.Concat(textFunctions(), splitFunctions(), encodingFunctions())},
		{"Regular expressions", regexpFunctions()},
		{"Numbers", slices.Concat(numberFunctions(), mathFunctions())},
		{"Times", slices.Concat(timeFunctions(), partFunctions(), spanFunctions(), formatFunctions())},
		{"JSON", slices.Concat(jsonFunctions(), buildFunctions(), listFunctions())},
	}
}

type section struct {
	title string
	fns   []*Function
}

// resultName names the type of the function's result in the documentation.
func (f *Function) resultName() string {
	args := make([]vector.Type, len(f.Params))
	for i, p := range f.Params {
		args[i] = p.Type()
	}
	if f.Unify {
		return "as a"
	}
	t, ok := f.result(args)
	switch {
	case !ok, t == vector.Any:
		return "as " + map[bool]string{true: "x", false: "a"}[len(f.Params) > 0 && f.Params[0] == NumberParam]
	}
	return t.String()
}

// DocumentFunctions returns the tables of functions as docs/sql.md has them.
func DocumentFunctions() string {
	var b strings.Builder
	row := func(names []string, doc, result, example, answer string) {
		form, meaning, _ := strings.Cut(doc, ": ")
		form = "`" + form + "`"
		for _, n := range names {
			form += ", `" + n + "`"
		}
		cell := func(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
		fmt.Fprintf(&b, "| %s | %s | %s | `%s` | `%s` |\n", cell(form), result, cell(meaning), cell(example), cell(answer))
	}
	head := func(title string) {
		fmt.Fprintf(&b, "#### %s\n\n| | gives | | example | answer |\n|---|---|---|---|---|\n", title)
	}
	for _, s := range sections() {
		head(s.title)
		slices.SortFunc(s.fns, func(x, y *Function) int { return strings.Compare(x.Name, y.Name) })
		for _, f := range s.fns {
			row(f.Aliases, f.Doc, f.resultName(), f.Example, f.Answer)
		}
		b.WriteByte('\n')
	}
	head("Others")
	for _, f := range Forms() {
		row(f.Aliases, f.Doc, f.Result, f.Example, f.Answer)
	}
	return b.String()
}
