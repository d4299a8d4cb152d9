package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// childVariable is the environment variable that makes this program a child: it holds a task.
const childVariable = "NETDB_QUERIES_CHILD"

// task is what a child does, and prints: kind "start" a line each for being started, for having opened the store and for having
// answered the first query; "memory" the peaks of the resident memory after opening and after all queries; "import" an imported.
type task struct {
	Kind     string
	System   string
	Path     string
	Queries  []string
	From     string // directory of the events
	Generate int
}

func runChild(ctx context.Context, what string, out io.Writer) error {
	var t task
	if err := json.Unmarshal([]byte(what), &t); err != nil {
		return err
	}
	runtime.GOMAXPROCS(threads)
	if t.Kind == "import" {
		i, err := importAll(ctx, t.Path, events{dir: t.From, generate: t.Generate})
		if err != nil {
			return err
		}
		return json.NewEncoder(out).Encode(i)
	}
	say := func(what any) error {
		_, err := fmt.Fprintln(out, what)
		return err
	}
	if t.Kind == "start" {
		if err := say("started"); err != nil {
			return err
		}
	}
	s, err := openStore(ctx, t.System, t.Path)
	if err != nil {
		return err
	}
	if t.Kind == "start" {
		err = say("opened")
	} else {
		err = sayPeak(say)
	}
	for _, text := range t.Queries {
		if err != nil {
			break
		}
		err = s.run(ctx, text)
	}
	if err != nil {
		return errors.Join(err, s.Close())
	}
	if t.Kind == "start" {
		err = say("answered")
	} else {
		err = sayPeak(say)
	}
	return errors.Join(err, s.Close())
}

// sayPeak prints the greatest resident memory so far, in KiB. What getrusage says would include the parent's, from before exec.
func sayPeak(say func(any) error) error {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return say(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
		}
	}
	return errors.New("no VmHWM in /proc/self/status")
}

// startTask runs a task in a process of its own and returns the lines it printed, and when each came after the start.
func startTask(ctx context.Context, program string, t task) (lines []string, after []time.Duration, err error) {
	what, err := json.Marshal(t)
	if err != nil {
		return nil, nil, err
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append(os.Environ(), childVariable+"="+string(what))
	cmd.Stderr = &said
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	sc := bufio.NewScanner(stdout)
	for sc.Scan() {
		lines, after = append(lines, sc.Text()), append(after, time.Since(began))
	}
	if err = errors.Join(sc.Err(), cmd.Wait()); err != nil {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(said.String()))
	}
	return lines, after, err
}

// cpuTime returns the processor time of this process. It cannot fail: the arguments are right.
func cpuTime() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
