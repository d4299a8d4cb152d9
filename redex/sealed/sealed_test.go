package sealed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// run is a run of the model: a log and its rows.
type run struct {
	log  uint64
	rows []Row
}

// write writes runs and returns the file and what EndRun said.
func write(t testing.TB, o WriterOptions, runs []run) ([]byte, []RunInfo, FileInfo) {
	t.Helper()
	var buf bytes.Buffer
	w, err := NewWriter(&buf, o)
	if err != nil {
		t.Fatal(err)
	}
	var infos []RunInfo
	for _, r := range runs {
		if err := w.BeginRun(r.log); err != nil {
			t.Fatal(err)
		}
		for i := range r.rows {
			if err := w.Add(&r.rows[i]); err != nil {
				t.Fatal(err)
			}
		}
		info, err := w.EndRun()
		if err != nil {
			t.Fatal(err)
		}
		infos = append(infos, info)
	}
	info, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if w.Offset() != int64(buf.Len()) || info.Bytes != int64(buf.Len()) {
		t.Fatalf("offset %d, info %d, written %d", w.Offset(), info.Bytes, buf.Len())
	}
	return buf.Bytes(), infos, info
}

func reader(t testing.TB, file []byte, o ReaderOptions) *Reader {
	t.Helper()
	r, err := NewReader(bytes.NewReader(file), int64(len(file)), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func clone(r *Row) Row {
	c := *r
	if r.Key != nil {
		c.Key = append([]byte{}, r.Key...)
	}
	c.Headers = append([]byte(nil), r.Headers...)
	c.Payload = append([]byte(nil), r.Payload...)
	return c
}

func same(a, b *Row) bool {
	return a.Seq == b.Seq && a.Time == b.Time && a.Origin == b.Origin && a.Idempotency == b.Idempotency && a.Kind == b.Kind &&
		a.SchemaVersion == b.SchemaVersion && a.Encoding == b.Encoding && a.Flags == b.Flags && (a.Key == nil) == (b.Key == nil) &&
		bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Headers, b.Headers) && bytes.Equal(a.Payload, b.Payload)
}

func sameRows(a, b []Row) bool {
	return slices.EqualFunc(a, b, func(a, b Row) bool { return same(&a, &b) })
}

// randomRuns makes runs of every shape: dense and with holes, one row and many, every column constant or wild.
func randomRuns(rng *rand.Rand) []run {
	var runs []run
	log := uint64(rng.IntN(3))
	next := uint64(0)
	for range 1 + rng.IntN(6) {
		if rng.IntN(3) > 0 {
			log += 1 + uint64(rng.IntN(1000))
			next = uint64(rng.IntN(3)) * rng.Uint64N(1<<40)
		}
		r := run{log: log}
		n := 1 + rng.IntN(4)
		if rng.IntN(3) == 0 {
			n = rng.IntN(6000) + 1
		}
		var wild [9]bool
		for i := range wild {
			wild[i] = rng.IntN(3) == 0
		}
		pick := func(i int, small, big uint64) uint64 {
			if wild[i] {
				return big
			}
			return small
		}
		tm := int64(rng.Uint64() >> 2)
		origins := []uint64{rng.Uint64(), rng.Uint64(), rng.Uint64()}
		for range n {
			next += pick(0, 1, rng.Uint64N(1<<uint(rng.IntN(30))+1)+1)
			tm += int64(pick(1, 0, rng.Uint64N(1e9)))
			row := Row{
				Seq: next, Time: tm, Origin: pick(2, origins[rng.IntN(3)], rng.Uint64()), Idempotency: pick(3, 0, rng.Uint64()),
				Kind: uint32(pick(4, 7, rng.Uint64())), SchemaVersion: uint32(pick(5, 1, rng.Uint64())),
				Encoding: uint8(rng.IntN(3)), Flags: uint8(pick(6, 0, rng.Uint64())),
			}
			if wild[7] && rng.IntN(2) == 0 {
				row.Key = make([]byte, rng.IntN(20))
				for i := range row.Key {
					row.Key[i] = byte('a' + rng.IntN(4))
				}
			}
			if wild[8] && rng.IntN(2) == 0 {
				row.Headers = bytes.Repeat([]byte{byte(rng.IntN(255))}, 1+rng.IntN(30))
			}
			size := rng.IntN(300)
			switch {
			case n < 5 && rng.IntN(10) == 0:
				size = 60<<10 + rng.IntN(200<<10)
			case rng.IntN(5) == 0:
				size = 0
			}
			if size > 0 {
				row.Payload = make([]byte, size)
				for i := range row.Payload {
					row.Payload[i] = byte(rng.IntN(1 + int(pick(0, 4, 255))))
				}
			}
			r.rows = append(r.rows, row)
		}
		runs = append(runs, r)
	}
	return runs
}

type mapCache map[BlockKey]*Block

func (c mapCache) Get(k BlockKey) *Block    { return c[k] }
func (c mapCache) Put(k BlockKey, b *Block) { c[k] = b }

// TestModel writes random runs under random options and compares every way of reading with the slices written.
func TestModel(t *testing.T) {
	for trial := range 60 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, uint64(trial)))
			runs := randomRuns(rng)
			o := WriterOptions{Compression: Compression(rng.IntN(3)), BlockBytes: []int{0, 1, 100, 5000, 65536}[rng.IntN(5)]}
			file, infos, info := write(t, o, runs)
			var cache Cache
			if rng.IntN(2) == 0 {
				cache = mapCache{}
			}
			r := reader(t, file, ReaderOptions{FileID: 9, Cache: cache})
			if got, err := r.Info(); err != nil || got != info {
				t.Fatalf("info %+v, %v, want %+v", got, err, info)
			}
			i := 0
			for got, err := range r.Runs() {
				if err != nil {
					t.Fatal(err)
				}
				if got != infos[i] {
					t.Fatalf("run %d: %+v, want %+v", i, got, infos[i])
				}
				i++
			}
			if i != len(runs) {
				t.Fatalf("%d runs, want %d", i, len(runs))
			}
			var c Cursor
			for i, m := range runs {
				checkRun(t, rng, r, infos[i], m, &c)
			}
			if err := r.Check(t.Context(), func(i RunInfo, e *CorruptError) { t.Errorf("damage %v in %+v", e, i) }); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func checkRun(t *testing.T, rng *rand.Rand, r *Reader, info RunInfo, m run, c *Cursor) {
	t.Helper()
	first, last := m.rows[0].Seq, m.rows[len(m.rows)-1].Seq
	if info.First != first || info.Last != last || info.Rows != int64(len(m.rows)) || info.Log != m.log {
		t.Fatalf("info %+v", info)
	}
	run, err := r.Run(info.Location)
	if err != nil {
		t.Fatal(err)
	}
	if run.Info() != info {
		t.Fatalf("index %+v, want %+v", run.Info(), info)
	}
	scan := func(from, to uint64) {
		c.Reset(run, from, to)
		for i := range m.rows {
			if m.rows[i].Seq < from || m.rows[i].Seq >= to {
				continue
			}
			if !c.Next() {
				t.Fatalf("[%d,%d) ended before %d: %v", from, to, m.rows[i].Seq, c.Err())
			}
			if !same(&m.rows[i], c.Row()) {
				t.Fatal(cmp.Diff(m.rows[i], clone(c.Row())))
			}
		}
		if c.Next() || c.Err() != nil {
			t.Fatalf("row %d after the end, %v", c.Row().Seq, c.Err())
		}
	}
	scan(0, math.MaxUint64)
	for range 10 {
		a, b := rng.IntN(len(m.rows)), rng.IntN(len(m.rows))
		from, to := m.rows[a].Seq+uint64(rng.IntN(3))-1, m.rows[b].Seq+uint64(rng.IntN(3))-1
		if from > to {
			from, to = to, from
		}
		scan(from, to)
		var row Row
		ok, err := run.Read(from, &row)
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		for i < len(m.rows) && m.rows[i].Seq < from {
			i++
		}
		if want := i < len(m.rows) && m.rows[i].Seq == from; ok != want {
			t.Fatalf("read %d: %v, want %v", from, ok, want)
		}
		if ok && !same(&m.rows[i], &row) {
			t.Fatal(cmp.Diff(m.rows[i], clone(&row)))
		}
		at := m.rows[a].Time + int64(rng.IntN(3)) - 1
		after, seq, ok, err := run.SeekTime(at)
		if err != nil {
			t.Fatal(err)
		}
		i = 0
		for i < len(m.rows) && m.rows[i].Time < at {
			i++
		}
		before := m.rows[0].Seq
		if i > 0 {
			before = m.rows[i-1].Seq + 1
		}
		if want := i < len(m.rows); ok != want || ok && (seq != m.rows[i].Seq || after != before) {
			t.Fatalf("seek %d: %d after %d, %v, want %v", at, seq, after, ok, want)
		}
		got, ok, err := r.Find(m.log, m.rows[a].Seq)
		if err != nil || !ok || got != info {
			t.Fatalf("find %d: %+v %v %v", m.rows[a].Seq, got, ok, err)
		}
	}
	if _, ok, err := r.Find(m.log, last+1<<60); ok || err != nil {
		t.Fatalf("found what is not there: %v", err)
	}
	var cols, all Block
	for i := range run.Blocks() {
		if err := errors.Join(run.Decode(i, &cols, Columns), run.Decode(i, &all, All)); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(cols.Seq, all.Seq) || !slices.Equal(cols.Time, all.Time) || cols.Rows() != run.Block(i).Rows {
			t.Fatal("columns alone differ")
		}
		if cols.Payload(0) != nil || cols.Key(0) != nil || cols.Headers(0) != nil {
			t.Fatal("bytes of a block without bytes")
		}
	}
}

