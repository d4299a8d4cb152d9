//go:build !linux || portable

package journal

import "testing"

// TestNeverMapped holds the build tag portable to its purpose: wherever a journal is, it is written with WriteAt.
func TestNeverMapped(t *testing.T) {
	if mapsSafely(t.TempDir()) {
		t.Error("a directory is mapped")
	}
	if _, err := mapFile(nil, 1, true); err == nil {
		t.Error("a file can be mapped")
	}
}
