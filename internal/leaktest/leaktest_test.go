package leaktest

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestFinds leaves a goroutine and a file behind for a while.
func TestFinds(t *testing.T) {
	if left := slices.Concat(goroutines(), files()); len(left) > 0 {
		// The test's own caller is not ours: the runner's stack names this package, and is the only one that may.
		left = slices.DeleteFunc(left, func(s string) bool {
			return strings.Contains(s, "testing.(*T).Run") || strings.Contains(s, "testing.(*M).Run")
		})
		if len(left) > 0 {
			t.Fatalf("before anything is left: %v", left)
		}
	}
	before := len(goroutines())
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		<-end
		close(ended)
	}()
	if n := len(goroutines()); n != before+1 {
		t.Errorf("%d goroutines found, before there were %d", n, before)
	}
	close(end)
	<-ended
	f, err := os.Create(t.TempDir() + "/left")
	if err != nil {
		t.Fatal(err)
	}
	if left := files(); runtime.GOOS == "linux" && (len(left) != 1 || !strings.HasSuffix(left[0], "/left")) {
		t.Errorf("files found: %v", left)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if left := files(); len(left) > 0 {
		t.Errorf("files found when it is closed: %v", left)
	}
}
