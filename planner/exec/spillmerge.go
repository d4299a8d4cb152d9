package exec

import (
	"bytes"
	"cmp"

	"github.com/seed69692123/netdb/planner/spill"
	"github.com/seed69692123/netdb/planner/vector"
)

// diskRuns is sorted runs on disk. Where rows are equal, those of the run that was added first come first. Runs are merged to longer
// ones as soon as there are as many as memory allows to read at once, so few files are open however many rows there are.
type diskRuns struct {
	p     *spiller
	types []vector.Type
	key   int // column that is sorted by: a Blob, or an Int
	// levels[0] has the newest runs; one of levels[n+1] was merged from runs of levels[n].
	levels [][]*spill.File
}

// add takes a finished run.
func (d *diskRuns) add(f *spill.File) error {
	for at := 0; ; at++ {
		if at == len(d.levels) {
			d.levels = append(d.levels, nil)
		}
		d.levels[at] = append(d.levels[at], f)
		d.p.pass(at + 1)
		if d.fanIn(d.levels[at]) == len(d.levels[at]) && len(d.levels[at]) < maxFanIn {
			return nil
		}
		var err error
		if f, err = d.mergeFiles(d.levels[at]); err != nil {
			return err
		}
		d.levels[at] = nil
	}
}

// fanIn returns how many of the files, from the first on, can be read at once; two in any case. The last may be less than a file
// that is to come, so half of the share is kept free for it.
func (d *diskRuns) fanIn(files []*spill.File) int {
	left := d.p.share() / 2
	for k, f := range files {
		if left -= f.BlockBytes(); left < 0 && k >= 2 || k == maxFanIn {
			return k
		}
	}
	return len(files)
}

// mergeFiles makes one run of several.
func (d *diskRuns) mergeFiles(files []*spill.File) (*spill.File, error) {
	m, err := d.merge(files)
	if err != nil {
		return nil, err
	}
	out := d.p.file(d.types)
	for {
		cols, row, err := m.row()
		if err != nil {
			return nil, err
		}
		if cols == nil {
			break
		}
		if err := out.Append(cols, row); err != nil {
			return nil, err
		}
		if err := m.pop(); err != nil {
			return nil, err
		}
	}
	if err := out.Finish(); err != nil {
		return nil, err
	}
	return out, m.close()
}

// finish returns the rows of all runs in order.
func (d *diskRuns) finish() (*diskMerge, error) {
	var all []*spill.File // oldest first
	for at := len(d.levels) - 1; at >= 0; at-- {
		all = append(all, d.levels[at]...)
	}
	passes := len(d.levels)
	for d.fanIn(all) < len(all) {
		// The newest are the shortest.
		n := max(2, min(len(all)-d.fanIn(all)+1, maxFanIn))
		for n > 2 && d.fanIn(all[len(all)-n:]) < n {
			n--
		}
		f, err := d.mergeFiles(all[len(all)-n:])
		if err != nil {
			return nil, err
		}
		passes++
		all = append(all[:len(all)-n], f)
	}
	d.p.pass(passes)
	d.levels = nil
	return d.merge(all)
}

// diskMerge gives the rows of runs in order.
type diskMerge struct {
	d     *diskRuns
	files []*spill.File
	heads []diskHead
	tree  loserTree
	fault error // of a comparison
	large bool  // the row given out last shares the bytes of its block
}

type diskHead struct {
	r  *spill.Reader
	b  *vector.Batch // nil at the end
	at int
}

func (d *diskRuns) merge(files []*spill.File) (*diskMerge, error) {
	m := &diskMerge{d: d, files: files, heads: make([]diskHead, len(files))}
	for i, f := range files {
		h := &m.heads[i]
		h.r = f.Reader()
		var err error
		if h.b, err = h.r.Next(); err != nil {
			return nil, err
		}
		m.count()
		if err := d.p.gate.Step(int(h.r.MemoryBytes())); err != nil {
			return nil, err
		}
	}
	m.tree.start(len(files), m.before)
	return m, m.fault
}

