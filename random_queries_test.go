package netdb_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/internal/naivesql"
	"github.com/seed69692123/netdb/query"
	qsql "github.com/seed69692123/netdb/query/sql"
	"github.com/seed69692123/netdb/redex"
)

var (
	randomSeed    = flag.Uint64("randomseed", 1, "seed of TestRandomQueries; 0 takes one from the clock")
	randomRows    = flag.Int("randomrows", 0, "events of one log in TestRandomQueries; 0 draws a number")
	randomQueries = flag.Int("randomqueries", 300/randomPart, "statements of TestRandomQueries")
)

// TestRandomQueries asks random statements of random events, in all states, and compares with the answers of internal/naivesql.
func TestRandomQueries(t *testing.T) {
	seed := *randomSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-randomseed=%d", seed)
	const perEvents = 100
	failed, errs, empty := 0, 0, 0
	for round := range (*randomQueries + perEvents - 1) / perEvents {
		r := rand.New(rand.NewPCG(seed, uint64(round)))
		rows := 20 + r.IntN(50)
		switch {
		case *randomRows > 0:
			rows = *randomRows
		case round%10 == 1:
			rows = 2300 // more than a batch, and than a chunk of columns in memory
		case round%3 == 2:
			rows = 1030 + r.IntN(300)
		}
		logs := map[string][]randomEvent{"a": randomEvents(r, rows), "b": randomEvents(r, r.IntN(30)), "none": nil}
		entries := map[string][]redex.Entry{}
		for name, events := range logs {
			entries[name] = nil
			for _, e := range events {
				entries[name] = append(entries[name], e.Entry)
			}
		}
		stores := map[string]*netdb.DB{}
		tables := map[string]naivesql.Tables{}
		for _, s := range states() {
			stores[s.name], tables[s.name] = stateDB(t, s, entries), naiveTables(s, logs)
		}
		for n := range min(perEvents, *randomQueries-round*perEvents) {
			g := &queryGen{r: r}
			text := g.statement()
			if rows > 1000 && (n >= 6 || strings.Contains(text, "JOIN")) {
				continue
			}
			answer := checkRandom(t, stores, tables, text, fmt.Sprintf("round %d, statement %d", round, n))
			switch {
			case answer == nil:
				if failed++; failed >= 20 {
					t.Fatal("and more")
				}
			case answer.Err != nil:
				errs++
			case len(answer.Rows) == 0:
				empty++
			}
		}
		for _, db := range stores {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	t.Logf("%d statements, %d errors, %d without rows", *randomQueries, errs, empty)
	if errs+empty > *randomQueries/2 {
		t.Error("most answers say little")
	}
}

// checkRandom asks one statement everywhere. It returns the answer, or nil if there was another one somewhere.
func checkRandom(t *testing.T, stores map[string]*netdb.DB, tables map[string]naivesql.Tables, text, place string) *naivesql.Answer {
	t.Helper()
	var answer, lenient *naivesql.Answer
	for _, s := range states() {
		sql := s.sequences(text)
		if answer == nil || strings.Contains(text, "_seq") {
			ast, err := qsql.Parse(sql, qsql.Options{})
			if err != nil {
				t.Errorf("%s: %s\n%v", place, sql, err)
				return nil
			}
			a := naivesql.Run(tables[s.name], ast.(*query.Query), false)
			if errors.Is(a.Err, naivesql.ErrUnknown) {
				t.Errorf("%s: %s\n%v", place, sql, a.Err)
				return nil
			}
			answer, lenient = &a, nil
			moved := []string{"JOIN", "OVER", "FROM tumble(", "FROM hop(", "FROM session("}
			if a.Err != nil && slices.ContainsFunc(moved, func(part string) bool { return strings.Contains(sql, part) }) {
				b := naivesql.Run(tables[s.name], ast.(*query.Query), true)
				lenient = &b
			}
		}
		for _, l := range []netdb.Limits{
			{Threads: 1, Columns: netdb.ColumnsNever},
			{Threads: 1, Columns: netdb.ColumnsAlways},
			{Threads: 2, BatchRows: 1},
			{Threads: 2, BatchRows: 7, Columns: netdb.ColumnsAlways},
			{Threads: 2, Bytes: 4 << 10},
		} {
			rows, err := valuesOf(t.Context(), stores[s.name], sql, l)
			if l.Bytes > 0 && errors.Is(err, netdb.ErrBudget) {
				continue
			}
			diff := differs(answer, rows, err)
			if diff != "" && lenient != nil {
				diff = differs(lenient, rows, err)
			}
			if diff != "" {
				t.Errorf("%s: %s, %+v\n%s\n%s", place, s.name, l, sql, diff)
				return nil
			}
		}
	}
	return answer
}

// naiveTables are the events as tables, with the sequences they have in a state.
func naiveTables(s dataState, logs map[string][]randomEvent) naivesql.Tables {
	out := naivesql.Tables{}
	for name, events := range logs {
		table := &naivesql.Table{Columns: append(randomFields(), "_seq"), Whole: map[string]bool{"_seq": true}}
		for i, e := range events {
			row := make([]any, len(table.Columns))
			row[len(row)-1] = s.seq(int64(i))
			o := must(naivesql.Decode([]byte(e.json))).(naivesql.Object)
			for k, f := range randomFields() {
				row[k] = o.Members[f]
			}
			table.Rows = append(table.Rows, row)
		}
		out[name] = table
	}
	return out
}

// valuesOf returns the rows of a statement, those before an error too.
func valuesOf(ctx context.Context, db *netdb.DB, sql string, l netdb.Limits) (out [][]any, err error) {
	rows, err := db.Do(ctx, netdb.Statement{SQL: sql, Limits: l})
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var row []any
		for _, v := range rows.Values() {
			x, err := naiveValue(v)
			if err != nil {
				return nil, err
			}
			row = append(row, x)
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

func naiveValue(v query.Value) (any, error) {
	switch v.Kind() {
	case query.KindNull:
		return nil, nil
	case query.KindBool:
		return v.Bool(), nil
	case query.KindInt:
		return v.Int(), nil
	case query.KindBig:
		i, _ := new(big.Int).SetString(v.Text(), 10)
		return i, nil
	case query.KindDouble:
		return v.Double(), nil
	case query.KindText:
		return v.Text(), nil
	case query.KindJSON:
		return naivesql.Decode([]byte(v.Text()))
	}
	return nil, fmt.Errorf("a value of kind %d", v.Kind())
}

// differs says what is wrong with the rows and the error of a statement, or nothing.
func differs(want *naivesql.Answer, got [][]any, err error) string {
	var wantErr *naivesql.Error
	gotErr, isQuery := errors.AsType[*query.Error](err)
	switch {
	case err != nil && !isQuery:
		return fmt.Sprintf("error %v", err)
	case errors.As(want.Err, &wantErr) != isQuery, isQuery && gotErr.Code != wantErr.Code:
		return fmt.Sprintf("error %v, want %v; rows\n%s\nwant\n%s", err, want.Err, lines(got), lines(want.Rows))
	case isQuery && (!want.Ordered || want.Keys != nil):
		return "" // which rows come before is open
	}
	if len(got) != len(want.Rows) {
		return fmt.Sprintf("%d rows, want %d\n%s\nwant\n%s", len(got), len(want.Rows), lines(got), lines(want.Rows))
	}
	for from := 0; from < len(got); {
		to := from + 1
		for !want.Ordered && to < len(got) && (want.Keys == nil || sameKeys(want.Keys[from], want.Keys[to])) {
			to++
		}
		if !sameRows(want, want.Rows[from:to], got[from:to]) {
			return fmt.Sprintf("rows %d to %d are\n%s\nwant\n%s", from, to, lines(got[from:to]), lines(want.Rows[from:to]))
		}
		from = to
	}
	return ""
}

func sameKeys(a, b []any) bool {
	return slices.EqualFunc(a, b, func(x, y any) bool { return naivesql.Compare(x, y) == 0 })
}

// sameRows compares rows whatever their order.
func sameRows(want *naivesql.Answer, a, b [][]any) bool {
	b = slices.Clone(b)
	for _, row := range a {
		i := slices.IndexFunc(b, func(o []any) bool {
			return slices.EqualFunc(row, o, func(x, y any) bool { return sameCell(want, x, y) })
		})
		if i < 0 {
			return false
		}
		b[i] = b[len(b)-1]
		b = b[:len(b)-1]
	}
	return true
}

// sameCell reports whether two values are the same: in type and text, but for DOUBLE sums, and numbers where either may stand.
func sameCell(want *naivesql.Answer, x, y any) bool {
	f, isFloat := x.(float64)
	g, bothFloat := y.(float64)
	switch {
	case isFloat && bothFloat && math.Abs(f-g) <= 1e-13*want.Magnitude:
		return true
	case naivesql.Compare(x, y) != 0:
		return false
	case want.Loose:
		return true
	}
	return isFloat == bothFloat && naivesql.Text(x) == naivesql.Text(y)
}

func lines(rows [][]any) string {
	var b strings.Builder
	for i, row := range rows {
		if i == 30 {
			b.WriteString("…")
			break
		}
		for _, v := range row {
			fmt.Fprintf(&b, "%s\t", naivesql.Text(v))
		}
		b.WriteByte('\n')
	}
	return b.String()
}
