package journal

import (
	"testing"
)

// TestMapped says on which path the suite runs: mapped memory where it is known to be safe, WriteAt everywhere else.
func TestMapped(t *testing.T) {
	fsys, err := OSFS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	j, _, _ := mustOpen(t, fsys, small, 0)
	mustAppend(t, j, 100)
	if got, want := j.Stats().Mapped, mapsSafely(fsys.(*osFS).dir); got != want {
		t.Errorf("mapped %v, want %v", got, want)
	}
	mustClose(t, j)
}
