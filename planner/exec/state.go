package exec

import (
	"context"
	"errors"

	"github.com/seed69692123/netdb/internal/num"
	"github.com/seed69692123/netdb/internal/payload"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

const (
	// partBytes is how many bytes of text and the like the expressions of an operator make at once, and about how many an
	// operator puts into a batch: larger results are made for fewer rows at a time.
	partBytes = 1 << 20
	// freeBytes is what the expressions of an operator may hold without counting it: that of queries whose values are small.
	freeBytes = 1 << 20
	// stepBytes is how many bytes are worked on between two looks at the context.
	stepBytes = num.PaceBytes
	// rowStep is how many bytes the work on one row counts for beside those of its values.
	rowStep = 16
)

// evalState is shared by the evaluators of one operator. It is their Gate: it counts what they make, has a part of a batch
// made smaller when that is much, and sees a cancelled context inside long work.
type evalState struct {
	vector.State
	env  *Env
	ctx  context.Context // of the call of Next that is running: set by begin
	acct account
	outs []*vector.Vector // of the evaluators
	need int64            // bytes of the evaluators beside the Data of outs
	temp int64            // bytes of scratch
	done int              // bytes worked on since the last look
	pace *num.Pace
	over error // what ended the pace
	gate error // what the gate said last

	in      *vector.Batch // being gone through in parts
	now     vector.Batch  // the part
	at      int           // rows of it that are done
	width   int           // rows of the next part
	several bool          // the part has more than one row, so it can be made smaller
	left    int           // bytes that results may still have in this part
	all     vector.Sel    // 0, 1, 2, …
}

func newEvalState(env *Env) *evalState {
	s := &evalState{env: env, acct: newAccount(env, "expression"), width: vector.MaxRows, left: partBytes}
	s.Zone, s.Gate = env.Zone, s
	s.pace = num.NewPace(func() bool {
		s.over = s.ctx.Err()
		return s.over != nil
	})
	s.ValidJSON = func(text []byte) bool {
		_, err := payload.CheckPaced(payload.JSON, text, s.pace)
		return err == nil
	}
	return s
}

// close gives back what was counted.
func (s *evalState) close() {
	if s != nil {
		s.acct.release()
	}
}

// begin tells under which context evaluation goes on.
func (s *evalState) begin(ctx context.Context) { s.ctx = ctx }

// output notes the vector that an evaluator writes to.
func (s *evalState) output(v *vector.Vector, t vector.Type) {
	s.outs = append(s.outs, v)
	s.need += nodeBytes + int64(s.env.batchRows())*typeBytes[t]
}

// nodeBytes is about what an evaluator takes, typeBytes what one row of its output does.
const nodeBytes = 512

var typeBytes = [...]int64{
	vector.Any: 9, vector.Bool: 1, vector.Int: 8, vector.Float: 8, vector.Text: 8, vector.Blob: 8, vector.Time: 8, vector.Date: 8,
	vector.IntervalType: 16, vector.JSON: 9,
}

// hold counts what the evaluators have, and more bytes.
func (s *evalState) hold(more int64) error {
	n := s.need + s.temp + more
	for _, v := range s.outs {
		n += v.DataBytes()
	}
	return s.acct.set(max(0, n-freeBytes))
}

// Room implements vector.Gate.
func (s *evalState) Room(v *vector.Vector, n int) error {
	s.gate = s.room(v, n)
	return s.gate
}

func (s *evalState) room(v *vector.Vector, n int) error {
	if v == nil {
		if int64(n) <= s.temp {
			return nil
		}
		old := s.temp
		s.temp = int64(n)
		err := s.hold(0)
		if err != nil {
			s.temp = old
		}
		return err
	}
	if s.left -= n; s.left < 0 && s.several {
		return errPart
	}
	size := len(v.Data) + n
	if size <= cap(v.Data) {
		return nil
	}
	if len(v.Data) == 0 {
		v.Data = nil // let go before the new one is made
	}
	size = max(size, min(2*cap(v.Data), cap(v.Data)+partBytes))
	if size > vector.LargeBytes {
		if err := s.hold(int64(size)); err != nil {
			return err
		}
	}
	v.Data = append(make([]byte, 0, size), v.Data...)
	if size > vector.LargeBytes {
		return s.hold(0)
	}
	return nil
}

// Step implements vector.Gate.
func (s *evalState) Step(n int) error {
	if s.over != nil {
		s.gate = s.over
		return s.gate
	}
	if s.done += n; s.done < stepBytes {
		return nil
	}
	s.done = 0
	if s.env.GiveWay != nil {
		s.env.GiveWay()
	}
	s.gate = s.ctx.Err()
	return s.gate
}

// Pace implements vector.Gate.
func (s *evalState) Pace() *num.Pace { return s.pace }

// rows notes the work on the rows of a selection.
func (s *evalState) rows(sel vector.Sel, n int) error { return s.Step(sel.Count(n) * rowStep) }

// errorAt places a kernel's error at the expression that asked for it. What the gate said is no error of a value.
func (s *evalState) errorAt(at query.Span, err error) error {
	if s.gate != nil {
		return s.gate
	}
	return errorAt(at, err)
}

// errPart ends the evaluation of a part of a batch whose results are too large to be made at once.
var errPart = errors.New("exec: results are too large for so many rows")

// take begins to go through a batch in parts.
func (s *evalState) take(b *vector.Batch) { s.in, s.at = b, 0 }

// more reports whether there are rows left.
func (s *evalState) more() bool { return s.in != nil && s.at < s.in.Rows() }

// part calls f with the next rows: all there are, or fewer when their results are large. f is called again with fewer rows
// when it comes out with errPart, so it evaluates everything before it changes anything.
func (s *evalState) part(f func(b *vector.Batch) error) error {
	if s.need > freeBytes && s.acct.held == 0 { // very many expressions
		if err := s.hold(0); err != nil {
			return err
		}
	}
	rows := s.in.Rows()
	for {
		n := min(s.width, rows-s.at)
		s.now = *s.in
		b := &s.now
		if n < rows {
			b.Sel = s.sel(s.in.Sel, s.in.N)[s.at : s.at+n]
		}
		s.several, s.left, s.gate = n > 1, partBytes, nil
		err := f(b)
		if errors.Is(err, errPart) && n > 1 {
			s.width = max(1, n/4)
			continue
		}
		if err != nil {
			return err
		}
		s.at += n
		if s.left > partBytes/2 && s.width < vector.MaxRows {
			s.width *= 2
		}
		return nil
	}
}

// sel returns sel with every row named.
func (s *evalState) sel(sel vector.Sel, n int) vector.Sel {
	if sel != nil {
		return sel
	}
	for len(s.all) < n {
		s.all = append(s.all, int32(len(s.all)))
	}
	return s.all[:n]
}

// each calls f with all rows of a batch, part by part.
func (s *evalState) each(b *vector.Batch, f func(b *vector.Batch) error) error {
	for s.take(b); s.more(); {
		if err := s.part(f); err != nil {
			return err
		}
	}
	return nil
}
