package csvjson

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// read returns the rows of a text, and the error that ended them.
func read(r io.Reader, o Options) (rows []string, err error) {
	c := NewReader(r, o)
	for {
		b, err := c.Next(nil)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return rows, err
		}
		rows = append(rows, string(b))
	}
}

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name, text string
		o          Options
		want       []string
		err        string
	}{
		{"header and types", "id,name,price,ok\n1,ann,1.5,true\n2,bob,2,FALSE\n", Options{}, []string{
			`{"id":1,"name":"ann","price":1.5,"ok":true}`, `{"id":2,"name":"bob","price":2,"ok":false}`,
		}, ""},
		{"no header", "1,a\n2,b\n", Options{}, []string{`{"column1":1,"column2":"a"}`, `{"column1":2,"column2":"b"}`}, ""},
		{"header said", "1,2\n3,4\n", Options{Header: WithHeader}, []string{`{"1":3,"2":4}`}, ""},
		{"no header said", "a,b\n", Options{Header: NoHeader}, []string{`{"column1":"a","column2":"b"}`}, ""},
		{"semicolons", "a;b\n1,5;2\n", Options{}, []string{`{"a":"1,5","b":2}`}, ""},
		{"tabs", "a\tb\n1\t2\n", Options{}, []string{`{"a":1,"b":2}`}, ""},
		{"bars", "a|b\n1|2\n", Options{}, []string{`{"a":1,"b":2}`}, ""},
		{"one column", "a\nx\ny\n", Options{}, []string{`{"a":"x"}`, `{"a":"y"}`}, ""},
		{"quotes", "a,b\n\"x,\"\"y\"\"\n z\",2\n", Options{}, []string{`{"a":"x,\"y\"\n z","b":2}`}, ""},
		{"single quotes", "a,b\n'x,y','z'\n", Options{}, []string{`{"a":"x,y","b":"z"}`}, ""},
		{"quote within", "a,b\nx\"y,2\n", Options{}, []string{`{"a":"x\"y","b":2}`}, ""},
		{"crlf, no last end", "a,b\r\n1,2\r\n3,4", Options{}, []string{`{"a":1,"b":2}`, `{"a":3,"b":4}`}, ""},
		{"bom", "\ufeffa,b\n1,2\n", Options{}, []string{`{"a":1,"b":2}`}, ""},
		{"empty lines", "a,b\n\n1,2\n\r\n\n3,4\n\n", Options{}, []string{`{"a":1,"b":2}`, `{"a":3,"b":4}`}, ""},
		{"nothing", "", Options{}, nil, ""},
		{"only a header", "a,b\n", Options{}, nil, ""},
		{"null", "a,b,c\n1,,\"\"\n,x,y\n", Options{}, []string{`{"a":1,"b":null,"c":""}`, `{"a":null,"b":"x","c":"y"}`}, ""},
		{"null text", "a,b\n1,NA\nNA,\"NA\"\n", Options{Null: "NA"}, []string{`{"a":1,"b":null}`, `{"a":null,"b":"NA"}`}, ""},
		{"zeros in front", "zip,n\n00123,-0\n12345,10\n", Options{}, []string{`{"zip":"00123","n":-0}`, `{"zip":"12345","n":10}`}, ""},
		{"large and odd numbers", "a,b,c\n9223372036854775808,1e999,+1\n", Options{Header: WithHeader}, []string{`{"a":"9223372036854775808","b":"1e999","c":"+1"}`}, ""},
		{"given type", "a,b\n1,2\n", Options{Types: map[string]Type{"a": Text, "b": Double}}, []string{`{"a":"1","b":2}`}, ""},
		{"time", "at\n2024-05-01 10:00:00.5+02\n", Options{Types: map[string]Type{"at": Timestamp}}, []string{`{"at":"2024-05-01T08:00:00.500000000Z"}`}, ""},
		{"given type that does not fit", "a,b\n1,2\nx,3\n", Options{Types: map[string]Type{"a": Bigint}}, []string{`{"a":1,"b":2}`}, `line 3: column "a": "x" is no BIGINT`},
		{"type of no column", "a,b\n1,2\n", Options{Types: map[string]Type{"c": Bigint}}, nil, `there is no column "c"`},
		{"names", "1,2\n", Options{Columns: []string{"x", "y"}}, []string{`{"x":1,"y":2}`}, ""},
		{"names for a header", "a,b\n1,2\n", Options{Columns: []string{"x", "y"}}, []string{`{"x":1,"y":2}`}, ""},
		{"too few names", "a,b\n1,2\n", Options{Columns: []string{"x"}}, nil, "line 1: 2 columns, but 1 names"},
		{"equal names", "a,a\n1,2\n", Options{Header: WithHeader}, nil, `line 1: two columns are called "a"`},
		{"no name", "a,\n1,2\n", Options{Header: WithHeader}, []string{`{"a":1,"column2":2}`}, ""},
		{"short row", "a,b\n1,2\n3\n", Options{}, []string{`{"a":1,"b":2}`}, "line 3: 1 fields instead of 2"},
		{"short row, ragged", "a,b\n1,2\n3\n", Options{Ragged: true}, []string{`{"a":1,"b":2}`, `{"a":3,"b":null}`}, ""},
		{"long row", "a,b\n1,2,3\n", Options{Ragged: true}, nil, "line 2: 3 fields instead of 2"},
		{"open quote", "a,b\n1,2\n\"x\n\ny", Options{Header: WithHeader}, []string{`{"a":1,"b":2}`}, "line 3: a quote is not closed"},
		{"text behind quote", "a,b\n\"x\"y,2\n", Options{Delimiter: ','}, nil, "line 2: something stands behind a closing quote"},
		{"no UTF-8", "a,b\n1,2\n\"x\n\xff\",3\n", Options{}, []string{`{"a":"1","b":2}`}, "line 4: byte 0xff is not UTF-8"},
		{"line numbers", "a,b\n\"x\ny\nz\",2\n3\n", Options{}, []string{`{"a":"x\ny\nz","b":2}`}, "line 5: 1 fields instead of 2"},
		{"delimiter is quote", "a\n", Options{Delimiter: '"'}, nil, "cannot be delimiter"},
		{"long field", "a,b\n1," + strings.Repeat("x", 600<<10) + "\n", Options{MaxRow: 500 << 10}, nil, "line 2: a row longer than 512000 bytes"},
		{"long open quote", "a,b\n1,\"" + strings.Repeat("x\n", 600<<10) + "\n", Options{MaxRow: 500 << 10}, nil, "line 2: a row longer than 512000 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for how, r := range map[string]io.Reader{
				"at once": strings.NewReader(c.text), "by byte": iotest.OneByteReader(strings.NewReader(c.text)), "error with data": iotest.DataErrReader(strings.NewReader(c.text)),
			} {
				rows, err := read(r, c.o)
				if d := cmp.Diff(c.want, rows); d != "" {
					t.Errorf("%s: %s", how, d)
				}
				switch {
				case c.err == "" && err != nil, c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
					t.Errorf("%s: error %v, want %q", how, err, c.err)
				}
			}
		})
	}
}

