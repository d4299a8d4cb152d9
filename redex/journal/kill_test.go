//go:build unix

package journal

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/seed69692123/netdb/internal/leaktest"
)

const childEnv = "JOURNAL_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(leaktest.Main(m)) // no goroutine, open file or mapping is left behind
}

// child appends without a sync and tells each ordinal when it is visible, until it is killed.
func child(dir string) error {
	fsys, err := OSFS(dir)
	if err != nil {
		return err
	}
	j, rec, err := Open(context.Background(), fsys, small, 0, nil)
	if err != nil {
		return err
	}
	if rec.MayHaveLost {
		return fmt.Errorf("may have lost: %+v", rec)
	}
	for {
		p, err := j.Append(context.Background(), Body{Head: bodyOf(j.Visible()+1, 700)})
		if err != nil {
			return err
		}
		if _, err := fmt.Println(uint64(p.Ordinal)); err != nil {
			return err
		}
	}
}

// TestKilledProcess kills a process in the middle of appends: what it saw returned is there, in the same epoch.
func TestKilledProcess(t *testing.T) {
	fsys, err := OSFS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := fsys.(*osFS).dir
	var acked Ordinal
	for round := range 4 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+dir)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(out)
		for i := 0; ; i++ {
			line, err := lines.ReadString('\n')
			if err != nil {
				break // the rest of what it said before it died
			}
			if _, err := fmt.Sscan(line, &acked); err != nil {
				t.Fatal(err)
			}
			if i == 300+100*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err == nil || stderr.Len() > 0 {
			t.Fatalf("round %d: child ended by itself: %s", round, stderr.String())
		}
		j, rec, frames := mustOpen(t, fsys, small, 0)
		if rec.Clean || !rec.SameBoot && bootID() != [16]byte{} || rec.NewEpoch && rec.SameBoot || len(rec.Damage) > 0 {
			t.Fatalf("round %d: %+v", round, rec)
		}
		if rec.Last < acked || Ordinal(len(frames)) != rec.Last {
			t.Fatalf("round %d: %d frames up to %d, acknowledged %d", round, len(frames), rec.Last, acked)
		}
		for i, f := range frames {
			if f.Ordinal != Ordinal(i+1) || !bytes.Equal(f.Body, bodyOf(f.Ordinal, 700)) {
				t.Fatalf("round %d: frame %d is %d", round, i, f.Ordinal)
			}
		}
		mustClose(t, j)
	}
	if acked < 1000 {
		t.Fatalf("%d frames in all", acked)
	}
}