// count sets the operator's account to what the merge holds.
func (m *diskMerge) count() {
	n := m.d.p.memory() + m.d.p.base
	for i := range m.heads {
		if m.heads[i].r != nil {
			n += m.heads[i].r.MemoryBytes()
		}
	}
	m.d.p.gate.acct.force(n)
}

func (m *diskMerge) before(a, b int32) bool {
	x, y := &m.heads[a], &m.heads[b]
	switch {
	case x.b == nil:
		return false
	case y.b == nil:
		return true
	}
	k, l := x.b.Cols[m.d.key], y.b.Cols[m.d.key]
	var c int
	if m.d.types[m.d.key] == vector.Int {
		c = cmp.Compare(k.Ints[x.at], l.Ints[y.at])
		if err := m.d.p.gate.Step(compareStep); err != nil {
			m.fault = err
		}
	} else {
		c = m.compareBytes(k.Bytes(x.at), l.Bytes(y.at))
	}
	return c < 0 || c == 0 && a < b
}

func (m *diskMerge) compareBytes(k, l []byte) int {
	for {
		n := min(len(k), len(l), stepBytes)
		if err := m.d.p.gate.Step(compareStep + n); err != nil {
			m.fault = err
		}
		if c := bytes.Compare(k[:n], l[:n]); c != 0 || n < stepBytes || m.fault != nil {
			if c == 0 && n < stepBytes {
				c = cmp.Compare(len(k), len(l))
			}
			return c
		}
		k, l = k[n:], l[n:]
	}
}

// row returns the next row, nil at the end. It is valid until pop.
func (m *diskMerge) row() ([]*vector.Vector, int, error) {
	if m.fault != nil || len(m.heads) == 0 {
		return nil, 0, m.fault
	}
	h := &m.heads[m.tree.winner()]
	if h.b == nil {
		return nil, 0, nil
	}
	return h.b.Cols, h.at, nil
}

// pop goes to the next row.
func (m *diskMerge) pop() error {
	w := m.tree.winner()
	h := &m.heads[w]
	if h.at++; h.at == h.b.N {
		var err error
		if h.b, err = h.r.Next(); err != nil {
			return err
		}
		h.at = 0
		m.count()
	}
	m.tree.replay(w)
	return m.fault
}

// next writes the next n rows to out, or fewer when they are large: the first columns of the runs, as many as out has. A row
// that is large is alone, and not copied; it is valid until the next call. A row for which until is true ends them.
func (m *diskMerge) next(out *vector.Batch, n int, until func(cols []*vector.Vector, i int) bool) error {
	if m.large {
		m.large = false
		if err := m.pop(); err != nil {
			return err
		}
	}
	for k, v := range out.Cols {
		v.Reset(m.d.types[k])
	}
	out.N, out.Sel = 0, nil
	data := 0
	for out.N < n {
		cols, i, err := m.row()
		if err != nil {
			return err
		}
		if cols == nil || until != nil && until(cols, i) {
			return nil
		}
		cols = cols[:len(out.Cols)]
		size := 0
		for _, v := range cols {
			size += v.DataLen(i)
		}
		if data += size; out.N > 0 && data > partBytes {
			return nil
		}
		if size >= vector.LargeBytes {
			if out.N > 0 {
				return nil
			}
			for k, v := range out.Cols {
				v.Gather(cols[k], []int32{int32(i)})
			}
			out.N, m.large = 1, true
			return nil
		}
		for k, v := range out.Cols {
			v.AppendFrom(cols[k], i)
		}
		out.N++
		if err := m.pop(); err != nil {
			return err
		}
	}
	return nil
}

// close removes the runs.
func (m *diskMerge) close() error {
	for _, f := range m.files {
		if err := f.Close(); err != nil {
			return err
		}
	}
	m.heads = nil
	m.d.p.gate.acct.force(m.d.p.memory() + m.d.p.base)
	return nil
}