// TestTypeOfSample asserts that a value that does not fit the type that was found stays text.
func TestTypeOfSample(t *testing.T) {
	var b strings.Builder
	b.WriteString("n,s\n")
	for i := range sampleRows + 10 {
		fmt.Fprintf(&b, "%d,x\n", i)
	}
	b.WriteString("none,y\n")
	c := NewReader(strings.NewReader(b.String()), Options{})
	cols, err := c.Columns()
	if err != nil || cmp.Diff(cols, []Column{{"n", Bigint}, {"s", Text}}) != "" {
		t.Fatal(cols, err)
	}
	rows, err := read(strings.NewReader(b.String()), Options{})
	if err != nil || rows[len(rows)-1] != `{"n":"none","s":"y"}` {
		t.Error(rows[len(rows)-1], err)
	}
}

// TestReadError asserts that a failing source is not taken for its end.
func TestReadError(t *testing.T) {
	broken := errors.New("broken")
	for _, n := range []int{0, 3, 5, 300 << 10} {
		text := "a,b\n1,2\n3,4\n" + strings.Repeat("5,6\n", 100<<10)
		_, err := read(io.MultiReader(strings.NewReader(text[:n]), iotest.ErrReader(broken)), Options{})
		if !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

// TestAgainstStandard writes random tables with encoding/csv and compares.
func TestAgainstStandard(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	pieces := []string{"a", "é", ",", ";", "\"", "\n", "\r\n", " ", "1", "0", "-", ".", "true", "\t", "|", "'"}
	for round := range 500 {
		n, delimiter := 1+rng.IntN(4), []rune(",;\t|")[rng.IntN(4)]
		var want [][]string
		var text strings.Builder
		w := csv.NewWriter(&text)
		w.Comma, w.UseCRLF = delimiter, rng.IntN(2) == 0
		for range 1 + rng.IntN(30) {
			row := make([]string, n)
			for i := range row {
				for range rng.IntN(5) {
					row[i] += pieces[rng.IntN(len(pieces))]
				}
			}
			if n == 1 && row[0] == "" {
				row[0] = "x"
			}
			if err := w.Write(row); err != nil {
				t.Fatal(err)
			}
			want = append(want, row)
		}
		w.Flush()
		names, types := []string{"a", "b", "c", "d"}[:n], map[string]Type{}
		for _, name := range names {
			types[name] = Text
		}
		rows, err := read(iotest.HalfReader(strings.NewReader(text.String())), Options{Header: NoHeader, Delimiter: byte(delimiter), Quote: '"', Columns: names, Types: types})
		if err != nil {
			t.Fatalf("round %d: %v\n%q", round, err, text.String())
		}
		var got [][]string
		for _, r := range rows {
			var m map[string]*string
			if err := json.Unmarshal([]byte(r), &m); err != nil {
				t.Fatal(err)
			}
			row := make([]string, n)
			for i, name := range names {
				if m[name] != nil {
					row[i] = *m[name]
				}
			}
			got = append(got, row)
		}
		for _, row := range want {
			for i := range row {
				if w.UseCRLF { // encoding/csv writes each line end so
					row[i] = strings.ReplaceAll(strings.ReplaceAll(row[i], "\r\n", "\n"), "\n", "\r\n")
				}
			}
		}
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Fatalf("round %d: %q\n%s", round, text.String(), cmp.Diff(want, got))
		}
	}
}

// FuzzRead asserts that whatever is found, rows are JSON objects with the same members.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "'a';'b'\n", "\"", "\ufeffx\n\"\"\"", "a|b\r\n1|2", "1\t2\n3\t\n", "a,a\n", "\xff"} {
		f.Add(s, uint8(0))
	}
	f.Fuzz(func(t *testing.T, text string, header uint8) {
		o := Options{Header: Header(header % 3), MaxRow: 1 << 10, Ragged: header&4 != 0}
		rows, err := read(strings.NewReader(text), o)
		slow, slowErr := read(iotest.OneByteReader(strings.NewReader(text)), o)
		if !slices.Equal(rows, slow) || (err == nil) != (slowErr == nil) {
			t.Fatalf("%q: %v %v, byte by byte %v %v", text, rows, err, slow, slowErr)
		}
		for _, r := range rows {
			var m map[string]any
			if err := json.Unmarshal([]byte(r), &m); err != nil {
				t.Fatalf("%q: %q: %v", text, r, err)
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	var s strings.Builder
	s.WriteString("id,name,price,at,note\n")
	for i := range 20_000 {
		fmt.Fprintf(&s, "%d,customer %d,%d.25,2024-05-01T10:00:00Z,\"some, quoted \"\"text\"\"\"\n", i, i%100, i%50)
	}
	text := s.String()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r := NewReader(strings.NewReader(text), Options{})
		var dst []byte
		var err error
		for err == nil {
			dst, err = r.Next(dst[:0])
		}
		if !errors.Is(err, io.EOF) {
			b.Fatal(err)
		}
	}
}
