package netdb_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

// dataState is one of the ways in which the same events can lie in a store. Queries have the same answers in all of them.
type dataState struct {
	name string
	// seq is the sequence of a log's event n, counted from 0: other events may have stood before and between them.
	seq func(n int64) int64
	// fill appends the events of all logs.
	fill func(*testing.T, *netdb.DB, map[string][]redex.Entry)
	// runEvents is redex.Options.RunEvents.
	runEvents int
}

// retainedFrom is how many events a log had that retention took, in the state of that name.
const retainedFrom = 100

func states() []dataState {
	same := func(n int64) int64 { return n }
	return []dataState{
		{name: "hot", seq: same, fill: func(t *testing.T, db *netdb.DB, logs map[string][]redex.Entry) {
			appendLogs(t, db, logs, redex.LogOptions{})
		}},
		{name: "sealed", seq: same, fill: func(t *testing.T, db *netdb.DB, logs map[string][]redex.Entry) {
			appendLogs(t, db, logs, redex.LogOptions{})
			seal(t, db)
		}},
		{name: "mixed", seq: same, fill: func(t *testing.T, db *netdb.DB, logs map[string][]redex.Entry) {
			appendLogs(t, db, partOf(logs, 0, 2, 4), redex.LogOptions{})
			seal(t, db)
			appendLogs(t, db, partOf(logs, 2, 4, 4), redex.LogOptions{})
		}},
		{name: "retained", seq: func(n int64) int64 { return n + retainedFrom }, fill: fillRetained, runEvents: retainedFrom + 6},
		{name: "compacted", seq: compactedSeq, fill: fillCompacted, runEvents: 8},
	}
}

var seqMark = regexp.MustCompile(`<(\d+)>`)

// sequences puts the sequence of a log's event n in place of <n>.
func (s dataState) sequences(text string) string {
	return seqMark.ReplaceAllStringFunc(text, func(m string) string {
		return strconv.FormatInt(s.seq(must(strconv.ParseInt(m[1:len(m)-1], 10, 64))), 10)
	})
}

// partOf returns the parts [from, to) of n parts of each log's events.
func partOf(logs map[string][]redex.Entry, from, to, n int) map[string][]redex.Entry {
	part := map[string][]redex.Entry{}
	for name, entries := range logs {
		part[name] = entries[len(entries)*from/n : len(entries)*to/n]
	}
	return part
}

