package leaktest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// patience is how long what ends by itself may take.
const patience = 10 * time.Second

// Main runs the tests and returns the code to exit with.
func Main(m *testing.M) int {
	code := m.Run()
	if left := wait(); code == 0 && len(left) > 0 {
		fmt.Fprintf(os.Stderr, "leaktest: tests left %d things behind:\n\n%s\n", len(left), strings.Join(left, "\n\n"))
		return 1
	}
	return code
}

// wait returns what is left when nothing more goes.
func wait() []string {
	for end := time.Now().Add(patience); ; {
		left := slices.Concat(goroutines(), files(), mappings())
		if len(left) == 0 || time.Now().After(end) {
			return left
		}
		runtime.GC() // cleanups of what was forgotten
		runtime.Gosched()
	}
}

// goroutines returns the stacks of those, but for the caller's, in which there is code of this module or of Pebble.
func goroutines() (left []string) {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	for i, g := range bytes.Split(buf, []byte("\n\n")) {
		s := string(g)
		if i > 0 && (strings.Contains(s, "github.com/seed69692123/netdb") || strings.Contains(s, "cockroachdb/pebble")) {
			left = append(left, s)
		}
	}
	return left
}

// files returns the open files of tests.
func files() (left []string) {
	const dir = "/proc/self/fd"
	names, _ := os.ReadDir(dir) // none where there is no such directory
	for _, n := range names {
		if to, err := os.Readlink(filepath.Join(dir, n.Name())); err == nil && ofTest(to) {
			left = append(left, "open file "+to)
		}
	}
	return left
}

// mappings returns the mapped files of tests.
func mappings() (left []string) {
	text, _ := os.ReadFile("/proc/self/maps")
	for line := range strings.Lines(string(text)) {
		if _, path, ok := strings.Cut(line, "/"); ok && ofTest("/"+path) {
			left = append(left, "mapping of /"+strings.TrimSpace(path))
		}
	}
	return left
}

// ofTest reports whether a path is in a directory that testing.T.TempDir made.
func ofTest(path string) bool {
	rest, ok := strings.CutPrefix(path, filepath.Clean(os.TempDir())+"/")
	if !ok {
		return false
	}
	for _, kind := range []string{"Test", "Fuzz", "Benchmark", "Example"} {
		if strings.HasPrefix(rest, kind) {
			return true
		}
	}
	return false
}
