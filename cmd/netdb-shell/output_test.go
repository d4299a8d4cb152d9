package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// sampleRows has every kind of value and what is awkward about text.
func sampleRows() ([]string, []row) {
	columns := []string{"n", "name", "ok", "doc", "n"}
	var rows []row
	add := func(fill func(r *row)) {
		var r row
		fill(&r)
		rows = append(rows, r)
	}
	num := func(r *row, s string) { r.buf = append(r.buf, s...); r.add(kindNumber) }
	truth := func(r *row, s string) { r.buf = append(r.buf, s...); r.add(kindBool) }
	doc := func(r *row, s string) { r.buf = append(r.buf, s...); r.add(kindJSON) }
	add(func(r *row) { num(r, "1"); r.text("plain"); truth(r, "true"); doc(r, `{"a":[1,2]}`); num(r, "10") })
	add(func(r *row) {
		num(r, "-22.5")
		r.text("a,\"b\"|c\td\\")
		truth(r, "false")
		doc(r, "{\"a\":\n\t\"x\u009b\u007f\"}")
		r.null()
	})
	add(func(r *row) { r.null(); r.text("日本語 é👩‍🚀"); r.null(); r.null(); num(r, "3") })
	add(func(r *row) {
		num(r, "4")
		r.text("\x1b[2J\r\n\x00\u202e\xff\u009b")
		r.null()
		doc(r, `"s"`)
		num(r, "7")
	})
	add(func(r *row) { num(r, "5"); r.text(""); r.null(); r.null(); r.null() })
	return columns, rows
}