func appendLogs(t *testing.T, db *netdb.DB, logs map[string][]redex.Entry, o redex.LogOptions) {
	t.Helper()
	for name, entries := range logs {
		o.Fields = nil
		switch name {
		case "declared":
			o.Fields = [][]string{{"later", "on"}, {"a"}, {"deep"}}
		case "a", "b": // of random events, in which a field may be missing everywhere
			for _, f := range randomFields() {
				o.Fields = append(o.Fields, []string{f})
			}
			o.Fields = append(o.Fields, []string{"o", "x"}, []string{"o", "y"})
		}
		log, err := db.OpenLog(t.Context(), name, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if _, err := log.Append(t.Context(), e, redex.AppendOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

var (
	anyNumber = regexp.MustCompile(`:(-?)\d+`)
	anyText   = regexp.MustCompile(`:"[^"\\]*"`)
)

// goneEntry is like an entry, to the names and types of its fields, but its values lie beyond all others every other time: whoever
// looks at events that are gone shows it.
func goneEntry(e redex.Entry, i int) redex.Entry {
	if e.Encoding != redex.JSON || i%3 == 2 {
		return e
	}
	number, text := ":${1}8888888", `:"~gone"`
	if i%3 == 1 {
		number, text = ":-8888888", `:"!gone"`
	}
	e.Payload = anyText.ReplaceAll(anyNumber.ReplaceAll(e.Payload, []byte(number)), []byte(text))
	return e
}

// fillRetained has a retention take the first part of what was sealed together, while the last events are not sealed.
func fillRetained(t *testing.T, db *netdb.DB, logs map[string][]redex.Entry) {
	gone := map[string][]redex.Entry{}
	for name, entries := range logs {
		for i := range retainedFrom * min(len(entries), 1) {
			gone[name] = append(gone[name], goneEntry(entries[i%len(entries)], i))
		}
	}
	appendLogs(t, db, gone, redex.LogOptions{})
	appendLogs(t, db, partOf(logs, 0, 7, 8), redex.LogOptions{})
	// What is gone later on was looked at before.
	if n := collect[int64](t, db, `SELECT sum(events) + sum(malformed) FROM netdb.logs`); n[0] == 0 {
		t.Error("no events")
	}
	seal(t, db)
	for name := range gone {
		log, err := db.Log(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Trim(t.Context(), retainedFrom); err != nil {
			t.Fatal(err)
		}
		if b := log.Bounds(); b.Floor != retainedFrom {
			t.Fatalf("%s begins at %d", name, b.Floor)
		}
	}
	seal(t, db)
	appendLogs(t, db, partOf(logs, 7, 8, 8), redex.LogOptions{})
}

// compactedSeq is where fillCompacted places a log's event n: behind two more before each third.
func compactedSeq(n int64) int64 { return n + 2*(n/3+1) }

// fillCompacted has a compaction by key take two events before each third: one whose key a later one has, and the deletion of the
// key of the one before.
func fillCompacted(t *testing.T, db *netdb.DB, logs map[string][]redex.Entry) {
	all := map[string][]redex.Entry{}
	for name, entries := range logs {
		var list []redex.Entry
		for i, e := range entries {
			if i%3 == 0 {
				last := i+3 >= len(entries)
				old := goneEntry(e, i/3)
				old.Key, old.Tombstone = fmt.Appendf(nil, "gone %d", i), last
				list = append(list, old, redex.Entry{Encoding: e.Encoding, Payload: e.Payload, Key: fmt.Appendf(nil, "gone %d", i-3), Tombstone: true})
			}
			list = append(list, e)
		}
		all[name] = list
	}
	o := redex.LogOptions{Compaction: redex.Compaction{ByKey: true, TombstonesFor: 1}}
	appendLogs(t, db, partOf(all, 0, 1, 2), o)
	seal(t, db)
	appendLogs(t, db, partOf(all, 1, 2, 2), o)
	if n := collect[int64](t, db, `SELECT sum(events) + sum(malformed) FROM netdb.logs`); n[0] == 0 {
		t.Error("no events")
	}
	for name, entries := range logs {
		log, err := db.Log(name)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 { // deletions go with the compaction after the one that took what they delete
			if _, err := log.Compact(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if i := log.Info(); i.Events != int64(len(entries)) {
			t.Fatalf("%s has %d events, not %d", name, i.Events, len(entries))
		}
	}
}

// readFixtures returns the events of the logs of testdata/queries.
func readFixtures(t *testing.T) map[string][]redex.Entry {
	t.Helper()
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
		logs[name] = nil
		for line := range strings.Lines(string(b)) {
			logs[name] = append(logs[name], readEntry(t, strings.TrimSuffix(line, "\n")))
		}
	}
	for i := range 5000 {
		logs["numbers"] = append(logs["numbers"], redex.Entry{
			Encoding: redex.JSON, Payload: fmt.Appendf(nil, `{"n":%d,"m":%d,"s":"s%d","h":%.1f}`, i, i%7, i%13, float64(i)/2),
		})
	}
	return logs
}

// stateDB makes a database whose logs are in a state.
func stateDB(t *testing.T, s dataState, logs map[string][]redex.Entry) *netdb.DB {
	t.Helper()
	db, err := netdb.Open(t.Context(), t.TempDir(), netdb.Options{Store: redex.Options{
		Sync: redex.SyncPolicy{Mode: redex.SyncNever}, RunEvents: s.runEvents, MaintainRate: -1,
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	s.fill(t, db, logs)
	return db
}

type spent struct{ Spent fold.Table[string, spentRow] }

type spentRow struct{ Cents int64 }

// fixtureDB makes a database with the fixtures, and the fold over them.
func fixtureDB(t *testing.T, s dataState) *netdb.DB {
	t.Helper()
	ctx := t.Context()
	db := stateDB(t, s, readFixtures(t))
	h, err := netdb.OpenFold(ctx, db, fold.Definition[spent]{
		Name: "spent", Logs: []string{"orders"}, Options: fold.Options{AcceptLost: s.name == "retained"},
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
	for s := range strings.Lines(string(must(os.ReadFile("testdata/queries/fixtures/views.sql")))) {
		run1(t, db, s)
	}
	return db
}

// indexEverything makes an index of every field of the logs, and waits for them.
func indexEverything(t *testing.T, db *netdb.DB) {
	t.Helper()
	type described struct{ ColumnName, ColumnType, Null, Types string }
	for log, err := range db.Logs("") {
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range collect[described](t, db, fmt.Sprintf(`DESCRIBE logs."%s"`, log.Name)) {
			if !strings.HasPrefix(c.ColumnName, "_") && log.Name != netdb.SchemaLog {
				run1(t, db, fmt.Sprintf(`CREATE INDEX IF NOT EXISTS "%s %d" ON logs."%s" (%s)`, log.Name, i, log.Name, c.ColumnName))
			}
		}
	}
	if err := db.CatchUpIndexes(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := collect[int64](t, db, `SELECT count(*) FROM netdb.indexes WHERE keys > 0 AND lag = 0 AND error IS NULL`); n[0] < 40 {
		t.Fatalf("%d indexes", n[0])
	}
}
