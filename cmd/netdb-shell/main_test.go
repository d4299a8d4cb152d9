package main

import (
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"
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

// cmdExits runs a command that has to exit with the code given first.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if err != nil {
		exit, ok := err.(*exec.ExitError)
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

// cmdDamage changes one byte in the middle of a file, or cuts it there: damage flip|cut FILE.
func cmdDamage(ts *testscript.TestScript, neg bool, args []string) {
	name := ts.MkAbs(args[1])
	b, err := os.ReadFile(name)
	ts.Check(err)
	switch args[0] {
	case "flip":
		b[len(b)/2] ^= 0x20
	case "cut":
		b = b[:len(b)/2]
	default:
		ts.Fatalf("damage %s", args[0])
	}
	ts.Check(os.WriteFile(name, b, 0o666))
}
