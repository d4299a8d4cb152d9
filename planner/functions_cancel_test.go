package planner

import "testing"

// TestFunctionsLookInside runs functions on one large value: they look at the context, and end when it is cancelled.
func TestFunctionsLookInside(t *testing.T) {
	const size = 1 << 20 / fewer
	small, large := valuesTable(64), valuesTable(size)
	for _, x := range moreFunctions() {
		t.Run(x, func(t *testing.T) { looks(t, small, large, "SELECT "+x+" AS x FROM t", size) })
	}
}

// moreFunctions are calls that work through a large value: s and b are one, a and o JSON of that size, list is text of an array.
func moreFunctions() []string {
	return []string{
		"bit_length(upper(s))", "concat_ws(',', s, s)", "hamming(s, s)", "initcap(s)", "levenshtein(s, 'abc')", "lpad(s, n + 5, 'xy')", "rpad('', n, 'xy')",
		"string_split(s, 'é')", "string_split(s, '')", "translate(s, 'aé', 'b')", "encode(s)", "decode(encode(s))", "hex(s)", "unhex(hex(s))", "md5(s)", "sha1(b)", "sha256(s)",
		"to_base64(b)", "from_base64(to_base64(b))", "url_encode(s)", "url_decode(url_encode(s))",
		"regexp_matches(s, 'n+o')", "regexp_full_match(s, '.*no')", "regexp_extract(s, 'no(x*)y')", "regexp_extract_all(s, 'é')", "regexp_replace(s, 'é+', 'e', 'g')",
		"regexp_replace(s, 'z$', 'e')", "regexp_split_to_array(s, ',')", "regexp_escape(s)",
		"hash(s)", "hash(a)", "json_valid(list)", "json(list)", "json_array(s)", "json_object('k', s)", "json_keys(json_object(s, 1))", "json_contains(a, a2)", "json_exists(o, '$.nosuch')",
		"json_extract(o, '$.b')", "json_extract_string(o, 'b')", "json_merge_patch(o, o)", "array_to_string(a, '-')", "list_append(a, 1)", "list_concat(a, a)", "list_contains(a, 'no')",
		"list_distinct(a)", "list_extract(a, -1)", "list_position(a, 'no')", "list_prepend(1, a)", "list_reverse(a)", "list_slice(a, -3, -1)", "list_sort(a)",
	}
}
