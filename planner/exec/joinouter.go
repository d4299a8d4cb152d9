package exec

import (
	"slices"

	"github.com/seed69692123/netdb/planner/vector"
)

// joinOuter is an operator around a Join that gives each left row once. On disk its parts are operators of the same kind.
type joinOuter interface {
	// subOf makes the operator of a part around its join. The function moves columns of expressions to where they are there.
	subOf(core *Join, move func(Expr) Expr) (Operator, *Join)
}

// subOf implements joinOuter.
func (l *Lookup) subOf(core *Join, move func(Expr) Expr) (Operator, *Join) {
	sub := &Lookup{Join: *core, At: l.At}
	if l.Test != nil {
		sub.Test = move(l.Test)
	}
	return sub, &sub.Join
}

// subOf implements joinOuter.
func (j *GroupJoin) subOf(core *Join, move func(Expr) Expr) (Operator, *Join) {
	sub := &GroupJoin{Join: *core}
	for _, a := range j.Aggs {
		sub.Aggs = append(sub.Aggs, a.Map(move))
	}
	return sub, &sub.Join
}

// spills reports whether the join puts its build side on disk above the budget. The groups of a group join have to see all partners of
// a row together, so it does not where its rows cannot be divided.
func (j *Join) spills() bool {
	return j.Kind != JoinGroup || len(j.LeftKeys) > 0 && !j.part.loop
}

// outTypes are the columns of the output.
func (j *Join) outTypes() []vector.Type {
	types := slices.Clone(j.LeftTypes)
	switch j.Kind {
	case JoinSemi, JoinAnti:
	case JoinMark:
		types = append(types, vector.Bool)
	case JoinSingle, JoinFirst:
		types = append(append(types, j.RightTypes...), vector.Bool)
	case JoinGroup:
		for _, a := range j.outer.(*GroupJoin).Aggs {
			types = append(types, a.T)
		}
	default:
		types = append(types, j.RightTypes...)
	}
	return types
}

// outRow appends to dst the columns of the output from those of a part, whose sides have more.
func (j *Join) outRow(dst []*vector.Vector, b *vector.Batch, sub *Join) []*vector.Vector {
	dst = append(dst, b.Cols[:len(j.LeftTypes)]...)
	behind := b.Cols[len(sub.LeftTypes):]
	switch j.Kind {
	case JoinSemi, JoinAnti:
		return dst
	case JoinMark, JoinGroup:
		return append(dst, behind...)
	case JoinSingle, JoinFirst:
		return append(append(dst, behind[:len(j.RightTypes)]...), behind[len(behind)-1])
	}
	return append(dst, behind[:len(j.RightTypes)]...)
}
