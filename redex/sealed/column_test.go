package sealed

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seed69692123/netdb/internal/payload"
)

// cell is a value of the model: what row and column have.
type cell struct {
	class payload.Class
	bits  uint64
	bytes string
}

// shape makes the values of a column.
type shape func(r *rand.Rand, row int) cell

func textCell(s string) cell { return cell{class: payload.Text, bytes: s} }
func intCell(i int64) cell   { return cell{class: payload.Int, bits: uint64(i)} }
func floatCell(f float64) cell {
	return cell{class: payload.Float, bits: math.Float64bits(f)}
}

// shapes are columns of all kinds; odd makes one value in so many another.
func shapes() map[string]shape {
	odd := func(n int, s, other shape) shape {
		return func(r *rand.Rand, row int) cell {
			if r.IntN(n) == 0 {
				return other(r, row)
			}
			return s(r, row)
		}
	}
	missing := func(*rand.Rand, int) cell { return cell{} }
	null := func(*rand.Rand, int) cell { return cell{class: payload.Null} }
	ascending := func(_ *rand.Rand, row int) cell { return intCell(int64(row) * 3) }
	small := func(r *rand.Rand, _ int) cell { return intCell(r.Int64N(100) - 50) }
	wide := func(r *rand.Rand, _ int) cell { return intCell(int64(r.Uint64())) }
	float := func(r *rand.Rand, _ int) cell { return floatCell(r.NormFloat64()) }
	word := func(r *rand.Rand, _ int) cell { return textCell(fmt.Sprint("word", r.IntN(50))) }
	unique := func(r *rand.Rand, row int) cell { return textCell(fmt.Sprintf("%x-%d", r.Uint64(), row)) }
	long := func(r *rand.Rand, _ int) cell { return textCell(string(bytes.Repeat([]byte("x"), 2000))) }
	special := func(r *rand.Rand, _ int) cell {
		return floatCell([]float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), math.MaxFloat64}[r.IntN(5)])
	}
	blobs := func(n int, s shape) shape { // the first n
		return func(r *rand.Rand, row int) cell {
			if row < n {
				return cell{class: payload.Blob, bytes: fmt.Sprint(row % 7)}
			}
			return s(r, row)
		}
	}
	return map[string]shape{
		"ascending": ascending, "small": small, "wide": wide, "float": float, "word": word, "unique": unique,
		"bool":      func(r *rand.Rand, _ int) cell { return cell{class: payload.Bool, bits: r.Uint64N(2)} },
		"time":      func(r *rand.Rand, row int) cell { return cell{class: payload.Time, bits: uint64(1e18 + row)} },
		"blob":      func(r *rand.Rand, _ int) cell { return cell{class: payload.Blob, bytes: fmt.Sprint(r.IntN(9))} },
		"blobFirst": blobs(1, word), "blobsFirst": blobs(3000, word), "blobThenUnique": blobs(1, unique), "late": func(r *rand.Rand, row int) cell {
			return textCell(fmt.Sprint("word", r.IntN(5+row))) // repeats less and less
		},
		"constant":  func(*rand.Rand, int) cell { return textCell("one") },
		"half":      odd(2, small, missing),
		"rare":      odd(500, missing, word),
		"nulls":     odd(3, word, null),
		"mixed":     odd(2, small, float),
		"odd":       odd(1000, small, word),
		"oddText":   odd(1000, word, small),
		"oddUnique": odd(200, unique, small),
		"big": odd(100, small, func(*rand.Rand, int) cell {
			return cell{class: payload.Big, bytes: "123456789012345678901234567890"}
		}),
		"long":    odd(300, unique, long),
		"special": odd(3, special, float),
		"arrays":  odd(500, small, func(*rand.Rand, int) cell { return cell{class: payload.Array} }),
		"objects": func(*rand.Rand, int) cell { return cell{class: payload.Object} },
		"messy":   odd(5, small, word),
	}
}

type model struct {
	names []ColumnName
	rows  [][]cell // by column
}

