package netdb_test

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex"
)

// TestQueries runs the cases of testdata/queries, whose README has the form, in every state of the logs, with one thread and
// two, with one-row and full batches, from columns made of all events, with an index of every field, and with so little memory that some of them cannot be answered: then they say so.
func TestQueries(t *testing.T) {
	cases := readCases(t)
	if len(cases) < 300 {
		t.Fatalf("%d cases: some are lost", len(cases))
	}
	for _, state := range states() {
		db, indexed := fixtureDB(t, state), false
		for _, l := range []netdb.Limits{
			{Threads: 1, BatchRows: 1},
			{Threads: 1, BatchRows: 2048},
			{Threads: 2, BatchRows: 1},
			{Threads: 2, BatchRows: 2048},
			{Threads: 1, BatchRows: 2048, Bytes: 1 << 10},
			{Threads: 2, BatchRows: 64, Bytes: 64 << 10},
			{Threads: 1, BatchRows: 2048, Columns: netdb.ColumnsAlways},
			{Threads: 1, BatchRows: 2048, Columns: netdb.ColumnsNever},
			{Threads: 2, BatchRows: 3, Columns: netdb.ColumnsAlways},
		} {
			if (l.Threads == 1 || l.BatchRows == 1) && !oneThread {
				continue
			}
			if l.Columns != netdb.ColumnsAuto && !indexed {
				indexEverything(t, db)
				indexed = true
			}
			t.Run(fmt.Sprintf("%s/threads=%d/rows=%d/bytes=%d/columns=%d/indexed=%v", state.name, l.Threads, l.BatchRows, l.Bytes, l.Columns, indexed), func(t *testing.T) {
				answers := 0
				for _, c := range cases {
					got, err := c.run(t.Context(), db, state, l)
					if l.Bytes > 0 && errors.Is(err, netdb.ErrBudget) {
						continue
					}
					answers++
					if want := c.answer(state); !matches(want, got) {
						t.Errorf("%s: %s\n%s", c.place, state.sequences(c.sql), cmp.Diff(want, got))
					}
				}
				if l.Bytes == 0 && answers != len(cases) || answers < len(cases)/2 {
					t.Errorf("%d of %d cases were answered", answers, len(cases))
				}
			})
		}
	}
}

type queryCase struct {
	place string
	sql   string
	args  []any
	want  string
	in    map[string]string // the answer in some states, by their names, when it is another one
}

// answer returns the answer that the case has in a state.
func (c queryCase) answer(s dataState) string {
	want := c.want
	if other, ok := c.in[s.name]; ok {
		want = other
	}
	return s.sequences(want)
}

func matches(want, got string) bool {
	if part, ok := strings.CutPrefix(want, "error: "); ok {
		return strings.HasPrefix(got, "error: ") && strings.Contains(got, part)
	}
	return want == got
}

// run returns the answer in the form of the cases.
func (c queryCase) run(ctx context.Context, db *netdb.DB, s dataState, l netdb.Limits) (string, error) {
	rows, err := db.Do(ctx, netdb.Statement{SQL: s.sequences(c.sql), Args: c.args, Limits: l})
	if err != nil {
		return errorText(err), err
	}
	defer rows.Close()
	var b strings.Builder
	for i, col := range rows.Columns() {
		if i > 0 {
			b.WriteByte('\t')
		}
		b.WriteString(col.Name)
	}
	for rows.Next() {
		b.WriteByte('\n')
		for i, v := range rows.Values() {
			if i > 0 {
				b.WriteByte('\t')
			}
			if text := v.String(); text == "" {
				b.WriteString("(empty)")
			} else {
				b.WriteString(text)
			}
		}
	}
	if err := rows.Err(); err != nil {
		return errorText(err), err
	}
	return b.String(), nil
}

func errorText(err error) string {
	if e, ok := errors.AsType[*query.Error](err); ok {
		return "error: " + e.Error() + " " + e.Hint
	}
	return "error: " + err.Error()
}

func readCases(t *testing.T) []queryCase {
	t.Helper()
	files, err := filepath.Glob("testdata/queries/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var cases []queryCase
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		line := 1
		for block := range strings.SplitSeq(string(b), "\n\n") {
			place := fmt.Sprintf("%s:%d", file, line)
			line += strings.Count(block, "\n") + 2
			head, want, ok := strings.Cut(strings.TrimRight(block, "\n"), "\n----\n")
			if !ok {
				t.Fatalf("%s: no line of dashes", place)
			}
			c := queryCase{place: place, in: map[string]string{}}
			answers := strings.Split(want, "\n---- ")
			c.want = answers[0]
			for _, other := range answers[1:] {
				names, want, _ := strings.Cut(other, "\n")
				for name := range strings.FieldsSeq(names) {
					if !slices.ContainsFunc(states(), func(s dataState) bool { return s.name == name }) {
						t.Fatalf("%s: there is no state %q", place, name)
					}
					c.in[name] = want
				}
			}
			for l := range strings.SplitSeq(head, "\n") {
				switch args, ok := strings.CutPrefix(l, "-- args: "); {
				case ok:
					c.args = readArgs(t, place, args)
				case !strings.HasPrefix(l, "#"):
					c.sql += l + "\n"
				}
			}
			c.sql = strings.TrimSpace(c.sql)
			cases = append(cases, c)
		}
	}
	return cases
}

func readArgs(t *testing.T, place, text string) []any {
	t.Helper()
	var args []any
	if err := json.Unmarshal([]byte(text), &args); err != nil {
		t.Fatalf("%s: %v", place, err)
	}
	for i, a := range args {
		switch a := a.(type) {
		case map[string]any:
			args[i] = sql.Named(a["name"].(string), a["value"])
		case float64:
			if a == float64(int64(a)) {
				args[i] = int64(a)
			}
		}
	}
	return args
}

func seal(t *testing.T, db *netdb.DB) {
	t.Helper()
	if err := db.Store().Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func readEntry(t *testing.T, line string) redex.Entry {
	t.Helper()
	var e redex.Entry
	for {
		word, rest, ok := strings.Cut(line, " ")
		if !ok {
			t.Fatalf("fixture line without payload: %q", line)
		}
		line = rest
		if name, value, ok := strings.Cut(word, "="); ok {
			switch name {
			case "kind":
				e.Kind = redex.Kind(must(strconv.ParseUint(value, 10, 32)))
			case "origin":
				e.Origin = redex.Origin(must(strconv.ParseUint(value, 16, 64)))
			case "key":
				e.Key = []byte(value)
			}
			continue
		}
		switch word {
		case "json":
			e.Encoding, e.Payload = redex.JSON, []byte(line)
		case "jsonhex":
			e.Encoding, e.Payload = redex.JSON, must(hex.DecodeString(line))
		case "raw":
			e.Payload = []byte(line)
		case "hex":
			e.Payload = must(hex.DecodeString(line))
		case "msgpackhex":
			e.Encoding, e.Payload = redex.Msgpack, must(hex.DecodeString(line))
		case "msgpack":
			var v any
			d := json.NewDecoder(strings.NewReader(line))
			d.UseNumber()
			if err := d.Decode(&v); err != nil {
				t.Fatal(err)
			}
			e.Encoding, e.Payload = redex.Msgpack, must(msgpack.Marshal(plainNumbers(v)))
		default:
			t.Fatalf("fixture line of encoding %q", word)
		}
		return e
	}
}

// plainNumbers turns json.Number into int64 and float64.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		return must(v.Float64())
	case map[string]any:
		for k := range v {
			v[k] = plainNumbers(v[k])
		}
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	}
	return v
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
