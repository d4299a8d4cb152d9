package vector

// Sel is the rows of a batch that are alive: ascending row numbers. A nil Sel, unlike an empty one, is every row.
type Sel []int32

// Batch is a number of rows as columns. It is valid until the next one is asked of the operator that made it.
type Batch struct {
	Cols []*Vector
	N    int // rows of every column that is not constant
	Sel  Sel // rows that are alive; nil for all
}

// Rows returns the number of rows that are alive.
func (b *Batch) Rows() int {
	if b.Sel == nil {
		return b.N
	}
	return len(b.Sel)
}

// Row returns the index of the k-th row that is alive.
func (b *Batch) Row(k int) int {
	if b.Sel == nil {
		return k
	}
	return int(b.Sel[k])
}

// All calls f with each row of sel, or with 0 to n-1 when sel is nil.
func (sel Sel) All(n int, f func(i int)) {
	if sel == nil {
		for i := range n {
			f(i)
		}
		return
	}
	for _, i := range sel {
		f(int(i))
	}
}

// Count returns how many rows sel selects of n.
func (sel Sel) Count(n int) int {
	if sel == nil {
		return n
	}
	return len(sel)
}