func (m *model) build(t testing.TB, how Compression, budget int64) []byte {
	t.Helper()
	b, err := NewColumnBuilder(7, 1<<20, 42, budget)
	if err != nil {
		t.Fatal(err)
	}
	return m.fill(t, b, how)
}

// fill is build in a builder without rows.
func (m *model) fill(t testing.TB, b *ColumnBuilder, how Compression) []byte {
	t.Helper()
	n := len(m.rows[0])
	for row := range n {
		b.Row()
		for i := range m.names {
			c := m.rows[i][row]
			if c.class != payload.Missing {
				b.Set(b.Column(m.names[i]), c.class, c.bits, []byte(c.bytes))
			}
		}
	}
	file, err := b.Finish(1<<20+uint64(n), false, how)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func randomModel(r *rand.Rand, rows int) *model {
	m := &model{}
	all := shapes()
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		m.names = append(m.names, ColumnName{Path: []string{"top", name}})
		col := make([]cell, rows)
		for row := range col {
			col[row] = all[name](r, row)
		}
		m.rows = append(m.rows, col)
	}
	return m
}

// TestColumns writes columns of all kinds and reads them back, in order and at random.
func TestColumns(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, rows := range []int{1, 2, 63, 64, 65, 1023, 1024, 1025, 5000, MaxChunkRows} {
		m := randomModel(r, rows)
		for _, how := range []Compression{S2, Zstd, None} {
			if rows == MaxChunkRows && how != S2 {
				continue
			}
			file := m.build(t, how, 1<<30)
			c, err := OpenColumns(bytes.NewReader(file), int64(len(file)), 42)
			if err != nil {
				t.Fatal(err)
			}
			if want := (ChunkInfo{Log: 7, From: 1 << 20, To: 1<<20 + uint64(rows), Rows: rows}); c.Info() != want {
				t.Fatalf("%+v, want %+v", c.Info(), want)
			}
			inRows := 0
			for i := range m.names {
				if m.compare(t, c, i, r) {
					inRows++
				}
			}
			if want := 2; rows == MaxChunkRows && inRows != want { // objects, messy
				t.Errorf("%d columns are left to the rows, not %d", inRows, want)
			}
		}
	}
}

// compare compares a column with the model, and reports whether it was left to the rows.
func (m *model) compare(t *testing.T, c *ColumnChunk, column int, r *rand.Rand) bool {
	t.Helper()
	name, want := m.names[column], m.rows[column]
	col := c.Column(name)
	if col == nil {
		for _, x := range want {
			if x.class != payload.Missing {
				t.Fatalf("no column %v", name)
			}
		}
		return false
	}
	s := col.Stats()
	if s.InRows {
		return true
	}
	var counts [16]int64
	for _, x := range want {
		counts[x.class]++
	}
	for class := payload.Null; class < InRow; class++ {
		if s.Counts[class] != counts[class] {
			t.Fatalf("%v: %d values of class %v, not %d", name, s.Counts[class], class, counts[class])
		}
	}
	var dict *Dictionary
	if col.Coded() {
		var err error
		if dict, err = col.Dictionary(); err != nil {
			t.Fatal(err)
		}
	}
	var cur ColumnCursor
	cur.Reset(col)
	order := r.Perm(col.Blocks())
	if r.IntN(2) == 0 {
		slices.Sort(order)
	}
	var b ColumnBlock
	for _, k := range order {
		if err := cur.Decode(k, &b); err != nil {
			t.Fatalf("%v, block %d: %v", name, k, err)
		}
		least, greatest, bounded := col.Zone(k)
		for i := range b.Rows {
			x := want[k*ColumnBlockRows+i]
			if got := b.cell(i, dict); got != x && !(got.class == InRow && inRow(x)) {
				t.Fatalf("%v, row %d of block %d: %+v, want %+v", name, i, k, got, x)
			}
			if x.class > payload.Null && bounded && (x.class != payload.Int && x.class != payload.Time || int64(x.bits) < least || int64(x.bits) > greatest) {
				t.Fatalf("%v, block %d: %+v is not in [%d, %d]", name, k, x, least, greatest)
			}
			s.check(t, x)
		}
	}
	return false
}

