package logscan

import (
	"bytes"
	"errors"
	"math"

	"github.com/seed69692123/netdb/internal/num"
	"github.com/seed69692123/netdb/internal/payload"
	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex"
	"github.com/seed69692123/netdb/redex/sealed"
)

// span is the sequences [from, to).
type span struct{ from, to redex.Seq }

// addSpan appends a span, or makes the last one longer.
func addSpan(spans []span, from, to redex.Seq) []span {
	if from >= to {
		return spans
	}
	if n := len(spans); n > 0 && spans[n-1].to == from {
		spans[n-1].to = to
		return spans
	}
	return append(spans, span{from, to})
}

func rowsOf(spans []span) (n int64) {
	for _, s := range spans {
		n += int64(s.to - s.from)
	}
	return n
}

// condition is a hint on a column of chunks.
type condition struct {
	name  sealed.ColumnName
	op    vector.CompareOp
	value query.Value
	text  []byte
}

// conditionsOf returns the hints that statistics can say something about.
func conditionsOf(r *planner.Request) (out []condition) {
	for _, h := range r.Where {
		o := r.Outputs[h.Output]
		c := condition{op: h.Op, value: h.Value}
		switch {
		case o.Column < 0 && len(o.Path) > 0:
			c.name = sealed.ColumnName{Path: o.Path}
		case o.Column >= 0 && ownColumns[o.Column] != nil && o.Column != colSeq:
			c.name = *ownColumns[o.Column]
		default:
			continue
		}
		switch h.Value.Kind() {
		case query.KindBool, query.KindInt, query.KindDouble, query.KindTime:
		case query.KindText:
			c.text = []byte(h.Value.Text())
		default:
			continue
		}
		out = append(out, c)
	}
	return out
}

// spans returns the parts of [from, to) that have all the rows which satisfy the hints, as far as statistics tell, and counts the chunks.
func (s *Source) spans(r *planner.Request, from, to redex.Seq) (spans []span, st planner.ScanStats, err error) {
	where := conditionsOf(r)
	if len(where) == 0 || from >= to {
		return addSpan(nil, from, to), st, nil
	}
	cols := s.catalogues.columns
	sealedTo := cols.files.SealedTo(s.log)
	for at := from; at < to; {
		k, end, err := cols.known(s, at, sealedTo)
		end = min(end, to)
		if err != nil {
			return nil, st, err
		}
		if k == nil || k.ColumnChunk == nil {
			spans = addSpan(spans, at, end)
		} else {
			found, failed := k.spans(cols, where, at, end)
			st.Chunks++
			if len(found) == 0 && failed == nil {
				st.ChunksPruned++
			}
			if errors.Is(failed, sealed.ErrCorrupt) {
				cols.discard(s, k)
				found, failed = addSpan(nil, at, end), nil
			}
			for _, f := range found {
				spans = addSpan(spans, f.from, f.to)
			}
			err = failed
		}
		if k != nil {
			cols.release(k)
		}
		if err != nil {
			return nil, st, err
		}
		at = end
	}
	return spans, st, nil
}

// spans returns the parts of [from, to), which the chunk covers, that may have rows which satisfy the conditions.
func (k *chunk) spans(cols *columns, where []condition, from, to redex.Seq) (spans []span, err error) {
	blocks := (k.Info().Rows + sealed.ColumnBlockRows - 1) / sealed.ColumnBlockRows
	var zones []*condition
	for i := range where {
		c := &where[i]
		col := k.Column(c.name)
		if col == nil {
			if k.Info().MoreFields && !c.name.Own {
				continue
			}
			return nil, nil // NULL in all rows
		}
		if col.Stats().InRows {
			continue
		}
		may, err := c.mayHold(cols, k, col)
		if err != nil {
			return nil, err
		}
		if !may {
			return nil, nil
		}
		zones = append(zones, c)
	}
	if len(zones) == 0 || k.Info().Sparse {
		return addSpan(nil, from, to), nil
	}
	for b := range blocks {
		first := k.from + redex.Seq(b)*sealed.ColumnBlockRows
		last := min(first+sealed.ColumnBlockRows, to)
		if last <= from {
			continue
		}
		if first >= to {
			break
		}
		may := true
		for _, c := range zones {
			if least, greatest, ok := k.Column(c.name).Zone(b); ok && !c.holdsBetween(least, greatest) {
				may = false
				break
			}
		}
		if may {
			spans = addSpan(spans, max(first, from), last)
		}
	}
	return k.refine(spans, zones)
}

