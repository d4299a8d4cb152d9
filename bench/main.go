package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	err := error(nil)
	if what := os.Getenv(childVariable); what != "" {
		err = runChild(ctx, what, os.Stdin, os.Stdout)
	} else {
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage")

// plan is what is to be measured, and how.
type plan struct {
	points  []point
	wanted  func(contender string) bool
	repeat  int
	budget  budget
	self    string
	without []string // contenders that nothing here can measure

	cgo      string           // program that is built with cgo, or ""
	cgoBuild *debug.BuildInfo // of that program, when it is not this one
}

// quickly are the defaults of a look that is no measurement.
func quickly() map[string]string {
	return map[string]string{
		"time": "250ms", "bytes": "268435456", "warm": "250ms", "warmbytes": "67108864", "events": "100000", "sustained": "3s", "repeat": "3",
	}
}

func run(ctx context.Context, args []string, out, errs io.Writer) error {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(errs)
	var (
		p        plan
		b        budget
		chosenBy = f.String("points", "", "measure only points whose name matches this `regexp`")
		names    = f.String("stores", "", "measure only stores whose name matches this `regexp`")
		quick    = f.Bool("quick", false, "shorter defaults: a look, not a measurement")
		list     = f.Bool("list", false, "print the names of the points and end")
	)
	f.IntVar(&p.repeat, "repeat", 5, "how often each point is measured")
	f.StringVar(&p.cgo, "cgo", "", "this program built with CGO_ENABLED=1, which measures the stores written in C")
	f.DurationVar(&b.Time, "time", 1500*time.Millisecond, "longest run of appends")
	f.Int64Var(&b.Bytes, "bytes", 1<<30, "most bytes appended in a run")
	f.DurationVar(&b.Warm, "warm", time.Second, "longest run of appends before what is measured")
	f.Int64Var(&b.WarmBytes, "warmbytes", 128<<20, "most bytes appended before what is measured")
	f.IntVar(&b.Events, "events", 1_000_000, "events of the points that read or reopen")
	f.DurationVar(&b.Sustained, "sustained", time.Minute, "how long the long runs are")
	f.Int64Var(&b.SustainedBytes, "sustainedbytes", 32<<30, "most bytes appended in a long run")
	f.StringVar(&b.Dir, "dir", "", "where stores are made; it says whose syncs are measured (default: the directory for temporary files)")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	if *quick {
		given := map[string]bool{}
		f.Visit(func(f *flag.Flag) { given[f.Name] = true })
		for name, value := range quickly() {
			if given[name] {
				continue
			}
			if err := f.Set(name, value); err != nil {
				return err
			}
		}
	}
	chosen, err := regexp.Compile(*chosenBy)
	if err != nil {
		return err
	}
	stores, err := regexp.Compile(*names)
	if err != nil {
		return err
	}
	for _, each := range points(b) {
		if chosen.MatchString(each.name()) {
			p.points = append(p.points, each)
		}
	}
	if *list {
		for _, each := range p.points {
			if _, err := fmt.Fprintln(out, each.name()); err != nil {
				return err
			}
		}
		return nil
	}
	if len(p.points) == 0 || p.repeat < 1 || b.Events < 1 {
		return errors.New("nothing to measure")
	}
	if err := p.findPrograms(stores); err != nil {
		return err
	}
	if b.Dir, err = os.MkdirTemp(b.Dir, "netdb-bench-"); err != nil {
		return err
	}
	if b.Dir, err = filepath.Abs(b.Dir); err == nil {
		p.budget = b
		err = p.measure(ctx, out, terminal(errs))
	}
	return errors.Join(err, os.RemoveAll(b.Dir))
}

// findPrograms decides which contenders can be measured, and with what.
func (p *plan) findPrograms(stores *regexp.Regexp) (err error) {
	if p.self, err = os.Executable(); err != nil {
		return err
	}
	if p.cgo == "" && cgoDriver != "" {
		p.cgo = p.self
	}
	if p.cgo != "" && p.cgo != p.self {
		if p.cgo, err = filepath.Abs(p.cgo); err != nil {
			return err
		}
		if p.cgoBuild, err = checkBuild(p.cgo); err != nil {
			return err
		}
	}
	for _, c := range contenders() {
		if c.cgo && p.cgo == "" && stores.MatchString(c.name) {
			p.without = append(p.without, c.name)
		}
	}
	p.wanted = func(name string) bool { return stores.MatchString(name) && !slices.Contains(p.without, name) }
	return nil
}

// terminal returns where progress is written to: w if it is a terminal, whose line can be written over.
func terminal(w io.Writer) io.Writer {
	if f, ok := w.(*os.File); ok {
		if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
			return w
		}
	}
	return io.Discard
}

