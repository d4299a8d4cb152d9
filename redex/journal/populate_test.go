package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync"
	"testing"
)

// TestPopulate fills segments faster than they are made ready, from several goroutines that populate for themselves: in small
// and large units, past ends of segments. Populating writes zeros, which must not meet a frame.
func TestPopulate(t *testing.T) {
	fs, err := OSFS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	body := func(ordinal uint64) []byte {
		b := bytes.Repeat([]byte{byte(ordinal) | 1}, 3000+int(ordinal%5000))
		binary.LittleEndian.PutUint64(b, ordinal)
		return b
	}
	o := Options{FirstSegmentBytes: 1 << 20, MaxSegmentBytes: 16 << 20, LimitBytes: -1}
	j, _, err := Open(context.Background(), fs, o, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	const writers, frames = 4, 2500
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range frames {
				if _, err := j.Append(context.Background(), Body{Head: body(uint64(w*frames + i))}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	seen := map[uint64]bool{}
	j, rec, err := Open(context.Background(), fs, o, 0, func(f Frame) error {
		n := binary.LittleEndian.Uint64(f.Body)
		if !bytes.Equal(f.Body, body(n)) || seen[n] {
			t.Errorf("frame %d of number %d is not what was appended", f.Ordinal, n)
		}
		seen[n] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(rec.Damage) > 0 || len(seen) != writers*frames {
		t.Errorf("%d frames of %d, damage %v", len(seen), writers*frames, rec.Damage)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}
