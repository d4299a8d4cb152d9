package planner

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

var update = flag.Bool("update", false, "write the results into the scripts of testdata")

// testCatalog is what the scripts query.
func testCatalog() memCatalog {
	c := memCatalog{}
	c.log(newLog("demo",
		`{"id":1,"name":"ann","zone":"eu","n":10,"tags":["a","b"],"at":{"x":1,"y":2}}`,
		`{"id":2,"name":"bob","zone":"us","n":2.5,"tags":[]}`,
		`{"id":3,"name":"cid","zone":"eu","n":"ten","at":{"x":3}}`,
		`{"id":4,"name":null,"zone":"us","n":-4}`,
		`{"id":5,"name":"eve","n":9223372036854775808}`,
		`{"id":6,"name":"Fay","zone":"eu","n":10.0,"ok":true}`,
		`{"id":7,"name":"éva","zone":"ap","n":0,"ok":false}`,
		`not json`,
		`{"id":9,"name":"ian","zone":"us","n":null,"at":"noon"}`,
	))
	c.log(newLog("app/log",
		`{"user":1,"msg":"in","_id":"p1"}`, `{"user":2,"msg":"in"}`, `{"user":1,"msg":"out"}`, `{"user":null,"msg":"lost"}`,
		`{"user":"1","msg":"text"}`, `{"user":1.0,"msg":"float"}`, `{"msg":"none"}`,
	))
	c.log(newLog("nested", `{"o":{"t":"a","d":{"e":"b"},"l":["c"]}}`))
	c.log(newLog("empty"))
	c.log(newLog("case", `{"A":1,"a":2,"Bee":3,"x":{"Y":4}}`))
	c.log(newLog("num",
		`{"k":1,"i":9223372036854775807,"d":0.1}`, `{"k":1,"i":1,"d":0.2}`, `{"k":2,"i":-5,"d":1e308}`, `{"k":2,"i":3,"d":1e308}`,
		`{"k":3,"i":4,"d":-1e308}`, `{"k":3,"d":1e308}`,
	))
	c.log(newLog("sensors/a", `{"t":1}`, `{"t":2}`))
	c.log(newLog("sensors/b/c", `{"t":3,"u":1}`))
	c.log(newLog("tasks2", `{"id":1}`))
	c.log(newLog("both", `{"id":1}`))
	c.table(&memTable{name: "both", kind: KindFold, cols: []Column{{Name: "id", Type: vector.Int, InStar: true}}})
	c.table(&memTable{
		name: "tasks", kind: KindFold,
		cols: []Column{
			{Name: "id", Type: vector.Int, InStar: true},
			{Name: "title", Type: vector.Text, InStar: true},
			{Name: "done", Type: vector.Bool, InStar: true},
			{Name: "due", Type: vector.Time, InStar: true},
			{Name: "price", Type: vector.Float, InStar: true},
			{Name: "meta", Type: vector.JSON, InStar: true},
		},
		rows: [][]query.Value{
			{query.Int(1), query.Text("write"), query.Bool(true), query.Nanos(1767225600e9), query.Double(1.5), query.JSON(`{"p":1,"q":[1,2]}`)},
			{query.Int(2), query.Text("read"), query.Bool(false), query.Null(), query.Double(0.25), query.Null()},
			{query.Int(3), query.Null(), query.Null(), query.Nanos(1767312000e9), query.Null(), query.JSON(`"text"`)},
			{query.Int(4), query.Text("rest"), query.Bool(true), query.Nanos(1767225600e9), query.Double(-2), query.JSON(`{"p":"1"}`)},
		},
	})
	c.table(&memTable{
		name: "logs", kind: KindSystem, cols: []Column{{Name: "name", Type: vector.Text, InStar: true}, {Name: "rows", Type: vector.Int, InStar: true}},
		rows: [][]query.Value{{query.Text("demo"), query.Int(9)}},
	})
	return c
}

// TestScripts runs the statements of testdata/*.txt. A statement ends with a line of four dashes; the lines up to the next
// empty one are its answer. A first line `-- zone: NAME` sets the session's zone. Each is run with batches of one, three and 2,048 rows.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) { runScript(t, f) })
	}
}

func runScript(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	sc := bufio.NewScanner(bytes.NewReader(text))
	line := 0
	var stmt []string
	for sc.Scan() {
		line++
		s := sc.Text()
		if len(stmt) == 0 && (s == "" || strings.HasPrefix(s, "#")) {
			fmt.Fprintln(&out, s)
			continue
		}
		if s != "----" {
			stmt = append(stmt, s)
			continue
		}
		at := line
		var want []string
		for sc.Scan() && sc.Text() != "" {
			line++
			want = append(want, sc.Text())
		}
		line++
		text := strings.Join(stmt, "\n")
		stmt = nil
		got := scriptAnswer(t, text)
		fmt.Fprintf(&out, "%s\n----\n", text)
		for _, l := range got {
			fmt.Fprintln(&out, l)
		}
		fmt.Fprintln(&out)
		if d := cmp.Diff(want, got); d != "" && !*update {
			t.Errorf("%s:%d: %s\n%s", file, at, text, d)
		}
	}
	if len(stmt) > 0 {
		t.Errorf("%s: statement without answer: %s", file, stmt)
	}
	if *update {
		if err := os.WriteFile(file, append(bytes.TrimRight(out.Bytes(), "\n"), '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// scriptAnswer is the rows of a statement, then its error, the same for every size of batches.
func scriptAnswer(t *testing.T, text string) []string {
	t.Helper()
	var first []string
	zone := time.UTC
	if line, ok := strings.CutPrefix(text, "-- zone: "); ok {
		var err error
		name, _, _ := strings.Cut(line, "\n")
		if zone, err = time.LoadLocation(name); err != nil {
			t.Fatal(err)
		}
	}
	for i, size := range []int{2048, 1, 3} {
		c := testCatalog()
		if strings.Contains(text, "lineage(") {
			lineageLogs(c)
		}
		rows, err := runSQL(t.Context(), c, text, Options{Zone: zone}, RunOptions{BatchRows: size, Threads: 1 + i%2})
		var got []string
		for _, r := range rows {
			if r == "" {
				r = "(empty)"
			}
			got = append(got, strings.Split(r, "\n")...)
		}
		if err != nil {
			var qe *query.Error
			if errors.As(err, &qe) {
				got = append(got, "error "+string(qe.Code)+" "+err.Error())
			} else {
				got = append(got, "error "+err.Error())
			}
		}
		for n, s := range c {
			if l, ok := s.(*memLog); ok && l.active != 0 {
				t.Errorf("%s: %d scans of %v left open", text, l.active, n)
			}
		}
		if i == 0 {
			first = got
		} else if !slices.Equal(first, got) {
			t.Errorf("%s\nbatches of %d rows: %s", text, size, cmp.Diff(first, got))
		}
	}
	return first
}