func inRow(x cell) bool {
	return x.class == payload.Array || x.class == payload.Object || len(x.bytes) > maxColumnValue
}

// check checks that a value is within the statistics.
func (s *ColumnStats) check(t *testing.T, x cell) {
	t.Helper()
	f := math.Float64frombits(x.bits)
	switch {
	case x.class == payload.Int && (int64(x.bits) < s.Ints[0] || int64(x.bits) > s.Ints[1]),
		x.class == payload.Float && f == f && (f < s.Floats[0] || f > s.Floats[1]),
		x.class == payload.Float && f != f && s.NaNs == 0,
		x.class == payload.Text && s.Counts[InRow] == 0 && (x.bytes < string(s.Texts[0]) || x.bytes[:min(len(x.bytes), boundBytes)] > string(s.Texts[1])):
		t.Fatalf("%+v is not within %+v", x, s)
	}
}

// cell returns what a block has in a row.
func (b *ColumnBlock) cell(i int, dict *Dictionary) cell {
	if bitOf(b.Absent, i) {
		if bitOf(b.Null, i) {
			return cell{class: payload.Null}
		}
		return cell{}
	}
	for _, x := range b.Exceptions {
		if x.Row == i {
			return cell{x.Class, x.Bits, string(x.Bytes)}
		}
	}
	switch {
	case b.Coded:
		return cell{class: b.Class, bytes: string(dict.Value(int(b.Codes[i])))}
	case isBytes(b.Class):
		from := uint32(0)
		if i > 0 {
			from = b.Ends[i-1]
		}
		return cell{class: b.Class, bytes: string(b.Data[from:b.Ends[i]])}
	case bitOf(b.Floating, i):
		return cell{class: payload.Float, bits: b.Bits[i]}
	}
	return cell{class: b.Class, bits: b.Bits[i]}
}

// TestColumnBudget gives a builder too little: it leaves columns to the rows, and the others are right.
func TestColumnBudget(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	m := randomModel(r, 3000)
	file := m.build(t, S2, 300_000)
	c, err := OpenColumns(bytes.NewReader(file), int64(len(file)), 42)
	if err != nil {
		t.Fatal(err)
	}
	left := 0
	for i := range m.names {
		if m.compare(t, c, i, r) {
			left++
		}
	}
	if left < 5 || left == len(m.names) {
		t.Errorf("%d columns were left", left)
	}
}

// TestColumnDamage changes each byte of a chunk and cuts it off at each length: what is read is right, or an error.
func TestColumnDamage(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	m := randomModel(r, 70)
	file := m.build(t, S2, 1<<30)
	whole, err := OpenColumns(bytes.NewReader(file), int64(len(file)), 42)
	if err != nil {
		t.Fatal(err)
	}
	try := func(b []byte) (failed bool) {
		c, err := OpenColumns(bytes.NewReader(b), int64(len(b)), 42)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrForeign) {
				t.Fatal(err)
			}
			return true
		}
		for _, col := range c.Columns() {
			failed = readColumnWhole(t, whole.Column(col.Name()), col) || failed
		}
		return failed
	}
	for i := range file {
		bad := bytes.Clone(file)
		bad[i] ^= 1 << r.IntN(8)
		if !try(bad) {
			t.Errorf("byte %d of %d was changed, and nothing noticed", i, len(file))
		}
		if !try(file[:i]) {
			t.Errorf("cut off at %d of %d, and nothing noticed", i, len(file))
		}
	}
}

// readColumnWhole reads a column and reports whether it met damage.
func readColumnWhole(t *testing.T, want, col *Column) (failed bool) {
	dict, err := col.Dictionary()
	if !col.Coded() {
		dict, err = nil, nil
	}
	if err != nil {
		return corruptOrFatal(t, err)
	}
	var a, b ColumnCursor
	a.Reset(col)
	b.Reset(want)
	var got, right ColumnBlock
	for i := range col.Blocks() {
		if err := a.Decode(i, &got); err != nil {
			failed = corruptOrFatal(t, err)
			continue
		}
		if err := b.Decode(i, &right); err != nil {
			t.Fatal(err)
		}
		for k := range got.Rows {
			if got.cell(k, dict) != right.cell(k, dict) {
				t.Fatalf("row %d differs", k)
			}
		}
	}
	return failed
}

