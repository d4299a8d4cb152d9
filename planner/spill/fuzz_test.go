package spill

import (
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/seed69692123/netdb/internal/num"
	"github.com/seed69692123/netdb/planner/vector"
)

type openGate struct{}

func (openGate) Step(int) error                 { return nil }
func (openGate) Room(*vector.Vector, int) error { return nil }
func (openGate) Pace() *num.Pace                { return nil }

type bytesHandle struct{ b []byte }

func (h *bytesHandle) ReadAt(p []byte, at int64) (int, error) {
	n := copy(p, h.b[min(at, int64(len(h.b))):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *bytesHandle) WriteAt(p []byte, at int64) (int, error) {
	h.b = append(h.b[:at], p...)
	return len(p), nil
}
func (h *bytesHandle) Close() error { return nil }

type bytesFS struct{ h bytesHandle }

func (f *bytesFS) Create(string, string) (Handle, error) { return &f.h, nil }
func (f *bytesFS) Remove(string, string) error           { return nil }
func (f *bytesFS) List(string) ([]string, error)         { return nil, nil }

func fuzzTypes() []vector.Type {
	return []vector.Type{vector.Any, vector.Bool, vector.Int, vector.Float, vector.Text, vector.Blob, vector.IntervalType, vector.JSON}
}

// FuzzDecode reads bytes as a file, as they are and with right checksums: no panic, nothing above the sizes that were written,
// and what is read can be written and read again.
func FuzzDecode(f *testing.F) {
	write := func(rows int) []byte {
		fs := &bytesFS{}
		file := Open(Options{FS: fs}).Area(openGate{}).Create(fuzzTypes(), 0)
		cols := make([]*vector.Vector, len(fuzzTypes()))
		for i := range rows {
			for k, t := range fuzzTypes() {
				cols[k] = vector.New(t, 1)
				cols[k].Grow(1)
				switch {
				case i%3 == 2:
					cols[k].SetNull(0)
				case t == vector.Text || t == vector.Blob:
					cols[k].SetBytes(0, t.Class(), []byte("text of a row"))
				case t == vector.Any:
					cols[k].SetBytes(0, vector.ClassText, []byte("any"))
				case t == vector.JSON:
					cols[k].SetBytes(0, vector.ClassArray, []byte("[1,2,3]"))
				}
			}
			if err := file.Append(cols, 0); err != nil {
				f.Fatal(err)
			}
		}
		if err := file.Finish(); err != nil {
			f.Fatal(err)
		}
		return fs.h.b
	}
	f.Add(write(1), true)
	f.Add(write(5), true)
	f.Add(write(300), false)
	f.Add([]byte("\x01\x00\x00\x80\x01\x00\x00\x00\x00\x00\x00\x00x"), true)
	const mostRows, mostData = 400, 1 << 16
	f.Fuzz(func(t *testing.T, b []byte, fix bool) {
		file := Open(Options{FS: &bytesFS{}}).Area(openGate{}).Create(fuzzTypes(), 0)
		file.f = file1(b)
		file.maxRows = mostRows
		for k := range file.maxData {
			file.maxData[k] = mostData
		}
		if fix {
			fixChecksums(b)
		}
		r := file.Reader()
		for {
			batch, err := r.Next()
			if err != nil {
				var c *CorruptionError
				if !errors.As(err, &c) {
					t.Fatal(err)
				}
				return
			}
			if batch == nil {
				return
			}
			if batch.N > mostRows || r.MemoryBytes() > int64(len(fuzzTypes()))*(2*mostData+64*mostRows) {
				t.Fatalf("%d rows, %d bytes", batch.N, r.MemoryBytes())
			}
			again := Open(Options{FS: &bytesFS{}}).Area(openGate{}).Create(fuzzTypes(), 0)
			for i := range batch.N {
				if err := again.Append(batch.Cols, i); err != nil {
					t.Fatal(err)
				}
			}
			if err := again.Finish(); err != nil {
				t.Fatal(err)
			}
			var st vector.State
			for at, rr := 0, again.Reader(); at < batch.N; {
				b, err := rr.Next()
				if err != nil || b == nil {
					t.Fatal(b, err)
				}
				for i := range b.N {
					for k := range b.Cols {
						x, y := b.Cols[k], batch.Cols[k]
						if x.Class(i) != y.Class(at) || x.Class(i).HasBytes() && x.Type.Dynamic() && string(x.Bytes(i)) != string(y.Bytes(at)) ||
							!x.Type.Dynamic() && !st.EqualValues(x, i, y, at) {
							t.Fatalf("column %d, row %d differs", k, at)
						}
					}
					at++
				}
			}
		}
	})
}

func file1(b []byte) file {
	return file{dir: Open(Options{FS: &bytesFS{}}), h: &bytesHandle{b}, id: 1, size: int64(len(b))}
}

// fixChecksums makes every chunk of b check.
func fixChecksums(b []byte) {
	for at := 0; len(b)-at > chunkHead; {
		n := int(binary.LittleEndian.Uint32(b[at+4:]))
		if n > len(b)-at-chunkHead {
			return
		}
		binary.LittleEndian.PutUint32(b[at+8:], checksum(1, int64(at), b[at:at+8], b[at+chunkHead:at+chunkHead+n]))
		at += chunkHead + n
	}
}
