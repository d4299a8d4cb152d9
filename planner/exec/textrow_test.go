package exec

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// evalCall evaluates a function of constants.
func evalCall(t *testing.T, name string, args ...query.Value) string {
	t.Helper()
	f := FindFunction(name)
	c := &Call{Fn: f}
	var types []vector.Type
	for i, a := range args {
		x := NewNarrow(&Const{Value: a, T: vector.Any}, f.Param(i).Type())
		if f.Param(i).Type() == vector.Any {
			c.Args = append(c.Args, &Const{Value: a, T: vector.Any})
			types = append(types, vector.Any)
			continue
		}
		c.Args = append(c.Args, x)
		types = append(types, x.Type())
	}
	var ok bool
	if c.T, ok = f.Result(types); !ok {
		t.Fatalf("%s has no result", name)
	}
	v, err := EvalConst(t.Context(), c, Env{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v.String()
}

// TestLongTexts compares the functions on texts that they work on in parts with the same done at once. Characters of two to
// four bytes lie over the ends of parts.
func TestLongTexts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 6 {
		var b strings.Builder
		for b.Len() < 3*stepBytes+r.IntN(stepBytes) {
			b.WriteString([]string{"a", "B", "é", "Ⱥ", "漢", "😀", ",", "\n", `"`, "\x01", " ", "xyz"}[r.IntN(12)])
		}
		s := b.String()
		pad := strings.Repeat([]string{" ", "é "}[round%2], stepBytes+round)
		padded := pad + s + pad
		cut := []string{" ", " é"}[round%2]
		runes := []rune(s)
		text, n := query.Text, query.Int
		part := string(runes[len(runes)/2 : len(runes)/2+9])
		parts := strings.Split(s, ",")
		quoted, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		reversed := make([]rune, len(runes))
		for i, c := range runes {
			reversed[len(runes)-1-i] = c
		}
		for _, tt := range []struct {
			what, got, want string
		}{
			{"lower", evalCall(t, "lower", text(s)), strings.ToLower(s)},
			{"upper", evalCall(t, "upper", text(s)), strings.ToUpper(s)},
			{"length", evalCall(t, "length", text(s)), fmt.Sprint(len(runes))},
			{"reverse", evalCall(t, "reverse", text(s)), string(reversed)},
			{"trim", evalCall(t, "trim", text(padded), text(cut)), strings.Trim(padded, cut)},
			{"ltrim", evalCall(t, "ltrim", text(padded), text(cut)), strings.TrimLeft(padded, cut)},
			{"rtrim", evalCall(t, "rtrim", text(padded), text(cut)), strings.TrimRight(padded, cut)},
			{"replace", evalCall(t, "replace", text(s), text("é"), text("long")), strings.ReplaceAll(s, "é", "long")},
			{"replace by less", evalCall(t, "replace", text(s), text("xyz"), text("")), strings.ReplaceAll(s, "xyz", "")},
			{"left", evalCall(t, "left", text(s), n(-5)), string(runes[:len(runes)-5])},
			{"right", evalCall(t, "right", text(s), n(300_000)), string(runes[len(runes)-min(300_000, len(runes)):])},
			{"substr", evalCall(t, "substr", text(s), n(200_000), n(150_000)), string(runes[199_999:min(349_999, len(runes))])},
			{"strpos", evalCall(t, "strpos", text(s), text(part)), fmt.Sprint(utf8.RuneCountInString(s[:strings.Index(s, part)]) + 1)},
			{"contains", evalCall(t, "contains", text(s), text(part)), "true"},
			{"contains not", evalCall(t, "contains", text(s), text(part+"\x02")), "false"},
			{"split_part", evalCall(t, "split_part", text(s), text(","), n(int64(len(parts)/2))), parts[len(parts)/2-1]},
			{"split_part from the end", evalCall(t, "split_part", text(s), text(","), n(-3)), parts[len(parts)-3]},
			{"repeat", evalCall(t, "repeat", text("ab漢"), n(150_001)), strings.Repeat("ab漢", 150_001)},
			{"repeat long", evalCall(t, "repeat", text(s), n(3)), strings.Repeat(s, 3)},
			{"concat", evalCall(t, "concat", text(s), n(7), query.Blob([]byte(s)), query.Null()), s + "7" + `\x` + hex.EncodeToString([]byte(s))},
			{"to_json", canonical(t, evalCall(t, "to_json", text(s))), canonical(t, string(quoted))},
		} {
			if tt.got != tt.want {
				t.Errorf("round %d, %s: %d bytes, not %d, or others", round, tt.what, len(tt.got), len(tt.want))
			}
		}
		for _, pattern := range []string{"%" + part + "%", "%" + string(runes[len(runes)-40:]), string(runes[:30]) + "%_" + string(runes[len(runes)-3:]), "%" + strings.Replace(part, string([]rune(part)[4]), "_", 1) + "%"} {
			for _, fold := range []bool{false, true} {
				like := &Like{X: &Const{Value: text(s), T: vector.Text}, Pattern: &Const{Value: text(pattern), T: vector.Text}, Fold: fold}
				if v, err := EvalConst(t.Context(), like, Env{}); err != nil || !v.Bool() {
					t.Errorf("round %d: LIKE %q (fold %v): %v, %v", round, pattern, fold, v, err)
				}
			}
		}
		for _, c := range []struct{ from, to vector.Type }{{vector.Blob, vector.Text}, {vector.Text, vector.Blob}} {
			in := query.Blob([]byte(s))
			if c.from == vector.Text {
				in = query.Text(`\x` + hex.EncodeToString([]byte(s)))
			}
			v, err := EvalConst(t.Context(), &Cast{X: &Const{Value: in, T: c.from}, To: c.to}, Env{})
			want := hex.EncodeToString([]byte(s))
			if err != nil || v.String() != `\x`+want {
				t.Errorf("round %d: cast of %v: %v", round, c.from, err)
			}
		}
		v, err := EvalConst(t.Context(), &Cast{X: &Const{Value: query.Text(" " + string(quoted) + " "), T: vector.Text}, To: vector.JSON}, Env{})
		if err != nil || canonical(t, v.Text()) != canonical(t, string(quoted)) {
			t.Errorf("round %d: cast to JSON: %v", round, err)
		}
	}
}

// canonical returns the text that a JSON string stands for.
func canonical(t *testing.T, s string) string {
	t.Helper()
	var out string
	if err := json.Unmarshal([]byte(s), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestPagedGrows grows lists step by step and at once: elements keep their place and their value, new ones are zero.
func TestPagedGrows(t *testing.T) {
	for _, step := range []int{1, 7, 3000, 3 * pageSize} {
		var p paged[int64]
		var addresses []*int64
		for n := step; n <= 3*pageSize; n += step {
			p.grow(n)
			for i := n - step; i < n; i++ {
				if *p.at(i) != 0 {
					t.Fatalf("step %d: element %d is not zero", step, i)
				}
				*p.at(i) = int64(i)
				if i >= pageSize {
					addresses = append(addresses, p.at(i))
				}
			}
		}
		for i := range p.n {
			if *p.at(i) != int64(i) {
				t.Fatalf("step %d: element %d is %d", step, i, *p.at(i))
			}
		}
		for i, a := range addresses {
			if a != p.at(pageSize+i) {
				t.Fatalf("step %d: element %d was moved", step, pageSize+i)
			}
		}
		if held := p.bytes(); held < int64(p.n)*8 || held > int64(p.n+pageSize)*8+1000 {
			t.Errorf("step %d: %d bytes for %d elements", step, held, p.n)
		}
	}
}

// TestMergeOfManyRuns merges runs of many lengths, also empty ends.
func TestMergeOfManyRuns(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for count := range 12 {
		s := &Sort{Env: &Env{}}
		s.s = newEvalState(s.Env)
		s.s.begin(t.Context())
		s.gate = &storeGate{s.s, &s.acct}
		var want []uint64
		loc := vector.Loc(0)
		for range count {
			var run []keyRef
			for range 1 + r.IntN(20) {
				loc++
				key := shortKey(uint64(r.IntN(30)))
				ref := keyRef{loc: loc}
				ref.setPrefix(key)
				at, err := s.keys.add(key, s.gate)
				if err != nil {
					t.Fatal(err)
				}
				ref.at = at
				run = append(run, ref)
				want = append(want, ref.p0<<32|uint64(loc))
			}
			s.refs = run
			if err := s.sortRun(); err != nil {
				t.Fatal(err)
			}
		}
		s.merge.start(s)
		var got []uint64
		for ref := s.merge.next(); ref != nil; ref = s.merge.next() {
			got = append(got, ref.p0<<32|uint64(ref.loc))
		}
		if len(got) != len(want) {
			t.Fatalf("%d runs: %d rows, want %d", count, len(got), len(want))
		}
		for i := 1; i < len(got); i++ {
			if got[i-1] >= got[i] {
				t.Errorf("%d runs: row %d out of order", count, i)
			}
		}
	}
}

func shortKey(x uint64) []byte {
	return bytes.Join([][]byte{{0, 0, 0, 0, 0, 0, 0, byte(x)}, {1}}, nil)
}
