package spill_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/seed69692123/netdb/internal/num"
	"github.com/seed69692123/netdb/planner/spill"
	"github.com/seed69692123/netdb/planner/spilltest"
	"github.com/seed69692123/netdb/planner/vector"
)

// gate counts what it is asked, and refuses from a number of bytes on.
type gate struct {
	steps, most int
	room        int
	stopAfter   int // bytes; 0 never
	roomLimit   int
}

var (
	errStopped = errors.New("stopped")
	errRoom    = errors.New("no room")
)

func (g *gate) Step(n int) error {
	g.steps += n
	g.most = max(g.most, n)
	if g.stopAfter > 0 && g.steps > g.stopAfter {
		return errStopped
	}
	return nil
}

func (g *gate) Room(_ *vector.Vector, n int) error {
	if g.room += n; g.roomLimit > 0 && n > g.roomLimit {
		return errRoom
	}
	return nil
}
func (g *gate) Pace() *num.Pace { return nil }

var allTypes = []vector.Type{
	vector.Any, vector.Bool, vector.Int, vector.Float, vector.Text, vector.Blob, vector.Time, vector.Date, vector.IntervalType, vector.JSON,
}

// table makes n rows of every type, with every class of value in the dynamic columns and NULLs everywhere.
func table(n, text int) []*vector.Vector {
	var cols []*vector.Vector
	for _, t := range allTypes {
		v := vector.New(t, 0)
		for i := range n {
			if i%7 == 3 {
				v.AppendNull()
				continue
			}
			body := fmt.Appendf(nil, "%d%s", i, strings.Repeat("é", i%3*text))
			switch c := t.Class(); {
			case t == vector.Bool:
				v.AppendBool(i%2 == 0)
			case t == vector.Float:
				v.AppendFloat([]float64{math.NaN(), math.Copysign(0, -1), math.Inf(1), float64(i) / 3}[i%4])
			case t == vector.IntervalType:
				v.AppendInterval(vector.Interval{Months: int32(-i), Days: int32(i), Nanos: int64(i) << 40})
			case t == vector.Text || t == vector.Blob:
				v.AppendBytes(c, body)
			case !t.Dynamic():
				v.AppendInt(int64(i) - 5)
			default:
				switch i % 12 {
				case 0:
					v.AppendExplicitNull()
				case 1:
					v.AppendBool(true)
				case 2:
					v.AppendInt(math.MinInt64 + int64(i))
				case 3:
					v.AppendFloat(math.NaN())
				case 4:
					v.AppendBytes(vector.ClassBig, []byte("123456789012345678901234567890"))
				case 5:
					v.AppendText(body)
				case 6:
					v.AppendBlob(body)
				case 7:
					v.AppendTime(int64(i))
				case 8:
					v.AppendDate(int64(i))
				case 9:
					v.AppendInterval(vector.Interval{Months: 1, Days: -2, Nanos: 3})
				case 10:
					v.AppendBytes(vector.ClassArray, []byte("[1,2]"))
				default:
					v.AppendBytes(vector.ClassObject, []byte(`{"a":1}`))
				}
			}
		}
		cols = append(cols, v)
	}
	return cols
}

// same reports how row j of b differs from row i of a.
func same(a []*vector.Vector, i int, b []*vector.Vector, j int) error {
	var st vector.State
	for k := range a {
		if a[k].Class(i) != b[k].Class(j) || a[k].ExplicitNull(i) != b[k].ExplicitNull(j) || !st.EqualValues(a[k], i, b[k], j) {
			return fmt.Errorf("column %d, row %d: class %v, was %v", k, i, b[k].Class(j), a[k].Class(i))
		}
		if a[k].Class(i) == vector.ClassFloat && math.Float64bits(a[k].Float(i)) != math.Float64bits(b[k].Float(j)) {
			return fmt.Errorf("column %d, row %d: %v", k, i, b[k].Float(j))
		}
	}
	return nil
}