func rows(n, size int) []Row {
	out := make([]Row, n)
	for i := range out {
		out[i] = Row{Seq: uint64(i), Time: int64(i) * 1000, Payload: bytes.Repeat([]byte{byte(i)}, size)}
	}
	return out
}

// TestWriterRefuses checks each error of the writer, and that it can go on after those that leave it as it was.
func TestWriterRefuses(t *testing.T) {
	if _, err := NewWriter(io.Discard, WriterOptions{BlockBytes: maxBlockBytes + 1}); err == nil {
		t.Error("block size over the limit")
	}
	var buf bytes.Buffer
	w, err := NewWriter(&buf, WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	fails := func(what string, got, want error) {
		t.Helper()
		if got == nil || want != nil && !errors.Is(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	fails("add outside", w.Add(&Row{}), nil)
	_, err = w.EndRun()
	fails("end outside", err, nil)
	ok(w.BeginRun(5))
	_, err = w.EndRun()
	fails("empty run", err, nil)
	ok(w.BeginRun(5))
	fails("begin inside", w.BeginRun(6), nil)
	_, err = w.Finish()
	fails("finish inside", err, nil)
	ok(w.Add(&Row{Seq: 3}))
	fails("same sequence", w.Add(&Row{Seq: 3}), ErrOrder)
	fails("lower sequence", w.Add(&Row{Seq: 2}), ErrOrder)
	fails("large row", w.Add(&Row{Seq: 4, Payload: make([]byte, MaxRowBytes), Key: []byte("k")}), ErrTooLarge)
	ok(w.Add(&Row{Seq: 4}))
	_, err = w.EndRun()
	ok(err)
	fails("lower log", w.BeginRun(4), ErrOrder)
	ok(w.BeginRun(5))
	fails("same log, lower sequence", w.Add(&Row{Seq: 4}), ErrOrder)
	ok(w.Add(&Row{Seq: 5}))
	_, err = w.EndRun()
	ok(err)
	info, err := w.Finish()
	ok(err)
	fails("begin after finish", w.BeginRun(9), nil)
	_, err = w.Finish()
	fails("finish twice", err, nil)
	if info.Rows != 3 || info.Runs != 2 {
		t.Errorf("%+v", info)
	}
	if got, err := readAll(buf.Bytes()); err != nil || len(got) != 2 {
		t.Errorf("%v %v", got, err)
	}
}

// TestEmptyFile has no runs.
func TestEmptyFile(t *testing.T) {
	file, _, _ := write(t, WriterOptions{}, nil)
	r := reader(t, file, ReaderOptions{})
	if got, err := readAll(file); err != nil || len(got) != 0 {
		t.Fatal(got, err)
	}
	if _, ok, err := r.Find(1, 1); ok || err != nil {
		t.Fatal(ok, err)
	}
}

// TestRunFull fills a run to its last block and goes on in another.
func TestRunFull(t *testing.T) {
	w, err := NewWriter(io.Discard, WriterOptions{BlockBytes: 1, Compression: None})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.BeginRun(1); err != nil {
		t.Fatal(err)
	}
	i := uint64(0)
	for ; ; i++ {
		if err = w.Add(&Row{Seq: i, Payload: []byte{1}}); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrRunFull) || i != maxRunBlocks {
		t.Fatalf("after %d blocks: %v", i, err)
	}
	info, err := w.EndRun()
	if err != nil || info.Rows != int64(i) || info.Location.Length > maxIndexBytes {
		t.Fatalf("%+v %v", info, err)
	}
	if err := errors.Join(w.BeginRun(1), w.Add(&Row{Seq: i})); err != nil {
		t.Fatal(err)
	}
}

// failAfter fails every write from the n-th on, the first of them short.
type failAfter struct{ n int }

var errWrite = errors.New("device gone")

func (f *failAfter) Write(b []byte) (int, error) {
	if f.n--; f.n < 0 {
		return len(b) / 2, errWrite
	}
	return len(b), nil
}

// TestWriteError checks that a failed write is returned at once and by every later call.
func TestWriteError(t *testing.T) {
	for n := range 8 {
		w, err := NewWriter(&failAfter{n}, WriterOptions{BlockBytes: 64})
		if err == nil {
			err = w.BeginRun(1)
		}
		for i := 0; err == nil && i < 20; i++ {
			err = w.Add(&Row{Seq: uint64(i), Payload: make([]byte, 60)})
		}
		if err == nil {
			_, err = w.EndRun()
		}
		if err == nil {
			_, err = w.Finish()
		}
		if !errors.Is(err, errWrite) {
			t.Fatalf("write %d: %v", n, err)
		}
		if _, again := w.Finish(); again == nil || again.Error() != err.Error() {
			t.Errorf("write %d: then %v", n, again)
		}
	}
}

// failingReader fails reads at or past an offset.
type failingReader struct {
	io.ReaderAt
	from int64
}

func (f failingReader) ReadAt(b []byte, off int64) (int, error) {
	if off >= f.from {
		return 0, errWrite
	}
	return f.ReaderAt.ReadAt(b, off)
}

// TestReadError checks that an I/O error is passed on and is not called corruption.
func TestReadError(t *testing.T) {
	file, infos, _ := write(t, WriterOptions{}, []run{{log: 1, rows: rows(100, 40)}})
	r, err := NewReader(failingReader{bytes.NewReader(file), 100}, int64(len(file)), ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Run(infos[0].Location); !errors.Is(err, errWrite) || errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
	if err := r.Check(t.Context(), func(RunInfo, *CorruptError) { t.Error("damage") }); !errors.Is(err, errWrite) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := reader(t, file, ReaderOptions{}).Check(ctx, func(RunInfo, *CorruptError) {}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestLargeRows writes payloads up to the limit, which have blocks of their own.
func TestLargeRows(t *testing.T) {
	m := run{log: 1}
	rng := rand.New(rand.NewPCG(1, 2))
	for i, n := range []int{10, 16 << 20, 65536, 65537, 1 << 20, 0, MaxRowBytes} {
		p := make([]byte, n)
		for j := 0; j < n; j += 1 + n/50000 {
			p[j] = byte(rng.Uint32())
		}
		if n == 0 {
			p = nil
		}
		m.rows = append(m.rows, Row{Seq: uint64(i), Payload: p})
	}
	for _, c := range []Compression{S2, Zstd, None} {
		file, _, _ := write(t, WriterOptions{Compression: c}, []run{m})
		got, err := readAll(file)
		if err != nil {
			t.Fatal(err)
		}
		for i := range m.rows {
			if !bytes.Equal(got[0].rows[i].Payload, m.rows[i].Payload) {
				t.Errorf("compression %d, row %d differs", c, i)
			}
		}
	}
}

// TestManyTinyRuns writes 300,000 runs of one row: the writer's memory, and what opening reads, stay small.
func TestManyTinyRuns(t *testing.T) {
	const n = 300_000
	var buf bytes.Buffer
	w, err := NewWriter(&buf, WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	row := Row{Payload: []byte("12345678")}
	locs := make([]RunInfo, 0, n)
	for i := range uint64(n) {
		row.Time = int64(i)
		if err := errors.Join(w.BeginRun(i), w.Add(&row)); err != nil {
			t.Fatal(err)
		}
		info, err := w.EndRun()
		if err != nil {
			t.Fatal(err)
		}
		locs = append(locs, info)
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	if held := cap(w.page) + cap(w.pages)*64 + cap(w.out); held > 256<<10 {
		t.Errorf("writer holds %d bytes for its directory", held)
	}
	t.Logf("%d bytes per run", buf.Len()/n)
	count := &countingReader{ReaderAt: bytes.NewReader(buf.Bytes())}
	r, err := NewReader(count, int64(buf.Len()), ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range []uint64{0, 1, 2500, n / 2, n - 1} {
		got, ok, err := r.Find(log, 0)
		if err != nil || !ok || got != locs[log] {
			t.Fatalf("log %d: %+v %v %v", log, got, ok, err)
		}
	}
	if count.n > 5*maxPageBytes+64<<10 {
		t.Errorf("five lookups read %d bytes", count.n)
	}
	i := 0
	for got, err := range r.Runs() {
		if err != nil || got != locs[i] {
			t.Fatalf("run %d: %+v %v", i, got, err)
		}
		i++
	}
	if i != n {
		t.Fatalf("%d runs", i)
	}
}

type countingReader struct {
	io.ReaderAt
	n int64
}

func (c *countingReader) ReadAt(b []byte, off int64) (int, error) {
	c.n += int64(len(b))
	return c.ReaderAt.ReadAt(b, off)
}

// TestScanAllocations checks that a cursor does not allocate in steady state, with every compression.
func TestScanAllocations(t *testing.T) {
	for _, c := range []Compression{S2, Zstd, None} {
		file, infos, _ := write(t, WriterOptions{Compression: c}, []run{{log: 1, rows: benchRows(20_000)}})
		run, err := reader(t, file, ReaderOptions{}).Run(infos[0].Location)
		if err != nil {
			t.Fatal(err)
		}
		var cur Cursor
		n := 0
		scan := func() {
			cur.Reset(run, 0, math.MaxUint64)
			for cur.Next() {
				n += len(cur.Row().Payload)
			}
		}
		scan()
		if a := testing.AllocsPerRun(5, scan); a > 0 && !(raceEnabled && c == Zstd) {
			t.Errorf("compression %d: %v allocations per scan of 20,000 rows", c, a)
		}
		if cur.Err() != nil || n == 0 {
			t.Fatal(cur.Err())
		}
	}
}
