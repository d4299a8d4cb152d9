package logscan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/redex"
)

func paths(c planner.Catalogue) string {
	var all []string
	for _, f := range c.Fields {
		all = append(all, planner.PathText(f.Path)+" "+f.Type.String())
	}
	return strings.Join(all, ", ")
}

func TestFieldCatalogue(t *testing.T) {
	s := openStore(t)
	c := New(s)
	l := createLog(t, s, "x")
	if got, err := source(t, c, s, l).Fields(t.Context(), true); err != nil || !got.Open || len(got.Fields) != 0 {
		t.Errorf("an empty log: %+v %v", got, err)
	}
	appendAll(t, l, jsonEntry(`{"b":1,"o":{"y":"t","x":{}},"b":"dup"}`), jsonEntry(`{"a":null,"b":2.5}`), jsonEntry(`{"bad":1,`), jsonEntry(`[{"no":1}]`))
	src := source(t, c, s, l)
	got, err := src.Fields(t.Context(), false)
	if err != nil || len(got.Fields) != 0 || got.Open {
		t.Errorf("before a walk: %+v %v", got, err)
	}
	want := "b DOUBLE, o JSON, o.y TEXT, o.x JSON, a ANY"
	if got, err = src.Fields(t.Context(), true); err != nil || paths(got) != want || got.Open {
		t.Errorf("%s %v, want %s", paths(got), err, want)
	}
	appendAll(
		t, l, jsonEntry(`{"a":true,"o":[],"i":1}`), jsonEntry(`{"i":9223372036854775808,"m":"x"}`), jsonEntry(`{"m":1}`),
		packEntry(t, map[string]any{"w": []byte("x")}),
	)
	want = "b DOUBLE, o JSON, o.y TEXT, o.x JSON, a BOOLEAN, i ANY, m ANY, w BLOB"
	if got, err = source(t, c, s, l).Fields(t.Context(), true); err != nil || paths(got) != want {
		t.Errorf("%s %v, want %s", paths(got), err, want)
	}
	// Another instance reads what was saved and goes on.
	if err := c.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	c2 := New(s)
	src = source(t, c2, s, l)
	if got, err = src.Fields(t.Context(), false); err != nil || paths(got) != want {
		t.Errorf("read back: %s %v, want %s", paths(got), err, want)
	}
	f := c2.loaded[l.ID()]
	if f.position() != 8 || f.malformed != 1 || f.noObject != 1 {
		t.Errorf("read back: position %d, %d malformed, %d no object", f.position(), f.malformed, f.noObject)
	}
	wantRows(t, "read back", scan(t, src, planner.Request{Outputs: outputs("bad", "no", "i")})[:5], []string{"- - -", "- - -", "- - -", "- - -", "- - integer:1"})
	appendAll(t, l, jsonEntry(`{"new":{"x":1}}`))
	if got, err = source(t, c2, s, l).Fields(t.Context(), true); err != nil || paths(got) != want+", new JSON, new.x BIGINT" {
		t.Errorf("gone on: %s %v", paths(got), err)
	}
	if err := c2.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err = source(t, New(s), s, l).Fields(t.Context(), false); err != nil || paths(got) != want+", new JSON, new.x BIGINT" {
		t.Errorf("saved twice: %s %v", paths(got), err)
	}
	if err := c2.Forget(t.Context(), l.ID()); err != nil {
		t.Fatal(err)
	}
	if got, err = source(t, New(s), s, l).Fields(t.Context(), false); err != nil || len(got.Fields) != 0 {
		t.Errorf("forgotten: %s %v", paths(got), err)
	}
}

func TestCatalogueLimits(t *testing.T) {
	s := openStore(t)
	deep := strings.Repeat(`{"d":`, MaxLevels) + "1" + strings.Repeat("}", MaxLevels)
	deeper := strings.Repeat(`{"d":`, MaxLevels+1) + "1" + strings.Repeat("}", MaxLevels+1)
	wide := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"f%d":1`, i)
		}
		return "{" + b.String()[1:] + "}"
	}
	for _, x := range []struct {
		name, payload string
		paths         int
		open          bool
	}{
		{"deep", deep, MaxLevels, false},
		{"deeper", deeper, MaxLevels, true},
		{"wide", wide(MaxPaths), MaxPaths, false},
		{"wider", wide(MaxPaths + 1), MaxPaths, true},
		{"long", `{"` + strings.Repeat("n", MaxNameBytes) + `":1}`, 1, false},
		{"longer", `{"` + strings.Repeat("n", MaxNameBytes+1) + `":1}`, 0, true},
	} {
		c := New(s)
		l := createLog(t, s, x.name, jsonEntry(x.payload))
		for _, when := range []string{"walked", "read back"} {
			got, err := source(t, c, s, l).Fields(t.Context(), true)
			if err != nil || len(got.Fields) != x.paths || got.Open != x.open {
				t.Errorf("%s, %s: %d paths, open %v, %v", x.name, when, len(got.Fields), got.Open, err)
			}
			if err := c.Save(t.Context()); err != nil {
				t.Fatal(err)
			}
			c = New(s)
		}
	}
}

// FuzzCatalogue reads bytes as saved parts: no panic, and what is read is written the same.
func FuzzCatalogue(f *testing.F) {
	fl := newFields(1)
	fl.take(&redex.Event{Encoding: redex.JSON, Payload: []byte(`{"a":{"b":1},"c":"x"}`)}, nil)
	fl.take(&redex.Event{Seq: 1, Encoding: redex.JSON, Payload: []byte(`{`)}, nil)
	f.Add(fl.appendHead(nil), fl.nodes[1].append(nil), fl.bad[0].append(nil))
	full := badRows{}
	for i := range full.bits {
		full.bits[i] = 1 << 63 * uint64(i%2)
		full.count++
	}
	f.Add([]byte{1, 1, 5, 0, 0, 0}, []byte{0, 1}, full.append(nil))
	full.count = 1 << 16
	f.Add([]byte{2}, []byte{9, 1, 'x'}, full.append(nil))
	f.Fuzz(func(t *testing.T, head, n, bad []byte) {
		got := newFields(1)
		if _, err := got.readHead(head); err == nil {
			again := newFields(1)
			if _, err := again.readHead(got.appendHead(nil)); err != nil {
				t.Fatalf("head %x is not read back: %v", head, err)
			}
		}
		if got.readNode(n) == nil {
			again := newFields(1)
			if err := again.readNode(got.nodes[1].append(nil)); err != nil || again.nodes[1].name != got.nodes[1].name {
				t.Fatalf("node %x is not read back: %v", n, err)
			}
		}
		var rows, again badRows
		if rows.read(bad) == nil {
			if err := again.read(rows.append(nil)); err != nil || again != rows {
				t.Fatalf("rows %x are not read back: %v", bad, err)
			}
		}
	})
}
