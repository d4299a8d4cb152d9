package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strings"
)

// childVariable is the environment variable that makes this program a child: it holds a task. Every run has a process of its
// own, so that no store inherits another's heap, and so that one built with cgo can measure what this one cannot.
const childVariable = "NETDB_BENCH_CHILD"

// task is what a child does: it measures a contender at a point, or fills a store for one that does.
type task struct {
	Contender string
	Budget    budget
	Point     string // what to measure, or "" to fill the store in Dir
	Dir       string
	Close     bool // close the store when it is filled; else wait to be killed
}

// answer is what a child says about a point.
type answer struct {
	None   bool // the contender has nothing to be measured there
	Values []*float64
}

const filled = "filled\n"

// runTask measures in a process of its own, which program runs.
func runTask(ctx context.Context, program string, t task) (m measurement, err error) {
	out, err := startTask(ctx, program, t, func(out *bufio.Reader, _ *os.Process) ([]byte, error) { return io.ReadAll(out) })
	if err != nil {
		return nil, err
	}
	var a answer
	if err := json.Unmarshal(out, &a); err != nil {
		return nil, fmt.Errorf("answer %q: %w", out, err)
	}
	if a.None {
		return nil, errNone
	}
	for _, v := range a.Values {
		if v == nil {
			m = append(m, math.NaN())
			continue
		}
		m = append(m, *v)
	}
	return m, nil
}

// fill fills a store in a process of its own, which then closes it or is killed.
func fill(ctx context.Context, c contender, b budget, dir string, closed bool) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	killed := false
	_, err = startTask(ctx, self, task{Contender: c.name, Budget: b, Dir: dir, Close: closed}, func(out *bufio.Reader, p *os.Process) ([]byte, error) {
		line, err := out.ReadString('\n')
		if err != nil || line != filled {
			return nil, fmt.Errorf("child said %q: %w", line, err)
		}
		if !closed {
			killed = true
			return nil, p.Kill()
		}
		return nil, nil
	})
	if exit := new(exec.ExitError); killed && errors.As(err, &exit) {
		return nil
	}
	return err
}

// startTask starts a child, lets read have its output, and waits for its end.
func startTask(ctx context.Context, program string, t task, read func(out *bufio.Reader, p *os.Process) ([]byte, error)) ([]byte, error) {
	what, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append(os.Environ(), childVariable+"="+string(what))
	cmd.Stderr = &said
	// A child reads its standard input, which ends when this process does, however it does.
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	out, err := read(bufio.NewReader(stdout), cmd.Process)
	if err != nil {
		err = errors.Join(err, cmd.Process.Kill())
	}
	if err = errors.Join(err, cmd.Wait()); err != nil && said.Len() > 0 {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(said.String()))
	}
	return out, err
}

// runChild is what a child does.
func runChild(ctx context.Context, what string, in io.Reader, out io.Writer) error {
	var t task
	if err := json.Unmarshal([]byte(what), &t); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in)
		os.Exit(1) // the parent is gone
	}()
	c, err := find(t.Contender)
	if err != nil {
		return err
	}
	if t.Point == "" {
		return fillHere(ctx, c, t, out)
	}
	for _, p := range points(t.Budget) {
		if p.name() != t.Point {
			continue
		}
		m, err := p.run(ctx, c)
		if err != nil && !errors.Is(err, errNone) {
			return err
		}
		if err != nil {
			return json.NewEncoder(out).Encode(answer{None: true})
		}
		var a answer
		for _, v := range m {
			if math.IsNaN(v) {
				a.Values = append(a.Values, nil)
				continue
			}
			a.Values = append(a.Values, &v)
		}
		return json.NewEncoder(out).Encode(a)
	}
	return fmt.Errorf("no point %q", t.Point)
}

func fillHere(ctx context.Context, c contender, t task, out io.Writer) error {
	e, err := c.open(ctx, settings{dir: t.Dir, sync: never})
	if err != nil {
		return err
	}
	if err := load(ctx, e, t.Budget.Events, t.Close); err != nil {
		return errors.Join(err, e.Close())
	}
	if t.Close {
		if err := e.Close(); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(out, filled); err != nil {
		return err
	}
	if t.Close {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}