func write(t *testing.T, s outputStyle, columns []string, rows []row) string {
	t.Helper()
	var out bytes.Buffer
	w := newRowWriter(bufio.NewWriter(&out), s)
	if err := w.begin(columns); err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		if err := w.row(&rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.end(true); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestModes(t *testing.T) {
	want := map[string]string{
		"box": `
┌───────┬─────────────────────────────────┬───────┬────────────────────┬──────┐
│ n     │ name                            │ ok    │ doc                │ n    │
├───────┼─────────────────────────────────┼───────┼────────────────────┼──────┤
│     1 │ plain                           │ true  │ {"a":[1,2]}        │   10 │
│ -22.5 │ a,"b"|c\td\                     │ false │ {"a":\n\t"x\u009b\x7f"} │ NULL │
│  NULL │ 日本語 é👩‍🚀                     │ NULL  │ NULL               │    3 │
│     4 │ \x1b[2J\r\n\x00\u202e\xff\u009b │ NULL  │ "s"                │    7 │
│     5 │                                 │ NULL  │ NULL               │ NULL │
└───────┴─────────────────────────────────┴───────┴────────────────────┴──────┘
`,
		"csv": "\nn,name,ok,doc,n\n" +
			"1,plain,true,\"{\"\"a\"\":[1,2]}\",10\n" +
			"-22.5,\"a,\"\"b\"\"|c\td\\\",false,\"{\"\"a\"\":\n\t\"\"x\u009b\u007f\"\"}\",\n" +
			",日本語 é👩‍🚀,,,3\n" +
			"4,\"\x1b[2J\r\n\x00\u202e\xff\u009b\",,\"\"\"s\"\"\",7\n" +
			"5,\"\",,,\n",
		"tsv": `
n	name	ok	doc	n
1	plain	true	{"a":[1,2]}	10
-22.5	a,"b"|c\td\\	false	{"a":\n\t"x\xc2\x9b\x7f"}	\N
\N	日本語 é👩‍🚀	\N	\N	3
4	\x1b[2J\r\n\x00` + "\u202e\xff" + `\xc2\x9b	\N	"s"	7
5		\N	\N	\N
`,
		"json": `
[{"n":1,"name":"plain","ok":true,"doc":{"a":[1,2]},"n_2":10},
{"n":-22.5,"name":"a,\"b\"|c\td\\","ok":false,"doc":{"a":"x\u009b\u007f"},"n_2":null},
{"n":null,"name":"日本語 é👩‍🚀","ok":null,"doc":null,"n_2":3},
{"n":4,"name":"\u001b[2J\r\n\u0000\u202e\ufffd\u009b","ok":null,"doc":"s","n_2":7},
{"n":5,"name":"","ok":null,"doc":null,"n_2":null}]
`,
		"jsonl": `
{"n":1,"name":"plain","ok":true,"doc":{"a":[1,2]},"n_2":10}
{"n":-22.5,"name":"a,\"b\"|c\td\\","ok":false,"doc":{"a":"x\u009b\u007f"},"n_2":null}
{"n":null,"name":"日本語 é👩‍🚀","ok":null,"doc":null,"n_2":3}
{"n":4,"name":"\u001b[2J\r\n\u0000\u202e\ufffd\u009b","ok":null,"doc":"s","n_2":7}
{"n":5,"name":"","ok":null,"doc":null,"n_2":null}
`,
		"markdown": `
| n | name | ok | doc | n |
| --- | --- | --- | --- | --- |
| 1 | plain | true | {"a":[1,2]} | 10 |
| -22.5 | a,"b"\|c\td\ | false | {"a":\n\t"x\u009b\x7f"} | NULL |
| NULL | 日本語 é👩‍🚀 | NULL | NULL | 3 |
| 4 | \x1b[2J\r\n\x00\u202e\xff\u009b | NULL | "s" | 7 |
| 5 |  | NULL | NULL | NULL |
`,
		"line": `
   n = 1
name = plain
  ok = true
 doc = {"a":[1,2]}
   n = 10

   n = -22.5
name = a,"b"|c\td\
  ok = false
 doc = {"a":\n\t"x\u009b\x7f"}
   n = NULL

   n = NULL
name = 日本語 é👩‍🚀
  ok = NULL
 doc = NULL
   n = 3

   n = 4
name = \x1b[2J\r\n\x00\u202e\xff\u009b
  ok = NULL
 doc = "s"
   n = 7

   n = 5
name = 
  ok = NULL
 doc = NULL
   n = NULL
`,
	}
	columns, rows := sampleRows()
	for _, mode := range modes() {
		t.Run(mode, func(t *testing.T) {
			got := "\n" + write(t, outputStyle{mode: mode}, columns, rows)
			w := want[mode]
			if mode == "box" { // the table of the test is narrower for the eye; widths are checked below
				got, w = squeeze(got), squeeze(w)
			}
			if d := cmp.Diff(w, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// squeeze makes runs of rules and of spaces one.
func squeeze(s string) string {
	for _, run := range []string{"─", " "} {
		for strings.Contains(s, run+run) {
			s = strings.ReplaceAll(s, run+run, run)
		}
	}
	return s
}

func TestBoxLinesAreOfOneWidth(t *testing.T) {
	columns, rows := sampleRows()
	for _, width := range []int{0, 200, 79, 60, 50} {
		out := write(t, outputStyle{mode: "box", terminal: width > 0, width: width}, columns, rows)
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		for _, line := range lines {
			if w := textWidth([]byte(line)); w != textWidth([]byte(lines[0])) || width > 0 && w > width {
				t.Errorf("width %d: a line of %d columns:\n%s", width, w, out)
				break
			}
		}
	}
	out := write(t, outputStyle{mode: "box", terminal: true, width: 30}, columns, rows)
	if !strings.HasPrefix(out, "   n = 1\n") {
		t.Errorf("a box that cannot fit is not shown line by line:\n%s", out)
	}
}

func TestBoxAfterItsSample(t *testing.T) {
	var rows []row
	for i := range boxSampleRows + 1 {
		var r row
		r.text(strings.Repeat("x", 3+20*(i/boxSampleRows)))
		rows = append(rows, r)
	}
	cut := write(t, outputStyle{mode: "box", terminal: true, width: 80}, []string{"a"}, rows)
	if !strings.Contains(cut, "│ xx… │\n└") {
		t.Errorf("on a terminal the wide row after the sample is not cut:\n%s", cut[len(cut)-120:])
	}
	whole := write(t, outputStyle{mode: "box"}, []string{"a"}, rows)
	if !strings.Contains(whole, "│ "+strings.Repeat("x", 23)+" │\n└") {
		t.Errorf("off a terminal the wide row after the sample is not whole:\n%s", whole[len(whole)-120:])
	}
}

func TestJSONModesAreJSON(t *testing.T) {
	columns, rows := sampleRows()
	var all []map[string]any
	if err := json.Unmarshal([]byte(write(t, outputStyle{mode: "json"}, columns, rows)), &all); err != nil || len(all) != len(rows) {
		t.Errorf("%d objects: %v", len(all), err)
	}
	if got := write(t, outputStyle{mode: "json"}, columns, nil); got != "[]\n" {
		t.Errorf("no rows: %q", got)
	}
	for line := range strings.Lines(write(t, outputStyle{mode: "jsonl"}, columns, rows)) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

func TestCSVReadsBack(t *testing.T) {
	columns, rows := sampleRows()
	got, err := csv.NewReader(strings.NewReader(write(t, outputStyle{mode: "csv"}, columns, rows))).ReadAll()
	if err != nil || len(got) != len(rows)+1 {
		t.Fatalf("%d records: %v", len(got), err)
	}
	for i := range rows {
		for j := range columns {
			want := strings.ReplaceAll(string(rows[i].at(j)), "\r\n", "\n") // encoding/csv reads every line end so
			if got[i+1][j] != want {
				t.Errorf("row %d column %d: %q, want %q", i, j, got[i+1][j], want)
			}
		}
	}
}

func TestDistinct(t *testing.T) {
	got := distinct([]string{"a", "a", "a_2", "b", "a"})
	if d := cmp.Diff([]string{"a", "a_3", "a_2", "b", "a_4"}, got); d != "" {
		t.Error(d)
	}
}

func TestFit(t *testing.T) {
	for _, c := range []struct {
		widths []int
		room   int
		want   []int
		ok     bool
	}{
		{[]int{3, 4}, 10, []int{3, 4}, true},
		{[]int{3, 40}, 20, []int{3, 17}, true},
		{[]int{30, 40, 5}, 35, []int{15, 15, 5}, true},
		{[]int{30, 40}, 11, nil, false},
	} {
		got := append([]int(nil), c.widths...)
		ok := fit(got, c.room)
		if ok != c.ok || ok && !cmp.Equal(got, c.want) {
			t.Errorf("fit(%v, %d) = %v, %v", c.widths, c.room, got, ok)
		}
	}
}

func TestWriteErrorIsReported(t *testing.T) {
	columns, rows := sampleRows()
	for _, mode := range modes() {
		w := newRowWriter(bufio.NewWriterSize(&stickyWriter{w: failing{}}, 16), outputStyle{mode: mode})
		err := w.begin(columns)
		for i := range rows {
			if err == nil {
				err = w.row(&rows[i])
			}
		}
		if err == nil {
			err = w.end(true)
		}
		if !errors.Is(err, errFull) {
			t.Errorf("%s: %v", mode, err)
		}
	}
}

var errFull = errors.New("full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }

// FuzzOutput checks that no text, as a name or a value, drives a terminal in any mode, and that what should be JSON is.
func FuzzOutput(f *testing.F) {
	_, rows := sampleRows()
	for i := range rows {
		f.Add(rows[i].at(1))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var r row
		r.text(string(text))
		for _, mode := range modes() {
			out := write(t, outputStyle{mode: mode, terminal: true, width: 40}, []string{string(text)}, []row{r})
			for i, c := range out {
				if c == utf8.RuneError && out[i] != 0xef && mode != "tsv" {
					t.Fatalf("%s: not UTF-8: %q", mode, out)
				}
				if c != '\n' && c != '\t' && (c < 0x20 || c >= 0x7f && c < 0xa0) {
					t.Fatalf("%s: control character %U: %q", mode, c, out)
				}
			}
			if mode == "json" && !json.Valid([]byte(out)) {
				t.Fatalf("not JSON: %q", out)
			}
			if mode == "tsv" && strings.Count(out, "\n") != 2 {
				t.Fatalf("tsv of %q has other than two lines: %q", text, out)
			}
		}
	})
}
