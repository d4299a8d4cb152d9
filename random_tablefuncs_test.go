package netdb_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/internal/naivesql"
	"github.com/seed69692123/netdb/redex"
)

var randomWindows = flag.Int("randomwindows", 160/randomPart, "statements of TestRandomWindows")

// windows is a table function over a log, whose columns are then in scope.
func (g *queryGen) windows(log string) string {
	t := logTable("")
	g.tables = []genTable{t}
	x := g.oneOf("_seq", "_seq", "i", "f", "m", "g", "o.x", "s", "b", "coalesce(i, f)")
	size := func() string {
		return g.oneOf("1", "2", "3", "7", "10", "1000", "9007199254740993", "4611686018427387904", "9223372036854775807")
	}
	from := ""
	switch g.r.IntN(4) {
	case 0:
		small := []string{"1", "2", "3", "5", "10"}
		from = fmt.Sprintf("hop(%s, %s, %s, %s", log, x, g.oneOf(small...), g.oneOf(append(small, "17", "30")...))
		if g.chance(4) {
			s := size()
			from = fmt.Sprintf("hop(%s, %s, %s, %s", log, x, s, g.oneOf("1", "5", s))
		}
	case 1:
		from = fmt.Sprintf("session(%s, %s, %s", log, x, size())
		for range g.r.IntN(3) {
			from += ", " + g.oneOf("i", "s", "b", "m", "o", "upper(s)", "f")
		}
		from += ")"
	default:
		from = fmt.Sprintf("tumble(%s, %s, %s", log, x, size())
	}
	if !strings.HasPrefix(from, "session") {
		if g.chance(4) {
			from += ", " + g.oneOf("0", "1", "-4", "9223372036854775807", "-9223372036854775807")
		}
		from += ")"
	}
	for _, kind := range []string{"num", "num", "whole", "whole", "any", "any"} {
		t.names[kind] = append(t.names[kind], "window_start", "window_end")
	}
	return from
}

// bounds is a predicate on a window.
func (g *queryGen) bounds() string {
	n := g.oneOf("0", "1", "10", "-3", "20", "9007199254740990", "9223372036854775800", "-9223372036854775808")
	return g.oneOf("window_start", "window_end") + " " + g.oneOf("=", "<", "<=", ">", ">=") + " " + n
}

// TestRandomWindows is TestRandomQueries over windows of random events.
func TestRandomWindows(t *testing.T) {
	seed := *randomSeed
	failed, empty := 0, 0
	for round := range (*randomWindows + 79) / 80 {
		r := rand.New(rand.NewPCG(seed, uint64(round)+1<<32))
		rows := 20 + r.IntN(60)
		if round%3 == 1 {
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
		stores, tables := map[string]*netdb.DB{}, map[string]naivesql.Tables{}
		for _, s := range states() {
			stores[s.name], tables[s.name] = stateDB(t, s, entries), naiveTables(s, logs)
		}
		for n := range min(80, *randomWindows-round*80) {
			g := &queryGen{r: r, plain: r.IntN(3) > 0}
			from := g.windows(g.oneOf("a", "a", "a", "b", "none"))
			text := ""
			if g.chance(2) {
				text = g.grouped(from, true)
			} else {
				text = g.rows(from, true)
			}
			if g.chance(2) {
				where := from + " WHERE " + g.bounds()
				if strings.Contains(text, from+" WHERE ") {
					text = strings.Replace(text, from+" WHERE ", where+" AND ", 1)
				} else {
					text = strings.Replace(text, from, where, 1)
				}
			}
			answer := checkRandom(t, stores, tables, text, fmt.Sprintf("round %d, statement %d", round, n))
			switch {
			case answer == nil:
				if failed++; failed >= 10 {
					t.Fatal("and more")
				}
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
	if empty > *randomWindows*2/3 {
		t.Errorf("%d of %d answers have no rows", empty, *randomWindows)
	}
}