// measure measures the points table by table, in rounds: every point and every store once per round. What fails has no figure, is
// named below its table and in the error, and does not keep the rest from being measured.
func (p *plan) measure(ctx context.Context, out, progress io.Writer) error {
	if err := p.introduce(out); err != nil {
		return err
	}
	var failures []error
	for all := p.points; len(all) > 0; {
		n := slices.IndexFunc(all, func(q point) bool { return q.table != all[0].table })
		if n < 0 {
			n = len(all)
		}
		table := all[:n]
		all = all[n:]
		among := slices.DeleteFunc(table[0].among(), func(c contender) bool { return !p.wanted(c.name) })
		results, failed, err := p.measureTable(ctx, table, among, progress)
		if err != nil {
			return err
		}
		if err := writeTable(out, table, results, among); err != nil {
			return err
		}
		for _, err := range failed {
			if _, err := fmt.Fprintf(out, "\nFailed: %v.\n", err); err != nil {
				return err
			}
		}
		failures = append(failures, failed...)
	}
	return errors.Join(failures...)
}

// measureTable returns the results of each point, and what failed.
func (p *plan) measureTable(ctx context.Context, table []point, among []contender, progress io.Writer) (results []samples, failed []error, err error) {
	for range table {
		results = append(results, samples{})
	}
	for round := range p.repeat {
		for i, each := range table {
			if each.most > 0 && round >= each.most {
				continue
			}
			for _, c := range among {
				if _, err := fmt.Fprintf(progress, "\r\x1b[K%s · %s · round %d of %d", each.name(), c.name, round+1, p.repeat); err != nil {
					return nil, nil, err
				}
				program := p.self
				if c.cgo {
					program = p.cgo
				}
				m, err := runTask(ctx, program, task{Contender: c.name, Budget: p.budget, Point: each.name()})
				switch {
				case ctx.Err() != nil:
					return nil, nil, ctx.Err()
				case errors.Is(err, errNone):
				case err != nil:
					failed = append(failed, fmt.Errorf("%s, %s, round %d: %w", each.name(), c.name, round+1, err))
				default:
					results[i][c.name] = append(results[i][c.name], m)
				}
			}
		}
	}
	_, err = fmt.Fprint(progress, "\r\x1b[K")
	return results, failed, err
}

// introduce writes the head of the report.
func (p *plan) introduce(out io.Writer) error {
	b := p.budget
	_, err := fmt.Fprintf(out, "# Measurements\n\n%s. Medians of up to %d runs, ± half of the range; runs of %v or %d MiB at most, after %v or %d MiB.\n",
		machine(b.Dir), p.repeat, b.Time, b.Bytes>>20, b.Warm, b.WarmBytes>>20)
	if err != nil {
		return err
	}
	if p.cgoBuild != nil {
		if _, err := fmt.Fprintf(out, "\nThe stores written in C are measured by a program built with CGO_ENABLED=1: %s.\n", versions(p.cgoBuild, cgoModules())); err != nil {
			return err
		}
	}
	for _, name := range p.without {
		if _, err := fmt.Fprintf(out, "\nNot measured: %s. This program is built without cgo, and -cgo names none that is built with it.\n", name); err != nil {
			return err
		}
	}
	return nil
}
