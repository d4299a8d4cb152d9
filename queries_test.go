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
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex"
)

// TestQueries runs the cases of testdata/queries, whose README has the form, in every state of the logs, with one thread and
// two, and with one-row and full batches.
func TestQueries(t *testing.T) {
	cases := readCases(t)
	if len(cases) < 60 {
		t.Fatalf("%d cases: some are lost", len(cases))
	}
	for _, state := range []string{"hot", "sealed", "mixed"} {
		db := fixtureDB(t, state)
		for _, threads := range []int{1, 2} {
			for _, rows := range []int{1, 2048} {
				t.Run(fmt.Sprintf("%s/threads=%d/rows=%d", state, threads, rows), func(t *testing.T) {
					for _, c := range cases {
						got := c.run(t.Context(), db, netdb.Limits{Threads: threads, BatchRows: rows})
						if !c.matches(got) {
							t.Errorf("%s: %s\n%s", c.place, c.sql, cmp.Diff(c.want, got))
						}
					}
				})
			}
		}
	}
}

type queryCase struct {
	place string
	sql   string
	args  []any
	want  string
}

func (c queryCase) matches(got string) bool {
	if part, ok := strings.CutPrefix(c.want, "error: "); ok {
		return strings.HasPrefix(got, "error: ") && strings.Contains(got, part)
	}
	return c.want == got
}

// run returns the answer in the form of the cases.
func (c queryCase) run(ctx context.Context, db *netdb.DB, l netdb.Limits) string {
	rows, err := db.Do(ctx, netdb.Statement{SQL: c.sql, Args: c.args, Limits: l})
	if err != nil {
		return errorText(err)
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
		return errorText(err)
	}
	return b.String()
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
			c := queryCase{place: place, want: want}
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

type spent struct{ Spent fold.Table[string, spentRow] }

type spentRow struct{ Cents int64 }

// fixtureDB makes a database with the fixtures: hot, sealed, or the first half of each log sealed.
func fixtureDB(t *testing.T, state string) *netdb.DB {
	t.Helper()
	ctx := t.Context()
	db, err := netdb.Open(ctx, t.TempDir(), netdb.Options{Store: redex.Options{Sync: redex.SyncPolicy{Mode: redex.SyncNever}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	logs := map[string][]redex.Entry{}
	files, err := filepath.Glob("testdata/queries/fixtures/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.ReplaceAll(strings.TrimSuffix(filepath.Base(file), ".txt"), "@", "/")
		for line := range strings.Lines(string(b)) {
			logs[name] = append(logs[name], readEntry(t, strings.TrimSuffix(line, "\n")))
		}
	}
	for i := range 5000 {
		logs["numbers"] = append(logs["numbers"], redex.Entry{
			Encoding: redex.JSON, Payload: fmt.Appendf(nil, `{"n":%d,"m":%d,"s":"s%d","h":%.1f}`, i, i%7, i%13, float64(i)/2),
		})
	}
	appendPart := func(from, to func(n int) int) {
		for name, entries := range logs {
			var o redex.LogOptions
			if name == "declared" {
				o.Fields = [][]string{{"later", "on"}, {"a"}, {"deep"}}
			}
			log, err := db.OpenLog(ctx, name, o)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries[from(len(entries)):to(len(entries))] {
				if _, err := log.Append(ctx, e, redex.AppendOptions{}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	none, half, all := func(int) int { return 0 }, func(n int) int { return n / 2 }, func(n int) int { return n }
	switch state {
	case "hot":
		appendPart(none, all)
	case "sealed":
		appendPart(none, all)
		seal(t, db)
	case "mixed":
		appendPart(none, half)
		seal(t, db)
		appendPart(half, all)
	}
	h, err := netdb.OpenFold(ctx, db, fold.Definition[spent]{
		Name: "spent", Logs: []string{"orders"},
		Fold: fold.Func[spent](func(s *spent, ev redex.Event) error {
			var o struct {
				Customer string
				Cents    int64
			}
			if err := json.Unmarshal(ev.Payload, &o); err != nil {
				return fold.Undecodable(err)
			}
			if o.Cents <= 0 || o.Cents > 1_000_000 {
				return nil
			}
			row, _ := s.Spent.Get(o.Customer)
			s.Spent.Set(o.Customer, spentRow{row.Cents + o.Cents})
			return nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.CatchUp(ctx); err != nil {
		t.Fatal(err)
	}
	return db
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
