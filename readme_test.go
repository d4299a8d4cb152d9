package netdb_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadmeProgram builds the README's program as a module of its own, as a user would, and runs it.
func TestReadmeProgram(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "\n```go\n")
	program, _, closed := strings.Cut(rest, "\n```\n")
	if !found || !closed {
		t.Fatal("README.md has no Go program")
	}
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"main.go": program + "\n", "go.mod": userModule(t, root), "go.sum": readText(t, "go.sum")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, stderr.String())
		}
		return string(out)
	}
	program = filepath.Join(dir, "program")
	run("go", "build", "-o", program, ".")
	if got, want := run(program), "19.75 true\nada 19.75 <nil>\n"; got != want {
		t.Errorf("the program prints %q, want %q", got, want)
	}
	if info, err := os.Stat(filepath.Join(dir, "shop.snapshot")); err != nil || info.Size() == 0 {
		t.Errorf("the program's snapshot: %v, %v", info, err)
	}
	if got, want := run(program), "39.5 true\nada 39.5 <nil>\n"; got != want {
		t.Errorf("run again on its store, the program prints %q, want %q", got, want)
	}
}

// userModule is the go.mod of a user of this checkout: what this module requires, at the same versions.
func userModule(t *testing.T, root string) string {
	t.Helper()
	_, requires, found := strings.Cut(readText(t, "go.mod"), "\n\n")
	if !found {
		t.Fatal("go.mod has no requirements")
	}
	const module = "github.com/seed69692123/netdb"
	return "module example.com/shop\n\n" + requires + "\nrequire " + module + " v0.0.0\n\nreplace " + module + " => " + root + "\n"
}

func readText(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