// roundTrip writes n rows and reads them twice.
func roundTrip(d *spill.Dir, g vector.Gate, cols []*vector.Vector, n, block int) (err error) {
	a := d.Area(g)
	defer func() { err = errors.Join(err, a.Close()) }()
	f := a.Create(allTypes, block)
	for i := range n {
		if err := f.Append(cols, i); err != nil {
			return err
		}
	}
	if err := f.Finish(); err != nil {
		return err
	}
	for range 2 {
		r := f.Reader()
		at := 0
		for {
			b, err := r.Next()
			if err != nil {
				return err
			}
			if b == nil {
				break
			}
			for k := range b.N {
				if err := same(cols, at, b.Cols, k); err != nil {
					return err
				}
				at++
			}
			if most := 2*f.BlockBytes() + 4<<10; r.MemoryBytes() > most {
				return fmt.Errorf("a block takes %d bytes, said were %d", r.MemoryBytes(), f.BlockBytes())
			}
		}
		if at != n || f.Rows() != int64(n) {
			return fmt.Errorf("%d rows, %d", at, f.Rows())
		}
	}
	return f.Close()
}

func TestRoundTrip(t *testing.T) {
	for _, tt := range []struct{ rows, text, block int }{
		{0, 0, 0}, {1, 1, 0}, {12, 1, 0}, {5000, 2, 1 << 20}, {5000, 20, 8 << 10}, {40, 100_000, 1 << 18}, {9, 300_000, 0},
	} {
		mem := &spilltest.FS{}
		for _, fs := range []spill.FS{mem, nil, &spilltest.FS{Named: true}} {
			dir := filepath.Join(t.TempDir(), "made", "late")
			d := spill.Open(spill.Options{Path: dir, FS: fs})
			g := &gate{}
			if err := roundTrip(d, g, table(tt.rows, tt.text), tt.rows, tt.block); err != nil {
				t.Fatalf("%+v: %v", tt, err)
			}
			if d.UsedBytes() != 0 || d.Files() != 0 {
				t.Errorf("%+v: %d bytes of %d files left", tt, d.UsedBytes(), d.Files())
			}
			if names, _ := os.ReadDir(dir); len(names) > 0 {
				t.Errorf("%+v: %v left", tt, names)
			}
			if f, ok := fs.(*spilltest.FS); ok {
				if names, open := f.Left(); len(names) > 0 || open > 0 {
					t.Errorf("%+v: left %v, %d open", tt, names, open)
				}
			}
			if g.most > 256<<10 || mem.MostBytes() > 256<<10 {
				t.Errorf("%+v: a step of %d, a call of %d bytes", tt, g.most, mem.MostBytes())
			}
		}
	}
}

