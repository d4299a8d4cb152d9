package exec

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/seed69692123/netdb/planner/vector"
)

// ErrBudget is returned when a query needs more memory than its budget allows, and cannot put rows on disk instead: there is no
// room for them, or a single value or group is too large. The error is a *BudgetError.
var ErrBudget = errors.New("query: memory budget exceeded")

// BudgetError says which operator asked for how much.
type BudgetError struct {
	Operator   string
	NeedBytes  int64 // what the query would hold with the request
	LimitBytes int64
	Err        error // why rows could not be put on disk: spill.ErrFull; nil where that was not the reason
}

func (e *BudgetError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("query: %s needs more memory than the query may use, and there is no room on disk: %v", e.Operator, e.Err)
	}
	return fmt.Sprintf("query: %s needs more memory than the query may use: %d of %d bytes", e.Operator, e.NeedBytes, e.LimitBytes)
}

// Is reports whether target is ErrBudget.
func (e *BudgetError) Is(target error) bool { return target == ErrBudget }

// Unwrap returns why rows could not be put on disk.
func (e *BudgetError) Unwrap() error { return e.Err }

// Budget is the memory that the operators of a query may hold together. It is safe for concurrent use.
type Budget struct {
	limit int64
	used  atomic.Int64
	peak  atomic.Int64
	// spillers is the number of operators that can put rows on disk, each of which keeps within its part of the limit.
	spillers atomic.Int64
}

// NewBudget returns a budget of limit bytes; 0 or less is without a limit, and only counts.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit} }

// Used returns the bytes held now, Peak the most there were.
func (b *Budget) Used() int64 { return b.used.Load() }

// Peak returns the most bytes that were held at one time.
func (b *Budget) Peak() int64 { return b.peak.Load() }

// account is what one operator holds of a budget.
type account struct {
	b    *Budget
	name string
	held int64
	peak int64
}

func newAccount(env *Env, name string) account { return account{b: env.Budget, name: name} }

// set changes what the operator holds to n bytes. On ErrBudget it holds what it held before.
func (a *account) set(n int64) error {
	d := n - a.held
	if a.b != nil {
		used := a.b.used.Add(d)
		if d > 0 && a.b.limit > 0 && used > a.b.limit {
			a.b.used.Add(-d)
			return &BudgetError{Operator: a.name, NeedBytes: used, LimitBytes: a.b.limit}
		}
		for p := a.b.peak.Load(); used > p && !a.b.peak.CompareAndSwap(p, used); p = a.b.peak.Load() {
		}
	}
	a.held = n
	a.peak = max(a.peak, n)
	return nil
}

// force sets what the operator holds to n bytes, also above the limit: buffers of files, which are few and small.
func (a *account) force(n int64) {
	if a.b != nil {
		used := a.b.used.Add(n - a.held)
		for p := a.b.peak.Load(); used > p && !a.b.peak.CompareAndSwap(p, used); p = a.b.peak.Load() {
		}
	}
	a.held = n
	a.peak = max(a.peak, n)
}

// ask reports whether n bytes more may be held.
func (a *account) ask(n int64) error {
	if a.b == nil || a.b.limit <= 0 || a.b.used.Load()+n <= a.b.limit {
		return nil
	}
	return &BudgetError{Operator: a.name, NeedBytes: a.b.used.Load() + n, LimitBytes: a.b.limit}
}

// Hold returns a function that sets what is held against the budget under a name, or gives a *BudgetError.
func Hold(env *Env, name string) func(bytes int64) error {
	a := newAccount(env, name)
	return a.set
}

// release gives everything back.
func (a *account) release() {
	if a.b != nil {
		a.b.used.Add(-a.held)
	}
	a.held = 0
}

// storeGate is the Gate of what an operator keeps: large values are asked for before they are copied, and counted with the
// rest after each part of a batch.
type storeGate struct {
	*evalState
	acct *account
}

// Room implements vector.Gate.
func (g *storeGate) Room(v *vector.Vector, n int) error {
	if v == nil {
		return g.evalState.Room(v, n)
	}
	size := len(v.Data) + n
	if size <= cap(v.Data) {
		return nil
	}
	if err := g.acct.ask(int64(size)); err != nil {
		return g.refuse(err)
	}
	v.Data = append(make([]byte, 0, size), v.Data...)
	return nil
}

// refuse notes what the gate said.
func (s *evalState) refuse(err error) error {
	s.gate = err
	return err
}

// Holder is what somebody beside the operators holds of a query's budget. It is used by one goroutine.
type Holder struct{ acct account }

// NewHolder returns a holder of nothing; name is the operator of its BudgetError.
func NewHolder(b *Budget, name string) *Holder { return &Holder{account{b: b, name: name}} }

// Set changes what is held to n bytes. On ErrBudget it is what it was.
func (h *Holder) Set(n int64) error { return h.acct.set(n) }
