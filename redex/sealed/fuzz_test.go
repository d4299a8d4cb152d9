package sealed

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"runtime"
	"testing"
)

// mend recomputes every checksum of a file, so that fuzzing reaches what lies behind them.
func mend(file []byte) {
	if len(file) < headerBytes+trailerBytes {
		return
	}
	binary.LittleEndian.PutUint32(file[28:], crc32.Checksum(file[:28], castagnoli))
	salt := binary.LittleEndian.Uint64(file[12:])
	at := len(file) - trailerBytes
	t := file[at:]
	binary.LittleEndian.PutUint32(t[16:], crc32.Update(seed(salt, int64(at)), castagnoli, t[:16]))
	footer, err := parseTrailer(t, salt, int64(at))
	if err != nil {
		return
	}
	object := func(loc Location) []byte {
		if loc.Offset < headerBytes || loc.Length < objectHeaderBytes || loc.Offset > int64(at)-int64(loc.Length) {
			return nil
		}
		b := file[loc.Offset : loc.Offset+int64(loc.Length)]
		sealObject(b, salt, loc.Offset)
		return b[objectHeaderBytes:]
	}
	body := object(footer)
	if body == nil {
		return
	}
	_, pages, err := parseFooter(body, footer.Offset)
	if err != nil {
		return
	}
	for _, p := range pages {
		v := varints{b: object(p.loc)}
		var prev RunInfo
		for range p.runs {
			run, err := readPageEntry(&v, prev, p.loc.Offset)
			if err != nil {
				break
			}
			prev = run
			body := object(run.Location)
			if body == nil {
				break
			}
			info, blocks, err := parseIndex(body, run.Location)
			if err != nil {
				break
			}
			off := run.Location.Offset - (info.StoredBytes - int64(run.Location.Length))
			for _, e := range blocks {
				b := file[off : off+e.total]
				head := b[:blockHeaderBytes+e.columns]
				binary.LittleEndian.PutUint32(head[20:], crc32.Checksum(b[len(head):], castagnoli))
				binary.LittleEndian.PutUint32(head, crc32.Update(seed(salt, off), castagnoli, head[4:]))
				off += e.total
			}
		}
	}
}

// FuzzFile reads arbitrary files, with and without right checksums: no panic, and no more memory than a limit.
func FuzzFile(f *testing.F) {
	for _, c := range []Compression{S2, Zstd, None} {
		file, _ := smallFile(f, c)
		f.Add(file, true)
		f.Add(file, false)
	}
	empty, _, _ := write(f, WriterOptions{Salt: 1}, nil)
	f.Add(empty, true)
	f.Fuzz(func(t *testing.T, file []byte, mended bool) {
		if mended {
			mend(file)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		runs, err := readAll(file)
		if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrForeign) {
			t.Fatalf("error of another kind: %v", err)
		}
		rows, raw := 0, 0
		for _, r := range runs {
			rows += len(r.rows)
			for i := range r.rows {
				raw += len(r.rows[i].Payload) + len(r.rows[i].Key) + len(r.rows[i].Headers)
			}
		}
		runtime.ReadMemStats(&after)
		// What a decoder may take: the largest block and the buffers of one, beside what the file really holds.
		if used, limit := after.TotalAlloc-before.TotalAlloc, uint64(2*MaxRowBytes+8<<20+64*len(file)+4*raw+1024*rows); used > limit {
			t.Fatalf("%d bytes allocated for a file of %d with %d rows", used, len(file), rows)
		}
		if r, err := NewReader(bytes.NewReader(file), int64(len(file)), ReaderOptions{}); err == nil {
			if err := r.Check(t.Context(), func(RunInfo, *CorruptError) {}); err != nil {
				t.Fatal(err)
			}
			for info, err := range r.Runs() {
				if err != nil {
					break
				}
				if run, err := r.Run(info.Location); err == nil {
					var row Row
					for _, seq := range []uint64{0, info.First, info.Last, math.MaxUint64} {
						_, e1 := run.Read(seq, &row)
						_, _, _, e2 := run.SeekTime(info.MaxTime)
						if err := errors.Join(e1, e2); err != nil && !errors.Is(err, ErrCorrupt) {
							t.Fatal(err)
						}
					}
				}
			}
		}
	})
}

// FuzzColumn packs and unpacks numbers, and unpacks arbitrary bytes.
func FuzzColumn(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	f.Add(bytes.Repeat([]byte{0xff, 1, 0, 0, 0, 0, 0, 0x80}, 20))
	f.Add([]byte{modeDict, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		out := make([]uint64, 1+len(b)%100)
		_, _ = readColumn(out, b, math.MaxUint64)
		_, _ = readColumn(make([]uint8, 1+len(b)%100), b, 200)
		var in []uint64
		for i := 0; i+8 <= len(b); i += 8 {
			in = append(in, binary.LittleEndian.Uint64(b[i:])>>(b[i]&63))
		}
		if len(in) == 0 {
			return
		}
		var p packer
		for _, dict := range []bool{false, true} {
			enc := append(p.appendColumn(nil, in, dict), 0xaa)
			got := make([]uint64, len(in))
			rest, err := readColumn(got, enc, math.MaxUint64)
			if err != nil || len(rest) != 1 || rest[0] != 0xaa {
				t.Fatalf("%v, %x left", err, rest)
			}
			for i := range in {
				if in[i] != got[i] {
					t.Fatalf("number %d: %d, want %d", i, got[i], in[i])
				}
			}
			if i := len(in) - 1; in[i] > 0 {
				if _, err := readColumn(got, enc, in[i]-1); err == nil {
					t.Fatal("number over the limit not noticed")
				}
			}
		}
	})
}
