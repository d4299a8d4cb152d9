package exec

import (
	"context"
	"errors"

	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// Values gives constant rows.
type Values struct {
	Rows  [][]Expr
	Types []vector.Type
	Env   *Env

	at    int
	acct  account
	out   vector.Batch
	stats Stats
}

// Open prepares the columns.
func (v *Values) Open(context.Context) error {
	v.acct = newAccount(v.Env, "values")
	for _, t := range v.Types {
		v.out.Cols = append(v.out.Cols, vector.New(t, 1))
	}
	return nil
}

// Next returns the next rows.
func (v *Values) Next(ctx context.Context) (*vector.Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i, t := range v.Types {
		v.out.Cols[i].Reset(t)
	}
	v.out.N, v.out.Sel = 0, nil
	for ; v.at < len(v.Rows) && v.out.N < v.Env.batchRows(); v.at++ {
		if v.literals(v.Rows[v.at]) {
			v.out.N++
			continue
		}
		err := v.row(ctx, v.Rows[v.at])
		switch {
		case errors.Is(err, errStop), err != nil && v.out.N > 0:
			v.stats.Rows += int64(v.out.N) // the rows before it first
			return &v.out, nil
		case err != nil:
			return nil, err
		}
		v.out.N++
	}
	if v.out.N == 0 {
		return nil, nil
	}
	v.stats.Rows += int64(v.out.N)
	return &v.out, nil
}

// literals appends a row if it is one of small constants, which nothing has to be evaluated or counted for, and reports whether it is.
func (v *Values) literals(exprs []Expr) bool {
	size, held := 0, int64(0)
	for i, x := range exprs {
		c, ok := x.(*Const)
		if !ok || c.T != v.Types[i] || c.T == vector.JSON || c.Value.Kind() == query.KindJSON {
			return false
		}
		size += len(c.Value.Text())
		held += v.out.Cols[i].DataBytes()
	}
	if size >= vector.LargeBytes || held > freeBytes/2 {
		return false
	}
	for i, x := range exprs {
		AppendValue(v.out.Cols[i], x.(*Const).Value)
	}
	return true
}

// row evaluates a row and appends it. Its evaluators are made anew: there may be very many rows.
func (v *Values) row(ctx context.Context, exprs []Expr) error {
	s := newEvalState(v.Env)
	defer s.close()
	s.begin(ctx)
	row := make([]*vector.Vector, len(exprs))
	if _, err := evalAll(s.compileAll(exprs), &vector.Batch{N: 1}, nil, row); err != nil {
		return err
	}
	size, held := 0, int64(0)
	for i, x := range row {
		size += x.DataLen(0)
		held += v.out.Cols[i].DataBytes()
	}
	if v.out.N > 0 && int64(size)+held > partBytes {
		return errStop
	}
	g := &storeGate{s, &v.acct}
	st := vector.State{Gate: g}
	for i, x := range row {
		if x.DataLen(0) < vector.LargeBytes {
			v.out.Cols[i].AppendFrom(x, 0)
			continue
		}
		r, err := st.AddData(v.out.Cols[i], x.Bytes(0))
		if err != nil {
			return err
		}
		v.out.Cols[i].AppendRef(x.Class(0), r)
		held += v.out.Cols[i].DataBytes()
	}
	return v.acct.set(max(0, held-freeBytes))
}

// Close gives back what was counted.
func (v *Values) Close() error {
	v.acct.release()
	return nil
}

// Stats returns what the operator counted.
func (v *Values) Stats() Stats { return v.stats }
