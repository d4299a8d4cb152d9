package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is the shell on a pseudo-terminal.
type terminal struct {
	t    *testing.T
	cmd  *exec.Cmd
	file *os.File // the keyboard and screen

	mu   sync.Mutex
	more *sync.Cond
	text []byte
	end  bool
}

// startTerminal starts the test binary as the shell with a pseudo-terminal as its standard files.
func startTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 60}); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	tm := &terminal{t: t, file: master, cmd: exec.CommandContext(t.Context(), shellPath(t), args...)}
	tm.more = sync.NewCond(&tm.mu)
	tm.cmd.Stdin, tm.cmd.Stdout, tm.cmd.Stderr = slave, slave, slave
	tm.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := tm.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go tm.read()
	return tm
}

// read gathers what the shell writes until the terminal is closed.
func (tm *terminal) read() {
	buf := make([]byte, 4096)
	for {
		n, err := tm.file.Read(buf)
		tm.mu.Lock()
		tm.text = append(tm.text, buf[:n]...)
		tm.end = err != nil
		tm.more.Broadcast()
		tm.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (tm *terminal) enter(text string) {
	tm.t.Helper()
	if _, err := tm.file.WriteString(text); err != nil {
		tm.t.Fatal(err)
	}
}

// expect waits for a text on the screen and returns what came up to it.
func (tm *terminal) expect(want string) string {
	tm.t.Helper()
	stop := time.AfterFunc(30*time.Second, func() {
		tm.mu.Lock()
		tm.end = true
		tm.more.Broadcast()
		tm.mu.Unlock()
	})
	defer stop.Stop()
	tm.mu.Lock()
	defer tm.mu.Unlock()
	for {
		if before, after, found := bytes.Cut(tm.text, []byte(want)); found {
			tm.text = after
			return string(before)
		}
		if tm.end {
			tm.t.Fatalf("no %q on the terminal: %q", want, tm.text)
		}
		tm.more.Wait()
	}
}

func TestTerminal(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	tm := startTerminal(t, dir)
	tm.expect("made a new store in")
	tm.expect("netdb> ")
	tm.enter(".append a {\"text\":\"\\u001b[31m wide enough to be cut short on a narrow terminal\"}\n")
	tm.expect("made a new log a")
	tm.expect("│ a   │   0 │ w1")
	tm.expect("netdb> ")

	// Statements over lines, errors that do not end the shell.
	tm.enter("SELECT 1 AS one,\n")
	tm.expect("  ...> ")
	tm.enter("  2 AS two;\n")
	tm.expect("│ one │ two │")
	tm.expect("1 row\r\n")
	tm.expect("netdb> ")
	tm.enter("SELECT FORM;\n")
	tm.expect("line 1, column ")
	tm.expect("^")
	tm.expect("netdb> ")
	tm.enter(".lgos\n")
	tm.expect(`did you mean "logs"`)
	tm.expect("netdb> ")
	tm.enter("SELECT text, text AS again FROM a;\n")
	if shown := tm.expect("netdb> "); strings.Contains(shown, "\x1b") || !strings.Contains(shown, "…") || !strings.Contains(shown, ".mode line shows them whole") {
		t.Errorf("a control character is shown, or nothing is cut: %q", shown)
	}

	// Ctrl-C forgets a statement that has begun, ends a command that runs, and not the shell.
	tm.enter("SELECT 3,\n")
	tm.expect("  ...> ")
	tm.enter("\x03")
	tm.expect("netdb> ")
	tm.enter(".tail a -f\n")
	tm.expect("│    0 │")
	tm.enter("\x03")
	tm.expect("netdb> ")
	tm.enter(".token\n")
	tm.expect("w1")
	tm.expect("netdb> ")

	// Words from other shells are understood, where a statement could begin.
	tm.enter("help\n")
	tm.expect(".import FILE LOG")
	tm.expect("netdb> ")
	tm.enter("SELECT 1 AS\n")
	tm.expect("  ...> ")
	tm.enter("help;\n")
	tm.expect("│ help │")
	tm.expect("netdb> ")
	tm.enter("exit\n")
	if err := tm.cmd.Wait(); err != nil {
		t.Errorf("after exit: %v", err)
	}

	// The end of the input ends the shell too.
	tm = startTerminal(t, dir)
	tm.expect("netdb> ")
	tm.enter("\x04")
	if err := tm.cmd.Wait(); err != nil {
		t.Errorf("after Ctrl-D: %v", err)
	}
}

// TestFollowerEnds checks that Ctrl-C is no failure of a shell that follows a log.
func TestFollowerEnds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	if code := run([]string{dir, ".append a {}"}, strings.NewReader(""), io.Discard, os.Stderr); code != 0 {
		t.Fatal(code)
	}
	follower := exec.CommandContext(t.Context(), shellPath(t), dir, ".tail", "a", "-f")
	var errOut strings.Builder
	follower.Stderr = &errOut
	out, err := follower.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := follower.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	for range 2 { // the names of the columns and the event
		if _, err := r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if err := follower.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := follower.Wait(); err != nil || errOut.Len() > 0 {
		t.Errorf("%v, %q", err, errOut.String())
	}
}