// TestUnlinked: an open file has no name, where that can be.
func TestUnlinked(t *testing.T) {
	dir := t.TempDir()
	a := spill.Open(spill.Options{Path: dir}).Area(&gate{})
	f := a.Create(allTypes, 0)
	cols := table(9, 300_000)
	for i := range 9 {
		if err := f.Append(cols, i); err != nil {
			t.Fatal(err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 || f.SizeBytes() == 0 {
		t.Errorf("%v, %v with %d bytes written", entries, err, f.SizeBytes())
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// TestFaults has each call of the file system fail, and each read give a wrong bit. It is an error, of the right kind, and
// nothing is left: neither a name nor an open file.
func TestFaults(t *testing.T) {
	cols := table(600, 30)
	run := func(fs *spilltest.FS) error {
		d := spill.Open(spill.Options{Path: "x", FS: fs})
		err := roundTrip(d, &gate{}, cols, 600, 4<<10)
		if names, open := fs.Left(); len(names) > 0 || open > 0 || d.UsedBytes() != 0 || d.Files() != 0 {
			t.Errorf("call %d, read %d: left %v, %d open, %d bytes", fs.FailAt, fs.FlipAt, names, open, d.UsedBytes())
		}
		return err
	}
	clean := &spilltest.FS{}
	if err := run(clean); err != nil {
		t.Fatal(err)
	}
	calls, reads := clean.Calls()
	if calls < 20 || reads < 10 {
		t.Fatalf("%d calls, %d reads", calls, reads)
	}
	harmless := 0 // the listing, and a removal that is made again
	for at := 1; at <= calls; at++ {
		for _, named := range []bool{false, true} {
			err := run(&spilltest.FS{FailAt: at, Named: named})
			var e *spill.Error
			switch {
			case err == nil:
				harmless++
			case !errors.Is(err, spilltest.ErrFault) || !errors.As(err, &e) || errors.Is(err, spill.ErrFull):
				t.Errorf("call %d: %v", at, err)
			}
			err = run(&spilltest.FS{FailAt: at, Named: named, Err: syscall.ENOSPC})
			if err != nil && !errors.Is(err, spill.ErrFull) {
				t.Errorf("call %d on a full disk: %v", at, err)
			}
		}
	}
	if harmless != 4 {
		t.Errorf("%d failures without an error", harmless)
	}
	for at := 1; at <= reads; at++ {
		var e *spill.CorruptionError
		if err := run(&spilltest.FS{FlipAt: at}); !errors.As(err, &e) {
			t.Errorf("read %d: %v", at, err)
		}
	}
}

func TestLimit(t *testing.T) {
	fs := &spilltest.FS{}
	d := spill.Open(spill.Options{FS: fs, LimitBytes: 50_000})
	var e *spill.LimitError
	err := roundTrip(d, &gate{}, table(5000, 20), 5000, 8<<10)
	if !errors.Is(err, spill.ErrFull) || !errors.As(err, &e) || e.LimitBytes != 50_000 || e.NeedBytes <= 50_000 {
		t.Errorf("%v", err)
	}
	if names, open := fs.Left(); len(names) > 0 || open > 0 || d.UsedBytes() != 0 {
		t.Errorf("left %v, %d open, %d bytes", names, open, d.UsedBytes())
	}
	if err := roundTrip(d, &gate{}, table(500, 2), 500, 8<<10); err != nil {
		t.Error(err)
	}
}

// TestGate: a cancelled query stops at the next chunk, and large values are asked for.
func TestGate(t *testing.T) {
	cols := table(9, 300_000)
	g := &gate{}
	if err := roundTrip(spill.Open(spill.Options{FS: &spilltest.FS{}}), g, cols, 9, 0); err != nil || g.room < 1_000_000 {
		t.Fatalf("%d bytes asked for, %v", g.room, err)
	}
	size := 0
	for _, v := range cols {
		for i := range v.Len {
			size += v.DataLen(i)
		}
	}
	if g.steps < 3*size { // it is written once and read twice
		t.Errorf("%d bytes of work, with %d bytes of values", g.steps, size)
	}
	for stop := 1; stop < g.steps; stop += g.steps / 40 {
		fs := &spilltest.FS{}
		s := &gate{stopAfter: stop}
		if err := roundTrip(spill.Open(spill.Options{FS: fs}), s, cols, 9, 0); !errors.Is(err, errStopped) {
			t.Errorf("after %d of %d bytes: %v", stop, g.steps, err)
		}
		if s.steps > stop+256<<10 {
			t.Errorf("went on for %d bytes", s.steps-stop)
		}
	}
	if err := roundTrip(spill.Open(spill.Options{FS: &spilltest.FS{}}), &gate{roomLimit: 1 << 18}, cols, 9, 0); !errors.Is(err, errRoom) {
		t.Error(err)
	}
}

// TestCleaning: what a crash has left goes when a directory is opened; what is open, or not ours, stays.
func TestCleaning(t *testing.T) {
	const left = "netdb-spill-0123456789abcdef0123456789abcdef.tmp"
	others := []string{
		"netdb-spill-.tmp", "netdb-spill-0123456789abcdef0123456789abcdeg.tmp", "notes.txt", "netdb-spill-0123456789abcdef0123456789abcdef.tmp.bak",
		"x-netdb-spill-0123456789abcdef0123456789abcdef.tmp", "netdb-spill-0123456789abcdef.tmp",
	}
	dir := t.TempDir()
	for _, n := range append([]string{left}, others...) {
		if err := os.WriteFile(filepath.Join(dir, n), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "netdb-spill-ffffffffffffffffffffffffffffffff.tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	spill.Open(spill.Options{Path: dir})
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(others)+1 {
		t.Errorf("%v, %v", entries, err)
	}
	if _, err := os.Stat(filepath.Join(dir, left)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	missing := filepath.Join(dir, "missing")
	spill.Open(spill.Options{Path: missing})
	if _, err := os.Stat(missing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("opening made the directory: %v", err)
	}

	// A second database opens the directory while a file with a name is in use.
	fs := &spilltest.FS{Named: true}
	cols := table(100, 2)
	a := spill.Open(spill.Options{FS: fs}).Area(&gate{})
	f := a.Create(allTypes, 0)
	for i := range 100 {
		if err := f.Append(cols, i); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Finish(); err != nil {
		t.Fatal(err)
	}
	spill.Open(spill.Options{FS: fs})
	if b, err := f.Reader().Next(); err != nil || b == nil {
		t.Error(b, err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if names, open := fs.Left(); len(names) > 0 || open > 0 {
		t.Errorf("left %v, %d open", names, open)
	}
}
