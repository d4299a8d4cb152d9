package journal

import (
	"bytes"
	"context"
	"testing"
)

func FuzzHeader(f *testing.F) {
	h := &header{
		number: 7, salt: 1 << 40, first: 100, durable: 99, lastTime: 12345, prev: 5, prevEnd: 4096, epoch: 3, size: 1 << 20,
		epochs: []EpochStart{{1, 1}, {3, 100}},
	}
	f.Add(encodeHeader(h))
	f.Add(encodeHeader(&header{number: 1, first: 1, epoch: 1}))
	f.Add(make([]byte, headerPageBytes))
	f.Add([]byte(magic))
	second := encodeHeader(h)
	clear(second[:headerCopyAt])
	f.Add(second)
	marked := encodeHeader(h)
	putReuseMark(marked, h.number)
	f.Add(marked)
	f.Fuzz(func(t *testing.T, b []byte) {
		reused := decodeReuseMark(b, 7)
		h, err := decodeHeader(b)
		if err != nil {
			return
		}
		page := encodeHeader(h)
		if putReuseMark(page, 7); !decodeReuseMark(page, 7) || decodeReuseMark(page, 8) || reused && string(page[reuseMarkAt:]) != string(b[reuseMarkAt:headerPageBytes]) {
			t.Fatalf("mark of reuse %x", page[reuseMarkAt:])
		}
		again, err := decodeHeader(encodeHeader(h))
		if err != nil || again.number != h.number || again.first != h.first || again.salt != h.salt || again.prevEnd != h.prevEnd ||
			again.epoch != h.epoch || len(again.epochs) != len(h.epochs) || again.boot != h.boot || again.durable != h.durable {
			t.Fatalf("%+v, again %+v: %v", h, again, err)
		}
	})
}

func FuzzFrame(f *testing.F) {
	b := make([]byte, frameBytes(5))
	putFrame(b, 9, 1, 2, 0, []byte("he"), []byte("llo"))
	f.Add(b, uint32(9))
	big := make([]byte, frameBytes(blockBytes+1))
	putFrame(big, 9, 100, 2, 50, make([]byte, blockBytes+1), nil)
	f.Add(big, uint32(9))
	mark := make([]byte, frameHeaderBytes)
	putFrameHeader(mark, 1, 5, 6, 0, kindClean, 5, 0)
	f.Add(mark, uint32(1))
	f.Fuzz(func(t *testing.T, b []byte, salt uint32) {
		h, ok := decodeFrameHeader(b, salt)
		if !ok || h.checkBody(b, salt) != nil || h.size == 0 {
			return
		}
		body := b[h.bodyAt():][:h.size]
		again := make([]byte, h.bytes())
		putFrame(again, salt, h.ordinal, h.time, h.durable, body[:len(body)/2], body[len(body)/2:])
		g, ok := decodeFrameHeader(again, salt)
		if !ok || g.ordinal != h.ordinal || g.time != h.time || g.size != h.size || g.checkBody(again, salt) != nil {
			t.Fatalf("%+v, again %+v", h, g)
		}
	})
}

// FuzzOpen puts any bytes behind the header of a segment. With checksums made right for them they reach deeper.
func FuzzOpen(f *testing.F) {
	seed := func(frames int, durable Ordinal, kind uint8) []byte {
		var all []byte
		for i := range frames {
			b := make([]byte, frameBytes(9))
			putFrame(b, 0, Ordinal(i+1), int64(i+1), min(durable, Ordinal(i)), []byte("some body"), nil)
			all = append(all, b...)
		}
		mark := make([]byte, frameHeaderBytes)
		putFrameHeader(mark, 0, Ordinal(frames), int64(frames), 0, kind, durable, 0)
		return append(all, mark...)
	}
	f.Add(seed(3, 2, kindIdle), uint16(0), true)
	f.Add(seed(5, 5, kindClean), uint16(60), true)
	f.Add(seed(4, 0, kindEnd), uint16(100), false)
	f.Add([]byte{}, uint16(0), true)
	f.Fuzz(func(t *testing.T, b []byte, hole uint16, write bool) {
		const size = minSegmentBytes
		m := MemFS().(*memFS)
		mem := make([]byte, size)
		copy(mem, encodeHeader(&header{number: 1, first: 1, epoch: 1, size: size, epochs: []EpochStart{{1, 1}}}))
		copy(mem[headerPageBytes:], b)
		mem[headerPageBytes+int(hole)%(size-headerPageBytes)] ^= 0x10
		m.files[segmentName(1)] = &memFile{mem: mem}
		o := small
		o.ReadOnly = !write
		var last Ordinal
		var at int64
		j, rec, err := Open(context.Background(), m, o, 0, func(f Frame) error {
			if f.Ordinal <= last || f.Time <= at || len(f.Body) == 0 {
				t.Fatalf("ordinal %d at %d after %d at %d", f.Ordinal, f.Time, last, at)
			}
			last, at = f.Ordinal, f.Time
			return nil
		})
		if err != nil {
			return
		}
		if rec.Last < last {
			t.Fatalf("last %d, seen %d", rec.Last, last)
		}
		if write {
			p, err := j.Append(context.Background(), Body{Head: []byte("more")})
			if err != nil || p.Ordinal != rec.Last+1 {
				t.Fatalf("append: %+v %v after %d", p, err, rec.Last)
			}
			got, err := j.Read(p.Loc, 0, 4, nil)
			if err != nil || !bytes.Equal(got, []byte("more")) {
				t.Fatal(err)
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
