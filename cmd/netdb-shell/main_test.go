package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/seed69692123/netdb"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"netdb-shell": main})
}

// TestScripts runs the scripts in testdata/script: the shell as its users see it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Deadline:            time.Now().Add(5 * time.Minute),
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": cmdExits,
			"gzip":  cmdGzip,
			"zstd":  cmdZstd,
			"nothing": func(ts *testscript.TestScript, neg bool, args []string) {
				entries, err := filepath.Glob(ts.MkAbs(args[0]))
				ts.Check(err)
				if len(entries) > 0 {
					ts.Fatalf("%s is there: %v", args[0], entries)
				}
			},
			"damage": cmdDamage,
		},
		Condition: func(cond string) (bool, error) {
			_, err := exec.LookPath(cond)
			return err == nil, nil
		},
	})
}

// shellPath returns a command that is the shell: the test binary under the name that TestMain knows.
func shellPath(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "netdb-shell")
	if err := os.Symlink(exe, link); err != nil {
		t.Fatal(err)
	}
	return link
}

// TestLocked checks that the second opener of a store is told who has it, and that a store whose owner was killed opens.
func TestLocked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	call := func(args ...string) (int, string, string) {
		var out, errOut strings.Builder
		code := run(append([]string{dir}, args...), strings.NewReader(""), &out, &errOut)
		return code, out.String(), errOut.String()
	}
	if code, _, errOut := call(".append a {}"); code != 0 {
		t.Fatal(errOut)
	}
	owner := exec.CommandContext(t.Context(), shellPath(t), dir, ".tail", "a", "-f")
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil { // now it has the store
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	code, text, errOut := call(".logs")
	if code != 1 || text != "" {
		t.Errorf("exit code %d, output %q", code, text)
	}
	for _, want := range []string{dir, itoa(owner.Process.Pid), host} {
		if !strings.Contains(errOut, want) {
			t.Errorf("%q is not in %q", want, errOut)
		}
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	owner.Wait() // it was killed: that is its error
	if code, text, errOut := call("-csv", ".logs"); code != 0 || !strings.Contains(text, "a,1,0,1,") || errOut != "" {
		t.Errorf("after the owner was killed: exit code %d, %q, %q", code, text, errOut)
	}
}

// TestDamagedEnd damages the last event of a store, so that its log seems to end before it: what can be read is shown, the
// damage is told with its place, and the exit code says that something is wrong.
func TestDamagedEnd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	call := func(args ...string) (int, string, string) {
		var out, errOut strings.Builder
		code := run(append([]string{dir}, args...), strings.NewReader(""), &out, &errOut)
		return code, out.String(), errOut.String()
	}
	if code, _, errOut := call("-c", `.append a {"n":"first"}`, "-c", `.append a {"n":"second"}`); code != 0 {
		t.Fatal(errOut)
	}
	files, err := filepath.Glob(filepath.Join(dir, "journal", "*.seg"))
	if err != nil {
		t.Fatal(err)
	}
	damaged := ""
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if at := bytes.Index(b, []byte("second")); at >= 0 {
			damaged = name
			b[at] ^= 1
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	code, out, errOut := call("-csv", "SELECT n FROM a")
	if code != 1 || out != "n\nfirst\n" || damaged == "" || !strings.Contains(errOut, damaged) || !strings.Contains(errOut, "events may be missing") {
		t.Errorf("exit code %d, %q, %q", code, out, errOut)
	}
	if code, _, errOut := call(".check"); code != 1 || !strings.Contains(errOut, "found") {
		t.Errorf("check: exit code %d, %q", code, errOut)
	}
}

// TestReaderGone checks that a shell whose output nobody reads ends instead of going on.
func TestReaderGone(t *testing.T) {
	var errOut strings.Builder
	var script strings.Builder
	for range 1000 {
		script.WriteString(".help\n")
	}
	if code := run(nil, strings.NewReader(script.String()), failing{}, &errOut); code != 1 || !strings.Contains(errOut.String(), "line 1: full") {
		t.Errorf("exit code %d: %s", code, errOut.String())
	}
	// The failed write is told once, whatever is written.
	for _, args := range [][]string{{"-help"}, {"version"}, {"-c", "SELECT 1"}, {"-c", ".help"}, {"-c", "SELECT 1; SELECT 2"}} {
		errOut.Reset()
		if code := run(args, strings.NewReader(""), failing{}, &errOut); code != 1 || strings.Count(errOut.String(), "full") != 1 {
			t.Errorf("%q: exit code %d: %s", args, code, errOut.String())
		}
	}
}

// TestClosedPipe checks that the end of whoever reads the output ends the shell quietly, with the store closed.
func TestClosedPipe(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	var lines strings.Builder
	for i := range 20_000 {
		lines.WriteString(`{"n":` + itoa(i) + "}\n")
	}
	var out, errOut strings.Builder
	if code := run([]string{dir, ".import - a"}, strings.NewReader(lines.String()), &out, &errOut); code != 0 {
		t.Fatal(errOut.String())
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), shellPath(t), dir, "SELECT * FROM a")
	cmd.Stdout = w
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if _, err := bufio.NewReader(r).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	r.Close()
	exit, ok := errors.AsType[*exec.ExitError](cmd.Wait())
	if !ok || exit.ExitCode() != 1 || stderr.Len() > 0 {
		t.Errorf("ended with %v, %q", exit, stderr.String())
	}
	db, err := netdb.Open(t.Context(), dir, netdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if !db.Store().Recovery().Clean {
		t.Error("the store was not closed")
	}
}

// cmdExits runs a command that has to exit with the code given first.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		code = itoa(exit.ExitCode())
	}
	if code != args[0] {
		ts.Fatalf("exit code %s, want %s", code, args[0])
	}
}

func cmdGzip(ts *testscript.TestScript, neg bool, args []string) {
	out, err := os.Create(ts.MkAbs(args[1]))
	ts.Check(err)
	z := gzip.NewWriter(out)
	_, err = z.Write([]byte(ts.ReadFile(args[0])))
	ts.Check(err)
	ts.Check(z.Close())
	ts.Check(out.Close())
}

func cmdZstd(ts *testscript.TestScript, neg bool, args []string) {
	out, err := os.Create(ts.MkAbs(args[1]))
	ts.Check(err)
	z, err := zstd.NewWriter(out, zstd.WithWindowSize(zstdWindow))
	ts.Check(err)
	_, err = z.Write([]byte(ts.ReadFile(args[0])))
	ts.Check(err)
	ts.Check(z.Close())
	ts.Check(out.Close())
}

// cmdDamage changes a file: one byte in the middle, its end from there or from byte 5, its encoding, or a line too long at its
// end: damage flip|cut|head|utf16|long FILE.
func cmdDamage(ts *testscript.TestScript, neg bool, args []string) {
	name := ts.MkAbs(args[1])
	b, err := os.ReadFile(name)
	ts.Check(err)
	switch args[0] {
	case "flip":
		b[len(b)/2] ^= 0x20
	case "cut":
		b = b[:len(b)/2]
	case "head":
		b = b[:5]
	case "utf16":
		wide := []byte{0xff, 0xfe}
		for _, c := range b {
			wide = append(wide, c, 0)
		}
		b = wide
	case "long":
		b = append(b, strings.Repeat("x", maxStatementBytes+1)...)
	default:
		ts.Fatalf("damage %s", args[0])
	}
	ts.Check(os.WriteFile(name, b, 0o666))
}
