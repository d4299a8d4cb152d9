package vector

// Rows keeps copies of rows in pages. A page is not moved when more rows come, so that adding one costs the same however many
// there are, and what is held is never held twice.
type Rows struct {
	st    State
	types []Type
	pages []*page
	n     int
	full  int64 // bytes of all pages but the last
	idx   []int32
}

// page is up to MaxRows rows; no more come when its bytes are pageBytes.
type page struct {
	cols  []*Vector
	n     int
	bytes int // of Data
}

// pageBytes is how many bytes of text and the like end a page.
const pageBytes = 1 << 18

// Loc is where a row of Rows is: its page and its place there.
type Loc uint32

// NoRow stands for a row of NULLs.
const NoRow = ^Loc(0)

const locBits = 11 // MaxRows fits

// NewRows returns an empty store of rows of these types. Before it copies a large value it asks the gate, which may be nil.
func NewRows(g Gate, types []Type) *Rows { return &Rows{st: State{Gate: g}, types: types} }

// Len returns the number of rows.
func (r *Rows) Len() int { return r.n }

// Row returns the columns of a row's page and its index in them.
func (r *Rows) Row(l Loc) (cols []*Vector, i int) {
	return r.pages[l>>locBits].cols, int(l & (MaxRows - 1))
}

// open returns the page that takes the next row.
func (r *Rows) open() *page {
	if k := len(r.pages); k > 0 {
		last := r.pages[k-1]
		if last.n < MaxRows && last.bytes < pageBytes {
			return last
		}
		r.full += last.memory()
	}
	p := &page{cols: make([]*Vector, len(r.types))}
	for c, t := range r.types {
		// The next page is likely to be like the one before.
		rows, data := 0, 0
		if k := len(r.pages); k > 0 {
			rows, data = r.pages[k-1].n, min(len(r.pages[k-1].cols[c].Data), pageBytes)*9/8
		}
		p.cols[c] = New(t, rows)
		if data > 0 {
			p.cols[c].Data = make([]byte, 0, data)
		}
	}
	r.pages = append(r.pages, p)
	return p
}

func (p *page) memory() int64 {
	n := int64(len(p.cols)) * vectorBytes
	for _, c := range p.cols {
		n += c.MemoryBytes()
	}
	return n
}

// vectorBytes is about what an empty Vector takes.
const vectorBytes = 320

// Append adds a copy of row i of cols and returns where it is.
func (r *Rows) Append(cols []*Vector, i int) (Loc, error) {
	p := r.open()
	for c, src := range cols {
		dst := p.cols[c]
		if n := src.DataLen(i); n >= LargeBytes {
			ref, err := r.st.AddData(dst, src.Bytes(i))
			if err != nil {
				return 0, err // the page has columns of different lengths: it cannot be used any more
			}
			dst.AppendRef(src.Class(i), ref)
			p.bytes += n
			continue
		}
		at := len(dst.Data)
		dst.AppendFrom(src, i)
		p.bytes += len(dst.Data) - at
	}
	p.n++
	r.n++
	return Loc(len(r.pages)-1)<<locBits | Loc(p.n-1), nil
}

// AppendBatch adds copies of the rows that are alive, and appends to dst where they are.
func (r *Rows) AppendBatch(dst []Loc, b *Batch) ([]Loc, error) {
	data := 0
	for _, c := range b.Cols {
		data += len(c.Data)
	}
	rows := b.Rows()
	if data > pageBytes { // of which these rows may be a small part
		data = 0
		for _, c := range b.Cols {
			data += c.DataTotal(b.Sel, b.N)
		}
	}
	if data > pageBytes || rows > MaxRows {
		for k := range rows {
			l, err := r.Append(b.Cols, b.Row(k))
			if err != nil {
				return dst, err
			}
			dst = append(dst, l)
		}
		return dst, nil
	}
	for k := 0; k < rows; {
		p := r.open()
		n := min(rows-k, MaxRows-p.n)
		sel, all := b.Sel, b.N
		if n < rows || sel == nil && n < b.N {
			r.idx = r.idx[:0]
			for j := range n {
				r.idx = append(r.idx, int32(b.Row(k+j)))
			}
			sel = r.idx
		}
		for c, src := range b.Cols {
			at := len(p.cols[c].Data)
			p.cols[c].AppendRows(src, sel, all)
			p.bytes += len(p.cols[c].Data) - at
		}
		for range n {
			dst = append(dst, Loc(len(r.pages)-1)<<locBits|Loc(p.n))
			p.n++
		}
		r.n += n
		k += n
	}
	return dst, nil
}

