package exec

import "github.com/seed69692123/netdb/planner/vector"

// freshWay adds the rows of each frame to an accumulator of its own.
type freshWay struct {
	a      *frameAgg
	groups []int32
	sel    vector.Sel
	held   int64
}

func (f *freshWay) start(span) error { return nil }

func (f *freshWay) frame(spans []span, out *vector.Vector) error {
	acc := newAccumulator(f.a.w.gate, f.a.call.Agg)
	acc.grow(1)
	if err := f.a.w.s.Step(accumulatorBytes); err != nil {
		return err
	}
	for _, s := range spans {
		if err := f.a.addRows(acc, s, &f.groups, &f.sel); err != nil {
			return err
		}
	}
	if f.held = acc.bytes(); f.held > accumulatorBytes {
		if err := f.a.w.s.Step(int(min(f.held, stepBytes))); err != nil {
			return err
		}
	}
	if f.held > partBytes {
		if err := f.a.w.acct.ask(f.held); err != nil {
			return err
		}
	}
	return acc.result(out, 0)
}

func (f *freshWay) bytes() int64 { return f.held + int64(cap(f.groups)*4+cap(f.sel)*4) }
