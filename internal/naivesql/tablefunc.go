package naivesql

import (
	"math"
	"math/big"
	"sort"
	"strings"

	"github.com/seed69692123/netdb/query"
)

// windows answers tumble, hop and session over numbers: the rows of a table with the bounds of the windows they are in.
func (r *runner) windows(ref *query.TableFunc) (*result, error) {
	call := ref.Call
	name := strings.ToLower(call.Name[0].Name)
	first, ok := call.Args[0].(*query.Name)
	if !ok {
		return nil, unknown(ref)
	}
	in, err := r.table(&query.TableName{Parts: first.Parts, Alias: ref.Alias}, nil)
	if err != nil {
		return nil, err
	}
	s := &scope{cols: in.cols}
	x, err := s.compile(call.Args[1])
	if err != nil {
		return nil, err
	}
	var sizes []int64
	rest := call.Args[2:]
	for len(rest) > 0 {
		lit, ok := rest[0].(*query.Literal)
		if !ok {
			break
		}
		sizes, rest = append(sizes, lit.Value.Int()), rest[1:]
	}
	table := in.cols[0].table
	out := &result{
		cols:    append(append([]column(nil), in.cols...), column{table, "window_start", bigint}, column{table, "window_end", bigint}),
		ordered: true,
	}
	add := func(row []value, start, end *big.Int) {
		if start.IsInt64() && end.IsInt64() {
			out.rows = append(out.rows, append(append([]value(nil), row...), start.Int64(), end.Int64()))
		}
	}
	if name == "session" {
		keys, err := s.compileAll(rest)
		if err != nil {
			return nil, err
		}
		return out, sessions(in.rows, x, keys, big.NewInt(sizes[0]), add)
	}
	slide, size, origin := sizes[0], sizes[0], int64(0)
	if name == "hop" {
		size, sizes = sizes[1], sizes[1:]
	}
	if len(sizes) > 1 {
		origin = sizes[1]
	}
	for _, row := range in.rows {
		v, err := x.eval(row)
		if err != nil {
			return nil, unknown("a time that fails")
		}
		at := floorOf(v)
		if at == nil {
			continue
		}
		// The first start whose window ends behind it, then all up to it.
		start := new(big.Int).Sub(at, big.NewInt(size))
		start.Sub(start, big.NewInt(origin))
		start.Div(start, big.NewInt(slide)).Add(start, big.NewInt(1)).Mul(start, big.NewInt(slide)).Add(start, big.NewInt(origin))
		for ; start.Cmp(at) <= 0; start = new(big.Int).Add(start, big.NewInt(slide)) {
			add(row, start, new(big.Int).Add(start, big.NewInt(size)))
		}
	}
	return out, nil
}

// floorOf returns the integer that a number is not below, nil of what is none of BIGINT or DOUBLE or lies beyond int64.
func floorOf(v value) *big.Int {
	switch v := v.(type) {
	case int64:
		return big.NewInt(v)
	case float64:
		if f := math.Floor(v); f >= -1<<63 && f < 1<<63 {
			return big.NewInt(int64(f))
		}
	}
	return nil
}

// sessions sorts by keys and time and looks at each row's predecessor.
func sessions(rows [][]value, x *node, keys []*node, gap *big.Int, add func(row []value, start, end *big.Int)) error {
	type event struct {
		row  []value
		keys []value
		at   *big.Int
	}
	var events []event
	for _, row := range rows {
		v, err := x.eval(row)
		if err != nil {
			return unknown("a time that fails")
		}
		k, err := keysOf(keys, row)
		if err != nil {
			return unknown("a key that fails")
		}
		at := floorOf(v)
		if f, ok := v.(float64); ok && f != math.Floor(f) {
			at = nil // sessions have no place between integers
		}
		if at != nil && new(big.Int).Add(at, gap).IsInt64() {
			events = append(events, event{row, k, at})
		}
	}
	order := &order{terms: make([]*query.Order, len(keys))}
	for i := range order.terms {
		order.terms[i] = &query.Order{}
	}
	sort.SliceStable(events, func(i, j int) bool {
		if c := order.compare(events[i].keys, events[j].keys); c != 0 {
			return c < 0
		}
		return events[i].at.Cmp(events[j].at) < 0
	})
	for i := 0; i < len(events); {
		j := i + 1
		for j < len(events) && order.compare(events[i].keys, events[j].keys) == 0 &&
			new(big.Int).Sub(events[j].at, events[j-1].at).Cmp(gap) < 0 {
			j++
		}
		for _, e := range events[i:j] {
			add(e.row, events[i].at, new(big.Int).Add(events[j-1].at, gap))
		}
		i = j
	}
	return nil
}