// MemoryBytes returns the bytes held.
func (r *Rows) MemoryBytes() int64 {
	n := r.full + int64(cap(r.pages)*8)
	if k := len(r.pages); k > 0 {
		n += r.pages[k-1].memory()
	}
	return n
}

// Types returns the types of the columns.
func (r *Rows) Types() []Type { return r.types }

// Release lets the pages before that of a row go. Only rows from its page on can be read then, and none added.
func (r *Rows) Release(l Loc) {
	for k := int(l>>locBits) - 1; k >= 0 && r.pages[k] != nil; k-- {
		r.pages[k] = nil
	}
}

// Pages returns how many pages there are; Page returns the rows of one, in the order in which they were added.
func (r *Rows) Pages() int { return len(r.pages) }

// Reader returns the rows for another goroutine, as long as nobody adds or releases any.
func (r *Rows) Reader() *Rows {
	return &Rows{types: r.types, pages: r.pages, n: r.n, full: r.full}
}

// Page returns the columns of a page and how many rows it has.
func (r *Rows) Page(k int) (cols []*Vector, n int) { return r.pages[k].cols, r.pages[k].n }

// Fit returns how many of the rows locs Gather can give with about limit bytes of Data, at least one. Columns beyond those of dst, and those
// that are nil there, are not counted; with a nil dst all are.
func (r *Rows) Fit(dst []*Vector, locs []Loc, limit int) int {
	data := make([]int, 0, 16) // columns that have Data
	for c, t := range r.types {
		if (dst == nil || c < len(dst) && dst[c] != nil) && (t.Dynamic() || t == Text || t == Blob) {
			data = append(data, c)
		}
	}
	if len(data) == 0 || len(r.pages) == 1 && r.pages[0].bytes < limit {
		return len(locs)
	}
	for k, l := range locs {
		if l == NoRow {
			continue
		}
		cols, i := r.Row(l)
		for _, c := range data {
			if v := cols[c]; len(v.Data) > 0 {
				limit -= v.DataLen(i)
			}
		}
		if limit < 0 {
			return max(k, 1)
		}
	}
	return len(locs)
}

// Gather replaces the columns of dst that are not nil with the rows locs, in that order; NoRow gives NULLs. Bytes are copied, but not those of a
// single row, nor when there is one page: dst is valid as long as the store.
func (r *Rows) Gather(dst []*Vector, locs []Loc) {
	if len(r.pages) == 1 || len(locs) == 1 && locs[0] != NoRow {
		page := r.pages[0]
		r.idx = r.idx[:0]
		for _, l := range locs {
			if l == NoRow {
				r.idx = append(r.idx, -1)
				continue
			}
			page = r.pages[l>>locBits]
			r.idx = append(r.idx, int32(l&(MaxRows-1)))
		}
		for c, v := range dst {
			if v != nil {
				v.Gather(page.cols[c], r.idx)
			}
		}
		return
	}
	for c, v := range dst {
		if v == nil {
			continue
		}
		v.Reset(r.types[c])
		v.Grow(len(locs))
		if cap(v.Data) == 0 {
			v.Data = make([]byte, 0, r.dataOf(c, locs))
		}
		r.gather(v, c, locs)
	}
}

// dataOf returns how many bytes the texts of rows have in column c.
func (r *Rows) dataOf(c int, locs []Loc) (n int) {
	t := r.types[c]
	if !t.Dynamic() && t != Text && t != Blob {
		return 0
	}
	for _, l := range locs {
		if l != NoRow {
			n += r.pages[l>>locBits].cols[c].DataLen(int(l & (MaxRows - 1)))
		}
	}
	return n
}

func (r *Rows) gather(v *Vector, c int, locs []Loc) {
	for k, l := range locs {
		if l == NoRow {
			v.SetNull(k)
			continue
		}
		src, i := r.pages[l>>locBits].cols[c], int(l&(MaxRows-1))
		switch {
		case v.Type.Dynamic():
			class, bits := src.Classes[i], src.Bits[i]
			if class.HasBytes() {
				bits = uint64(v.AddData(Ref(bits).In(src.Data)))
			}
			v.Classes[k], v.Bits[k] = class, bits
		case len(src.Nulls) > 0 && src.Nulls.Get(i):
			v.SetNull(k)
		case v.Type == Text || v.Type == Blob:
			v.Refs[k] = v.AddData(src.Refs[i].In(src.Data))
		case v.Type == Bool:
			v.Bools[k] = src.Bools[i]
		case v.Type == Float:
			v.Floats[k] = src.Floats[i]
		case v.Type == IntervalType:
			v.Intervals[k] = src.Intervals[i]
		default:
			v.Ints[k] = src.Ints[i]
		}
	}
}