// mayHold reports whether a value of the column may satisfy the condition.
func (c *condition) mayHold(cols *columns, k *chunk, col *sealed.Column) (bool, error) {
	s := col.Stats()
	switch c.value.Kind() {
	case query.KindBool:
		return s.Counts[payload.Bool] > 0, nil
	case query.KindTime:
		return s.Counts[payload.Time] > 0 && c.holdsBetween(s.Ints[0], s.Ints[1]), nil
	case query.KindText:
		return c.mayHoldText(cols, k, col)
	}
	if s.Counts[payload.Big] > 0 || s.NaNs > 0 {
		return true, nil
	}
	if s.Counts[payload.Int] > 0 && c.holdsBetween(s.Ints[0], s.Ints[1]) {
		return true, nil
	}
	return s.Counts[payload.Float] > 0 && c.between(c.compareFloat(s.Floats[0]), c.compareFloat(s.Floats[1])), nil
}

// between reports whether the condition may hold for a value when comparing the least and the greatest of them with the condition's
// gives these.
func (c *condition) between(least, greatest int) bool {
	switch c.op {
	case vector.Eq:
		return least <= 0 && greatest >= 0
	case vector.Lt:
		return least < 0
	case vector.Le:
		return least <= 0
	case vector.Gt:
		return greatest > 0
	case vector.Ge:
		return greatest >= 0
	}
	return true
}

// holdsBetween reports whether the condition may hold for an integer, or a time, of [least, greatest].
func (c *condition) holdsBetween(least, greatest int64) bool {
	if c.value.Kind() == query.KindText || c.value.Kind() == query.KindBool {
		return false // no value is of that type
	}
	return c.between(c.compareInt(least), c.compareInt(greatest))
}

func (c *condition) compareInt(i int64) int {
	if c.value.Kind() == query.KindDouble {
		return num.CompareIntFloat(i, c.value.Double())
	}
	v := c.value.Int()
	switch {
	case i < v:
		return -1
	case i > v:
		return 1
	}
	return 0
}

func (c *condition) compareFloat(f float64) int {
	if c.value.Kind() == query.KindDouble {
		return num.CompareFloats(f, c.value.Double())
	}
	return -num.CompareIntFloat(c.value.Int(), f)
}

// mayHoldText is mayHold for text. Bounds are cut off: the greatest may go on.
func (c *condition) mayHoldText(cols *columns, k *chunk, col *sealed.Column) (bool, error) {
	s := col.Stats()
	if s.Counts[sealed.InRow] > 0 {
		return true, nil
	}
	if s.Counts[payload.Text] == 0 {
		return false, nil
	}
	greatest := bytes.Compare(s.Texts[1], c.text)
	if greatest < 0 && bytes.HasPrefix(c.text, s.Texts[1]) {
		greatest = math.MaxInt32 // the rest is not known
	}
	if !c.between(bytes.Compare(s.Texts[0], c.text), greatest) {
		return false, nil
	}
	// All texts of a column that is coded and has no other kind of value are in its dictionary.
	if c.op != vector.Eq || !col.Coded() || s.Values() != s.Counts[payload.Text]+s.Counts[payload.Null] {
		return true, nil
	}
	d, err := cols.dict(k, col)
	if err != nil {
		return false, err
	}
	for _, r := range d.Refs {
		if r.Len() == len(c.text) && bytes.Equal(r.In(d.Data), c.text) {
			return true, nil
		}
	}
	return false, nil
}
