package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestForeignTokens checks that a token is waited for in its own store, and is refused by another one and by a copy that was
// restored from before the write.
func TestForeignTokens(t *testing.T) {
	dir := t.TempDir()
	call := func(args ...string) (int, string, string) {
		t.Helper()
		var out, errOut strings.Builder
		code := run(args, strings.NewReader(""), &out, &errOut)
		return code, out.String(), errOut.String()
	}
	write := func(db string) string {
		t.Helper()
		code, out, errOut := call("-csv", db, ".append", "a", "{}")
		f := strings.Split(strings.TrimSpace(out), ",")
		if code != 0 || len(f) < 3 {
			t.Fatal(out, errOut)
		}
		return f[len(f)-1]
	}
	one, two, copied, file := filepath.Join(dir, "one"), filepath.Join(dir, "two"), filepath.Join(dir, "copied"), filepath.Join(dir, "snapshot")
	before := write(one)
	if code, _, errOut := call(one, ".snapshot", file); code != 0 {
		t.Fatal(errOut)
	}
	after := write(one)
	write(two)
	if code, _, errOut := call(two, ".restore", file, copied); code != 0 {
		t.Fatal(errOut)
	}
	for _, c := range []struct {
		db, token string
		code      int
		say       string
	}{
		{one, before, 0, ""},
		{one, after, 0, ""},
		{two, after, 1, "another store"},
		{copied, before, 0, ""},
		{copied, after, 1, "epoch"},
	} {
		code, _, errOut := call(c.db, ".wait", c.token)
		if code != c.code || !strings.Contains(errOut, c.say) || c.say == "" && errOut != "" {
			t.Errorf("wait in %s for %s: exit code %d, %q", filepath.Base(c.db), c.token, code, errOut)
		}
	}
}
