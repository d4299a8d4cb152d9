package journal

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
)

// inspected returns what Inspect tells, a line each, and checks that it goes over all bytes once.
func inspected(t *testing.T, b []byte) (out []string) {
	t.Helper()
	at := int64(0)
	err := Inspect(b, func(in *Inspected) error {
		if in.Offset != at || in.Bytes <= 0 && len(b) > 0 {
			t.Fatalf("%s at %d with %d bytes, %d was next", in.What, in.Offset, in.Bytes, at)
		}
		at += in.Bytes
		line := fmt.Sprintf("%s %d", in.What, in.Ordinal)
		if in.Err != nil {
			line += " bad"
		}
		out = append(out, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// inspectedSegment is a closed segment with five frames, the third of them large.
func inspectedSegment(t testing.TB) []byte {
	dir := t.TempDir()
	fs, err := OSFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	j, _, err := Open(context.Background(), fs, Options{}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		body := fmt.Append(nil, "body ", i)
		if i == 2 {
			body = make([]byte, 70_000)
		}
		if _, err := j.Append(context.Background(), Body{Head: body}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(dir + "/" + segmentName(1))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestInspect tells what is in a segment, also around damage.
func TestInspect(t *testing.T) {
	b := inspectedSegment(t)
	whole := "header 1, frame 1, frame 2, large frame 3, frame 4, frame 5, end mark 5"
	got := strings.Join(inspected(t, b), ", ")
	if !strings.HasPrefix(got, whole) {
		t.Errorf("%s", got)
	}
	for at, want := range map[int]string{
		headerPageBytes + 34:     "header 1, frame 1 bad, frame 2, large frame 3, frame 4, frame 5, end mark 5",
		headerPageBytes + 2:      "header 1, damage 0 bad, frame 2, large frame 3, frame 4, frame 5, end mark 5",
		headerPageBytes + 50_000: "header 1, frame 1, frame 2, large frame 3 bad, frame 4, frame 5, end mark 5",
		10:                       whole, // there are two headers
	} {
		bad := append([]byte(nil), b...)
		bad[at] ^= 8
		if got := strings.Join(inspected(t, bad), ", "); !strings.HasPrefix(got, want) {
			t.Errorf("harmed at %d: %s", at, got)
		}
	}
	if got := inspected(t, b[:headerPageBytes+100]); got[len(got)-1] != "frame 3 bad" && !strings.HasSuffix(got[len(got)-1], "bad") {
		t.Errorf("cut: %v", got)
	}
}

// FuzzInspect takes any bytes behind a right header.
func FuzzInspect(f *testing.F) {
	b := inspectedSegment(f)
	f.Add(b[:headerPageBytes+200], true)
	f.Add([]byte("NETDBJNL"), false)
	f.Fuzz(func(t *testing.T, tail []byte, header bool) {
		if header {
			tail = append(append([]byte(nil), b[:headerPageBytes]...), tail...)
		}
		n := int64(0)
		if err := Inspect(tail, func(in *Inspected) error {
			n++
			if n > int64(len(tail))/8+2 {
				t.Fatal("it does not end")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	})
}
