package exec

import (
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// windowPiece is how a large partition is computed in pieces: where no call looks further than some rows back and ahead, these are
// kept of one piece for the next, and not the partition.
type windowPiece struct {
	bounded     bool
	back, ahead int
	cut         bool  // the last partition goes on in the next piece
	limit       int   // rows before it are to be given out
	gone        int64 // rows of the first partition that are not in the piece any more
}

// maxReach is the most rows that are kept for the next piece, for each side.
const maxReach = 1 << 16

// prepare finds out how far the calls look.
func (p *windowPiece) prepare(calls []*WindowCall) {
	p.bounded, p.back = true, 1 // the next row is compared with the one before it
	for _, c := range calls {
		back, ahead, ok := c.reach()
		if !ok || back > maxReach || ahead > maxReach {
			p.bounded = false
			return
		}
		p.back, p.ahead = max(p.back, int(back)), max(p.ahead, int(ahead))
	}
}

// reach returns how many rows before and behind the current one a call looks at; false when that is not known.
func (c *WindowCall) reach() (back, ahead int64, ok bool) {
	switch {
	case c.Agg == nil && c.Fn.kind == rowNumber:
		return 0, 0, true
	case c.Agg == nil && c.Fn.Shifts():
		n := int64(1)
		if len(c.Args) > 1 {
			if n, ok = constInt(c.Args[1]); !ok || n < -maxReach || n > maxReach {
				return 0, 0, false
			}
		}
		n = max(n, -n)
		return n, n, true
	case c.Agg == nil && !c.Fn.Framed, c.Frame.Unit != query.FrameRows:
		return 0, 0, false
	}
	for _, b := range [...]struct {
		kind   query.BoundKind
		offset query.Value
	}{{c.Frame.Start, c.Frame.From}, {c.Frame.End, c.Frame.To}} {
		switch b.kind {
		case query.Preceding:
			back = max(back, b.offset.Int())
		case query.Following:
			ahead = max(ahead, b.offset.Int())
		case query.CurrentRow:
		default:
			return 0, 0, false
		}
	}
	return back, ahead, true
}

// cut ends the piece before the row at pos, inside a partition, if there are enough rows to give out before it.
func (w *partWindow) cut(pos int) bool {
	p := &w.piece
	p.cut = p.bounded && pos-p.ahead-w.at >= max(w.Env.batchRows(), p.back+p.ahead)
	return p.cut
}

// endPiece finds out up to which row the piece is complete.
func (w *partWindow) endPiece() {
	w.piece.limit = w.rows.Len()
	if w.piece.cut {
		w.piece.limit = max(w.piece.limit-w.piece.ahead, w.spans[len(w.spans)-1].lo)
	}
}

// again begins the next piece, with the rows of the one before that it needs.
func (w *partWindow) again() error {
	types := make([]vector.Type, len(w.Exprs))
	for i, x := range w.Exprs {
		types[i] = x.Type()
	}
	rows := &windowRows{spill: &w.spill, gate: w.gate, types: types, mem: vector.NewRows(w.gate, types)}
	p := &w.piece
	var fresh []bool // whether each row that is kept begins a group of peers
	at, gone := 0, int64(0)
	if p.cut {
		last := w.spans[len(w.spans)-1]
		from := max(last.lo, p.limit-p.back)
		if gone = int64(from - last.lo); last.lo == 0 {
			gone += p.gone
		}
		for pos := from; pos < last.hi; pos++ {
			fresh = append(fresh, pos == from || *w.peerOf.at(pos) != *w.peerOf.at(pos - 1))
		}
		if err := w.eachPage(span{from, last.hi}, func(cols []*vector.Vector, from, to int) error {
			w.sel = w.sel[:0]
			for i := from; i < to; i++ {
				w.sel = append(w.sel, int32(i))
			}
			var err error
			w.locs, err = rows.mem.AppendBatch(w.locs[:0], &vector.Batch{Cols: cols, N: to, Sel: w.sel})
			return err
		}); err != nil {
			return err
		}
		at = p.limit - from
	}
	if err := w.rows.close(); err != nil {
		return err
	}
	w.rows, w.spans, w.at, w.page, w.open = rows, w.spans[:0], at, 0, p.cut
	w.peers.n, w.peerOf.n = 0, 0
	p.cut, p.gone = false, gone
	if len(fresh) > 0 {
		w.spans = append(w.spans, span{0, len(fresh)})
	}
	for pos, begins := range fresh {
		if begins {
			w.openGroup(pos)
		}
		w.peerOf.grow(pos + 1)
		*w.peerOf.at(pos) = int32(w.peers.n - 1)
	}
	return nil
}
