package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole command; it returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	inv, err := parseArgs(args)
	if err != nil {
		fmt.Fprintf(stderr, "netdb-shell: %s\nnetdb-shell -help tells how it is called\n", appendVisible(nil, []byte(err.Error())))
		return exitCode(err)
	}
	raw := &stickyWriter{w: stdout}
	sh := &shell{readonly: inv.readonly, in: newFeed(stdin), raw: raw, out: bufio.NewWriterSize(raw, 64<<10), err: stderr}
	sh.modeGiven = inv.mode != ""
	sh.style = outputStyle{mode: inv.mode, terminal: isTerminal(stdout)}
	if sh.style.mode == "" {
		sh.style.mode = "tsv"
		if sh.style.terminal {
			sh.style.mode = "box"
		}
	}
	given := len(inv.statements) > 0 || inv.words != nil
	sh.prompt = inv.verb == "" && !given && isTerminal(stdin) && sh.style.terminal
	ctx, signals := watchInterrupts(context.Background(), sh.prompt, func() { os.Exit(1) })
	defer signals.stop()
	sh.signals = signals

	switch inv.verb {
	case "help":
		fmt.Fprint(sh.out, usageText)
	case "version":
		fmt.Fprintln(sh.out, "netdb-shell", version())
	case "demo":
		err = sh.demo(ctx, inv.dir)
	case "":
		err = sh.session(ctx, inv, given)
	default:
		ctx, done := sh.signals.during(ctx)
		err = operators()[inv.verb](sh, ctx, &words{argv: inv.words})
		done()
	}
	if ferr := sh.out.Flush(); ferr != nil && !errors.Is(err, ferr) { // one failed write is one error
		err = errors.Join(err, ferr)
	}
	if err != nil && !errors.Is(raw.err, syscall.EPIPE) { // a reader that has seen enough is no news
		sh.fail(err)
	}
	return exitCode(err)
}

// version says which build this is.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && !strings.Contains(v, s.Value[:min(12, len(s.Value))]) {
			v += " " + s.Value[:min(12, len(s.Value))]
		}
	}
	return strings.TrimSpace(v) + " " + info.GoVersion
}

// session opens the store, runs what was asked for and closes the store.
func (sh *shell) session(ctx context.Context, inv invocation, given bool) (err error) {
	if err := sh.open(ctx, inv.dir); err != nil {
		return errors.Join(err, sh.close())
	}
	defer func() { err = errors.Join(err, sh.close()) }()
	if !sh.prompt && len(sh.db.Store().Recovery().Damage) > 0 {
		defer func() {
			if err == nil { // events that cannot be read may be missing unsaid at a log's end
				err = errors.New("the store is damaged: events may be missing in what was answered")
			}
		}()
	}
	if !given {
		sh.stdinScript = true
		if sh.prompt {
			return sh.interact(ctx)
		}
		return ignoreEOF(sh.script(ctx, sh.in.within(ctx), "stdin"))
	}
	for _, text := range inv.statements {
		if err := sh.text(ctx, text); err != nil || sh.quit {
			return err
		}
	}
	if inv.words != nil {
		ctx, done := sh.signals.during(ctx)
		defer done()
		return sh.command(ctx, &words{argv: inv.words})
	}
	return nil
}

func (sh *shell) close() error {
	if sh.db == nil {
		return nil
	}
	return sh.db.Close()
}

// interact reads statements from a person at a terminal until the end of the input.
func (sh *shell) interact(ctx context.Context) error {
	where := sh.dir
	if where == "" {
		where = "a store in memory; it is gone at the end"
	}
	sh.remark("NetDB %s. %s. Type .help for help, .quit to end.", version(), where)
	lines, end := make(chan string), make(chan error, 1)
	next := make(chan struct{})
	go readLines(bufio.NewReader(sh.in.r), next, lines, end)
	defer close(next)
	var s splitter
	waiting := false
	for !sh.quit {
		prompt := "netdb> "
		if s.pending() {
			prompt = "  ...> "
		}
		sh.out.WriteString(prompt)
		sh.out.Flush()
		if !waiting {
			next <- struct{}{}
			waiting = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-end:
			sh.remark("")
			return ignoreEOF(err)
		case <-sh.signals.idle:
			sh.remark("")
			s.reset()
		case line := <-lines:
			waiting = false
			if !s.pending() {
				line = commandFor(line)
			}
			for _, st := range s.add(line) {
				if err := sh.run(ctx, st, ""); err != nil {
					sh.fail(unplaced(err))
				}
				if sh.quit {
					break
				}
			}
		}
	}
	return sh.raw.err
}

// commandFor returns the dot-command that a person means who types a word known from other shells; else the line.
func commandFor(line string) string {
	switch strings.ToLower(strings.TrimRight(strings.TrimSpace(line), ";")) {
	case "help", `\?`:
		return ".help"
	case "quit", "exit", `\q`, ".exit":
		return ".quit"
	}
	return line
}

// unplaced takes the place in a script from an error: what a person typed at a prompt has no lines worth telling.
func unplaced(err error) error {
	if p, ok := errors.AsType[*placed](err); ok && p.script == "" {
		return p.err
	}
	return err
}

// readLines sends a line for each token it gets from next, which ends it when closed. A read that blocks ends with the
// process.
func readLines(br *bufio.Reader, next <-chan struct{}, lines chan<- string, end chan<- error) {
	for range next {
		line, err := readLine(br)
		if err != nil {
			end <- err
			return
		}
		lines <- line
	}
}
