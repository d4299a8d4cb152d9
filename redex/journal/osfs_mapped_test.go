//go:build linux && !portable

package journal

import (
	"os"
	"testing"
)

// TestMapsSafely has a file system of which nothing is known: it is not mapped.
func TestMapsSafely(t *testing.T) {
	for _, dir := range []string{"/proc", "/nowhere"} {
		if mapsSafely(dir) {
			t.Errorf("%s is mapped", dir)
		}
	}
	fsys, err := OSFS("/proc")
	if err != nil {
		t.Fatal(err)
	}
	if fsys.(*osFS).mapped {
		t.Error("a journal in /proc would be mapped")
	}
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() && !mapsSafely("/dev/shm") {
		t.Error("tmpfs is not mapped")
	}
}
