package redex

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// TestKill kills a child that appends and seals, and looks at what it had acknowledged.
func TestKill(t *testing.T) {
	if dir := os.Getenv("REDEX_KILL_DIR"); dir != "" {
		killChild(t, dir)
		return
	}
	n := 5
	if v := os.Getenv("REDEX_KILLS"); v != "" {
		var err error
		if n, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	base := t.TempDir()
	var dir string
	var acked map[string]Seq // next sequence by log
	for i := range n {
		if i%20 == 0 { // a new store, so that looking at all of it stays quick
			dir, acked = fmt.Sprintf("%s/store%d", base, i), map[string]Seq{}
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestKill$", "-test.v")
		cmd.Env = append(os.Environ(), "REDEX_KILL_DIR="+dir, fmt.Sprintf("REDEX_KILL_RUN=%d", i))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		want := 20 + (i*7919)%400 // acknowledgements before the kill
		for lines.Scan() {
			var name string
			var next Seq
			if k, _ := fmt.Sscanf(lines.Text(), "acked %s %d", &name, &next); k == 2 {
				acked[name] = max(acked[name], next)
				if want--; want == 0 {
					if err := cmd.Process.Kill(); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		err = cmd.Wait()
		if want > 0 {
			t.Fatalf("child ended by itself: %v\n%s", err, &stderr)
		}
		s := mustOpen(t, dir, Options{})
		if s.Epoch() != 1 {
			t.Fatalf("epoch %d after the death of a process", s.Epoch())
		}
		for name, next := range acked {
			l, err := s.Log(name)
			if err != nil {
				t.Fatal(err)
			}
			at := Seq(0)
			for ev, err := range l.Scan(t.Context(), 0, maxSeq) {
				if err != nil {
					t.Fatal(err)
				}
				if want := fmt.Sprintf("%s %d ", name, at); ev.Seq != at || !bytes.HasPrefix(ev.Payload, []byte(want)) {
					t.Fatalf("log %q sequence %d: %.40q", name, at, ev.Payload)
				}
				at++
			}
			if at < next {
				t.Fatalf("log %q: %d were acknowledged, %d are there", name, next, at)
			}
		}
		rep, err := s.Check(t.Context())
		if err != nil || len(rep.Damage) > 0 {
			t.Fatalf("run %d: %v, %v", i, rep.Damage, err)
		}
		mustClose(t, s)
	}
}

// killChild appends to several logs, says what was acknowledged, and ends only by being killed. With SyncNever even that loses
// nothing.
func killChild(t *testing.T, dir string) {
	ctx := context.Background()
	o := Options{SealBytes: 16 << 10, RunEvents: 20, SegmentBytes: 128 << 10}
	if run, err := strconv.Atoi(os.Getenv("REDEX_KILL_RUN")); err == nil && run%2 == 0 {
		o.Sync.Mode = SyncNever
	}
	s := mustOpen(t, dir, o)
	out := bufio.NewWriter(os.Stdout)
	for i := 0; ; i++ {
		name := fmt.Sprintf("log/%d", i%7)
		l := mustLog(t, s, name)
		var es []Entry
		next := l.Bounds().Next
		for k := range Seq(1 + i%4) {
			es = append(es, Entry{Payload: fmt.Appendf(nil, "%s %d %s", name, next+k, strings.Repeat("y", i%300))})
		}
		a, err := l.AppendBatch(ctx, es, AppendOptions{Expect: ExpectSeq(next)})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(out, "acked %s %d\n", name, a.Seq+1)
		if err := out.Flush(); err != nil {
			t.Fatal(err)
		}
	}
}
