package sealed

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func smallFile(t testing.TB, c Compression) ([]byte, []run) {
	runs := []run{{log: 3}, {log: 3}, {log: 40}}
	for i := range 40 {
		runs[0].rows = append(runs[0].rows, Row{
			Seq: uint64(i), Time: int64(i / 3), Origin: uint64(i%2) << 60, Kind: uint32(i % 4), Encoding: 1, Key: []byte("k"),
			Payload: fmt.Appendf(nil, `{"zone":"north","level":%d}`, i),
		})
	}
	runs[1].rows = []Row{{Seq: 90, Time: 50, Idempotency: 77, Headers: []byte("h"), Payload: []byte("x")}, {Seq: 95, Time: 51, Flags: 1}}
	runs[2].rows = []Row{{Seq: 0, Time: -1, SchemaVersion: 4, Payload: bytes.Repeat([]byte("z"), 200)}}
	file, _, _ := write(t, WriterOptions{Compression: c, BlockBytes: 400, Salt: 5}, runs)
	return file, runs
}

// readAll reads everything in a file by footer, directory, indexes and blocks. It stops at the first error.
func readAll(file []byte) ([]run, error) {
	r, err := NewReader(bytes.NewReader(file), int64(len(file)), ReaderOptions{})
	if err != nil {
		return nil, err
	}
	var out []run
	for info, err := range r.Runs() {
		if err != nil {
			return out, err
		}
		one, err := r.Run(info.Location)
		if err != nil {
			return out, err
		}
		m := run{log: info.Log}
		c := one.Cursor(0, math.MaxUint64)
		for c.Next() {
			m.rows = append(m.rows, clone(c.Row()))
		}
		if c.Err() != nil {
			return append(out, m), c.Err()
		}
		out = append(out, m)
	}
	return out, nil
}

// TestEveryByte changes every byte of a file in three ways, and cuts it at every length: what is read is right, or an error.
func TestEveryByte(t *testing.T) {
	for _, c := range []Compression{S2, Zstd, None} {
		file, runs := smallFile(t, c)
		if got, err := readAll(file); err != nil || !cmp.Equal(runs, got, cmp.AllowUnexported(run{})) {
			t.Fatalf("%v: %s", err, cmp.Diff(runs, got, cmp.AllowUnexported(run{})))
		}
		check := func(what string, bad []byte) {
			got, err := readAll(bad)
			if err == nil {
				t.Errorf("%s: not noticed", what)
			}
			if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) {
				t.Errorf("%s: %v", what, err)
			}
			for i := range got {
				n := len(got[i].rows)
				if got[i].log != runs[i].log || n > len(runs[i].rows) || !sameRows(got[i].rows, runs[i].rows[:n]) {
					t.Errorf("%s: wrong data", what)
				}
			}
			found := false
			r, err := NewReader(bytes.NewReader(bad), int64(len(bad)), ReaderOptions{})
			if err == nil {
				err = r.Check(t.Context(), func(RunInfo, *CorruptError) { found = true })
			}
			if err == nil && !found {
				t.Errorf("%s: check found nothing", what)
			}
		}
		bad := bytes.Clone(file)
		for i := range file {
			for _, x := range []byte{1, 0x80, 0xff} {
				bad[i] ^= x
				check(fmt.Sprintf("compression %d, byte %d of %d ^ %#x", c, i, len(file), x), bad)
				bad[i] ^= x
			}
			check(fmt.Sprintf("compression %d, cut at %d of %d", c, i, len(file)), file[:i])
		}
	}
}

// TestMisplaced puts an intact block in the place of another of the same size, and one of another file there.
func TestMisplaced(t *testing.T) {
	row := func(i int) Row { return Row{Seq: uint64(i), Payload: fmt.Appendf(nil, "payload %d", i%10)} }
	var m run
	for i := range 4 {
		m.rows = append(m.rows, row(i))
	}
	o := WriterOptions{Compression: None, BlockBytes: 1, Salt: 1}
	file, infos, _ := write(t, o, []run{m})
	o.Salt = 2
	other, _, _ := write(t, o, []run{m})
	r1, err := reader(t, file, ReaderOptions{}).Run(infos[0].Location)
	if err != nil {
		t.Fatal(err)
	}
	a, b := r1.Block(1), r1.Block(2)
	if a.StoredBytes != b.StoredBytes {
		t.Fatalf("blocks of %d and %d bytes", a.StoredBytes, b.StoredBytes)
	}
	for name, src := range map[string][]byte{
		"another block": file[b.Offset : b.Offset+b.StoredBytes],
		"another file":  other[a.Offset : a.Offset+a.StoredBytes],
	} {
		bad := bytes.Clone(file)
		copy(bad[a.Offset:], src)
		run, err := reader(t, bad, ReaderOptions{}).Run(infos[0].Location)
		if err != nil {
			t.Fatal(err)
		}
		var dst Row
		if _, err := run.Read(1, &dst); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if e, ok := errors.AsType[*CorruptError](err); ok && e.Offset != a.Offset {
			t.Errorf("offset %d, want %d", e.Offset, a.Offset)
		}
		if ok, err := run.Read(2, &dst); !ok || err != nil {
			t.Errorf("the rest is not readable: %v", err)
		}
	}
}

// TestDamageIsLocal damages one block: Check names it with its run, and every other block reads.
func TestDamageIsLocal(t *testing.T) {
	file, infos, _ := write(t, WriterOptions{BlockBytes: 64}, []run{{log: 1, rows: rows(50, 40)}, {log: 2, rows: rows(50, 40)}})
	run, err := reader(t, file, ReaderOptions{}).Run(infos[1].Location)
	if err != nil {
		t.Fatal(err)
	}
	off := run.Block(10).Offset
	file[off+30] ^= 4
	var got []string
	r := reader(t, file, ReaderOptions{})
	if err := r.Check(t.Context(), func(i RunInfo, e *CorruptError) { got = append(got, fmt.Sprint(i.Log, e.Offset)) }); err != nil {
		t.Fatal(err)
	}
	if want := []string{fmt.Sprint(2, off)}; !cmp.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if run, err = r.Run(infos[1].Location); err != nil {
		t.Fatal(err)
	}
	var dst Row
	for i := range uint64(50) {
		if _, err := run.Read(i, &dst); (err != nil) != (i == run.Block(10).First) {
			t.Errorf("row %d: %v", i, err)
		}
	}
}
