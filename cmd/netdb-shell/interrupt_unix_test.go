//go:build unix

package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSignalWhileWaiting checks that one signal ends a shell that waits for input nobody sends: commands, events, or the other
// end of a pipe.
func TestSignalWhileWaiting(t *testing.T) {
	// A signal that is ignored here (by nohup) would be ignored by the shell too; one that is caught is not.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	work := t.TempDir()
	pipe := filepath.Join(work, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	began := []string{"-c", "SELECT 1 AS began"}
	for what, args := range map[string][]string{
		"script":            nil,
		"events":            append(began, "-c", ".import - a"),
		"import of a pipe":  append(began, "-c", ".import "+pipe+" a"),
		"script in a pipe":  append(began, "-c", ".read "+pipe),
		"payload in a pipe": append(began, "-c", ".append a @"+pipe),
		"restore of a pipe": append(began, "-c", ".restore "+pipe+" "+filepath.Join(work, "restored")),
	} {
		for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
			cmd := exec.CommandContext(t.Context(), shellPath(t), append([]string{filepath.Join(work, "db")}, args...)...)
			var errOut strings.Builder
			cmd.Stderr = &errOut
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if args == nil {
				if _, err := in.Write([]byte("SELECT 1 AS began;\n")); err != nil {
					t.Fatal(err)
				}
			}
			if line, err := bufio.NewReader(out).ReadString('\n'); line != "began\n" {
				t.Fatalf("%s: %q %v %s", what, line, err, errOut.String())
			}
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			stuck := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
			exit, ok := errors.AsType[*exec.ExitError](cmd.Wait())
			stuck.Stop()
			if !ok || exit.ExitCode() != 1 || !strings.Contains(errOut.String(), "interrupted") {
				t.Errorf("%s, %v: %v, %q", what, sig, exit, errOut.String())
			}
		}
	}
	if left, err := filepath.Glob(filepath.Join(work, "restored*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