func corruptOrFatal(t *testing.T, err error) bool {
	t.Helper()
	if !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
	return true
}

// FuzzColumns reads anything as a chunk: with its checksums mended, so that what is behind them is reached.
func FuzzColumns(f *testing.F) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, rows := range []int{1, 5, 70} {
		m := randomModel(r, rows)
		f.Add(m.build(f, S2, 1<<30), uint16(0), byte(0))
		for i := range m.names {
			one := &model{m.names[i : i+1], m.rows[i : i+1]}
			f.Add(one.build(f, None, 1<<30), uint16(headerBytes+i), byte(i))
		}
	}
	f.Fuzz(func(t *testing.T, file []byte, at uint16, to byte) {
		if len(file) > 16<<10 { // checksums of much are slow
			return
		}
		mendColumns(file, int(at), to)
		c, err := OpenColumns(bytes.NewReader(file), int64(len(file)), 42)
		if err != nil {
			return
		}
		var b ColumnBlock
		var cur ColumnCursor
		for _, col := range c.Columns() {
			var dict *Dictionary
			if col.Coded() {
				if dict, err = col.Dictionary(); err != nil {
					continue
				}
			}
			cur.Reset(col)
			for i := range col.Blocks() {
				if cur.Decode(i, &b) != nil {
					continue
				}
				for _, x := range b.Exceptions[min(len(b.Exceptions), 20):] {
					if x.Row >= b.Rows || len(x.Bytes) > maxColumnValue {
						t.Fatalf("%+v", x)
					}
				}
				b.Exceptions = b.Exceptions[:min(len(b.Exceptions), 20)] // cell goes through them for each row
				for k := range b.Rows {
					b.cell(k, dict)
				}
			}
		}
	})
}

// mendColumns changes a byte of a chunk and computes the checksums anew, as far as the chunk can be read.
func mendColumns(file []byte, at int, to byte) {
	c, err := OpenColumns(bytes.NewReader(file), int64(len(file)), 42)
	if err != nil || at >= len(file) {
		return
	}
	file[at] = to
	for _, col := range c.columns {
		if col.Coded() {
			from := col.entry.start - int64(col.entry.dict.length)
			sealBlock(file[:col.entry.start], int(from), c.salt)
		}
		for i := range col.Blocks() {
			if col.at[i+1]-col.at[i] >= checksumBytes {
				sealBlock(file[:col.at[i+1]], int(col.at[i]), c.salt)
			}
		}
	}
	loc, err := parseFileTrailer(file[len(file)-trailerBytes:], columnsEndMagic, c.salt, int64(len(file)-trailerBytes), maxDirectory)
	if err == nil {
		sealObject(file[loc.Offset:loc.Offset+int64(loc.Length)], c.salt, loc.Offset)
	}
}

func BenchmarkColumns(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	m := randomModel(r, MaxChunkRows)
	file := m.build(b, S2, 1<<30)
	c, err := OpenColumns(bytes.NewReader(file), int64(len(file)), 42)
	if err != nil {
		b.Fatal(err)
	}
	for i, name := range m.names {
		col := c.Column(name)
		if col.Stats().InRows {
			continue
		}
		b.Run(m.names[i].Path[1], func(b *testing.B) {
			var cur ColumnCursor
			var blk ColumnBlock
			cur.Reset(col)
			n := 0
			for b.Loop() {
				for k := range col.Blocks() {
					if err := cur.Decode(k, &blk); err != nil {
						b.Fatal(err)
					}
					n += blk.Rows
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/row")
			b.ReportMetric(float64(col.at[len(col.at)-1]-col.at[0])/float64(MaxChunkRows), "B/row")
		})
	}
	b.Run("build", func(b *testing.B) {
		for b.Loop() {
			m.build(b, S2, 1<<30)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*MaxChunkRows*len(m.names)), "ns/value")
	})
}
