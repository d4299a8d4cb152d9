package logscan

import (
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex"
)

// TestIndexKeys pins the keys that indexes store: other bytes are another IndexVersion.
func TestIndexKeys(t *testing.T) {
	for _, c := range []struct{ payload, key string }{
		{`{"p":{"v":false}}`, "01"},
		{`{"p":{"v":true}}`, "02"},
		{`{"p":{"v":1}}`, "12bff00000000000000000"},
		{`{"p":{"v":1.0}}`, "12bff00000000000000000"},
		{`{"p":{"v":-0.0}}`, "1280000000000000000000"},
		{`{"p":{"v":9007199254740993}}`, "12c3400000000000000001"},
		{`{"p":{"v":9223372036854775808}}`, "130000001339323233333732303336383534373735383038"},
		{`{"p":{"v":9.223372036854775808e18}}`, "130000001339323233333732303336383534373735383038"},
		{`{"p":{"v":-9223372036854775809}}`, "11ffffffecc6cdcdccccc8cdcfccc9c7cacbc8c8cac7cfc6"},
		{`{"p":{"v":"a\u0000b"}}`, "206100ff620001"},
		{`{"p":{"v":""}}`, "200001"},
		{`{"p":{"v":null}}`, ""},
		{`{"p":{"v":[1]}}`, ""},
		{`{"p":{"v":{}}}`, ""},
		{`{"p":1}`, ""},
		{`{"p":{"v":1`, ""},
		{`[{"p":{"v":1}}]`, ""},
		{`{"p":{"v":"` + strings.Repeat("x", 300) + `"}}`, "20" + strings.Repeat("78", 255)},
		{`{"p":{"v":"` + strings.Repeat(`\u0000`, 300) + `"}}`, "20" + strings.Repeat("00ff", 127) + "00"},
	} {
		got := hex.EncodeToString(NewIndexer([]string{"p", "v"}).Key(nil, &redex.Event{Encoding: redex.JSON, Payload: []byte(c.payload)}))
		if got != c.key {
			t.Errorf("%.60s: %s, not %s", c.payload, got, c.key)
		}
	}
	if got := hex.EncodeToString(IndexEntry(nil, 258)); got != "0000000000000102" {
		t.Errorf("an entry: %s", got)
	}
	text, err := os.ReadFile("../../docs/format/schema.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		fmt.Sprintf("| version of index keys | %d |", IndexVersion), fmt.Sprintf("| bytes of an index key | %d |", maxIndexKey),
		fmt.Sprintf("an array of texts, 1 to %d |", MaxLevels),
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("docs/format/schema.md does not say %q", want)
		}
	}
}

// TestIndexKeysOfValues holds the keys that are looked up against those that are stored.
func TestIndexKeysOfValues(t *testing.T) {
	texts := []string{"", "a", "ab", "\x00", "a\x00", strings.Repeat("é", 200), strings.Repeat("\x00", 200), strings.Repeat("x", 256), strings.Repeat("x", 257)}
	big, _ := query.ParseInteger("123456789012345678901234567890")
	values := []query.Value{
		query.Bool(true), query.Int(0), query.Int(math.MinInt64), query.Int(math.MaxInt64), query.Double(1e300), query.Double(0.1), big,
	}
	for _, s := range texts {
		values = append(values, query.Text(s))
	}
	x := NewIndexer([]string{"v"})
	for _, v := range values {
		literal := v.String()
		if v.Kind() == query.KindText {
			literal = fmt.Sprintf("%q", v.Text())
			literal = strings.ReplaceAll(literal, `\x00`, `\u0000`)
		}
		stored := x.Key(nil, &redex.Event{Encoding: redex.JSON, Payload: []byte(`{"v":` + literal + `}`)})
		if got := keyOfValue(v); len(got) == 0 || !slices.Equal(got, stored) {
			t.Errorf("%.40v: stored as %x, looked up as %x", v, stored, got)
		}
		for _, p := range texts {
			if v.Kind() == query.KindText && strings.HasPrefix(v.Text(), p) && !strings.HasPrefix(string(stored), string(prefixKey(p))) {
				t.Errorf("%.40q, which begins with %.40q, is stored as %x, and looked up as %x", v.Text(), p, stored, prefixKey(p))
			}
		}
	}
	for _, v := range []query.Value{query.Null(), query.Date(1)} {
		if keyOfValue(v) != nil {
			t.Errorf("%v has a key", v)
		}
	}
}
