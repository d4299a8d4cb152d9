package exec

import (
	"errors"

	"github.com/seed69692123/netdb/planner/spill"
	"github.com/seed69692123/netdb/planner/vector"
)

const (
	// reserveBytes of the budget, or a quarter of it if that is less, is not for the operators that can spill: expressions and
	// other operators need some.
	reserveBytes = 8 << 20
	// Blocks of temporary files are this part of what an operator may hold, within bounds: it writes spillParts files at once.
	blockPart     = 64
	minBlockBytes = 4 << 10
	maxBlockBytes = 256 << 10
	// spillParts is how many parts rows are divided into by their hash; maxFanIn is the most runs that are merged at once.
	spillPartBits = 4
	spillParts    = 1 << spillPartBits
	maxFanIn      = 64
)

// spiller is the temporary files of an operator, and how much it may hold before it puts rows there.
type spiller struct {
	env    *Env
	gate   *storeGate
	area   *spill.Area // nil before the first file
	on     bool        // the operator is one that spills
	joined bool
	inside int64 // parts of the operator that have shares of their own, each like what is left
	base   int64 // what the operator holds beside what is being merged
	passes int64
	wrote  int64 // by operators that ran inside this one
}

// open counts the operator among those that share the budget. All operators of a query are opened before the first row is read.
func (p *spiller) open(env *Env) {
	p.env, p.on = env, true
	if p.can() && env.share == 0 {
		env.Budget.spillers.Add(1)
		p.joined = true
	}
}

// budgetError says that the operator can do with no less than it holds.
func (p *spiller) budgetError() error {
	b := p.env.Budget
	return &BudgetError{Operator: p.gate.acct.name, NeedBytes: b.used.Load(), LimitBytes: b.limit}
}

// can reports whether rows may be put on disk at all.
func (p *spiller) can() bool {
	return p.on && p.env.Spill != nil && p.env.Budget != nil && p.env.Budget.limit > 0
}

// share is how much the operator may hold.
func (p *spiller) share() int64 {
	if p.env.share > 0 {
		return p.env.share / (1 + p.inside)
	}
	limit := p.env.Budget.limit
	return (limit - min(reserveBytes, limit/4)) / max(1, p.env.Budget.spillers.Load()) / (1 + p.inside)
}

func (p *spiller) blockBytes() int {
	return int(min(max(p.share()/blockPart, minBlockBytes), maxBlockBytes))
}

// hold sets the operator's account to n bytes and reports whether it has to put rows on disk. One that can is told so after the
// fact: n is what it holds by now, which may be more than the budget by a batch. One that runs inside another is given what it can
// hold.
func (p *spiller) hold(n int64) (full bool, err error) {
	if !p.can() && (!p.on || p.env.share == 0) {
		return false, p.gate.acct.set(n)
	}
	p.gate.acct.force(n)
	return p.can() && (n > p.share() || p.over()), nil
}

// over reports whether the query holds more than its budget.
func (p *spiller) over() bool { return p.env.Budget.used.Load() > p.env.Budget.limit }

// crowded reports whether rows have to go to disk before those of a batch are taken in, with the values of more, such as keys: a
// value that is large may be refused in the middle of a row, from which there is no way back.
func (p *spiller) crowded(b *vector.Batch, more []*vector.Vector) bool {
	if !p.can() {
		return false
	}
	left := min(p.share()-p.gate.acct.held, p.env.Budget.limit-p.env.Budget.used.Load())
	data := 0
	for _, cols := range [][]*vector.Vector{b.Cols, more} {
		for _, v := range cols {
			data += v.DataTotal(b.Sel, b.N)
		}
	}
	if data < vector.LargeBytes { // and so is every value
		return int64(b.Rows()*(9*(len(b.Cols)+len(more))+keyRefBytes)+data) > left
	}
	n := int64(0)
	for k := 0; k < b.Rows() && n <= left; k++ {
		i := b.Row(k)
		n += int64(rowBytes(b.Cols, i) + rowBytes(more, i) + keyRefBytes)
	}
	return n > left
}

// rowBytes is about what a row takes. The key of a JSON text is longer than the text.
func rowBytes(cols []*vector.Vector, i int) int {
	n := 0
	for _, v := range cols {
		size := v.DataLen(i)
		if size >= vector.LargeBytes && v.Class(i) >= vector.ClassArray {
			size *= 6
		}
		n += 9 + size
	}
	return n
}

// memory is what the files take beside what is being read.
func (p *spiller) memory() int64 {
	if p.area == nil {
		return 0
	}
	return p.area.MemoryBytes()
}

// file makes a file of rows of these types.
func (p *spiller) file(types []vector.Type) *spill.File { return p.fileOf(types, p.blockBytes()) }

// fileOf is file with blocks of another size, within the same bounds.
func (p *spiller) fileOf(types []vector.Type, block int) *spill.File {
	if p.area == nil {
		p.area = p.env.Spill.Area(p.gate)
	}
	return p.area.Create(types, min(max(block, minBlockBytes), maxBlockBytes))
}

// pass notes that rows were written for the n-th time.
func (p *spiller) pass(n int) { p.passes = max(p.passes, int64(n)) }

// fail says for an error of a file what it is for the query: no room on disk is no more budget.
func (p *spiller) fail(err error) error {
	var be *BudgetError
	if err == nil || !errors.Is(err, spill.ErrFull) || errors.As(err, &be) {
		return err
	}
	b := p.env.Budget
	return &BudgetError{Operator: p.gate.acct.name, NeedBytes: b.used.Load(), LimitBytes: b.limit, Err: err}
}

func (p *spiller) count(s *Stats) {
	s.SpillBytes, s.SpillPasses = p.wrote, p.passes
	if p.area != nil {
		s.SpillBytes += p.area.WrittenBytes()
	}
}

// drop removes the files.
func (p *spiller) drop() error {
	if p.area == nil {
		return nil
	}
	return p.area.Close()
}

// close removes the files and leaves the budget to others.
func (p *spiller) close() error {
	if p.joined {
		p.joined = false
		p.env.Budget.spillers.Add(-1)
	}
	return p.drop()
}
