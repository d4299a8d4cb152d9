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
	"runtime"
	"runtime/pprof"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// threads is how many every system may use for one query.
const threads = 2

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	err := error(nil)
	if what := os.Getenv(childVariable); what != "" {
		err = runChild(ctx, what, os.Stdout)
	} else {
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "queries:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage")

// plan is what is to be measured, and how.
type plan struct {
	events   events
	facts    facts
	queries  []query
	systems  []string // by name
	sections *regexp.Regexp
	dir      string // of the stores
	reload   *regexp.Regexp
	repeat   int
	budget   time.Duration
	least    bool
	cpu      bool
	program  string // runs the children
	pure     string // runs NetDB's children
	progress io.Writer
}

func run(ctx context.Context, args []string, out, errs io.Writer) (err error) {
	f := flag.NewFlagSet("queries", flag.ContinueOnError)
	f.SetOutput(errs)
	var (
		p        plan
		data     = f.String("data", "", "directory of commits.jsonl.zst and changes.jsonl.zst (default: that in "+dataVariable+", or shared/data beside the repository)")
		generate = f.Int("generate", 0, "measure with this many generated commits and their changes instead")
		keep     = f.String("keep", "", "directory for the imported stores, which stay there for the next run")
		reload   = f.String("reload", "^$", "with -keep: import again for systems whose name matches this `regexp`")
		chosenBy = f.String("queries", "", "measure only queries whose name matches this `regexp`")
		sections = f.String("sections", "", "measure only sections whose name matches this `regexp` (default: all, or \"suite\" where -queries is given): "+sectionNames())
		names    = f.String("systems", "", "measure only systems whose name matches this `regexp`: netdb, duckdb, sqlite")
		profile  = f.String("cpuprofile", "", "write a profile to this `file`, with a label for each system and query; -systems netdb leaves the others out")
		list     = f.Bool("list", false, "print the queries, NetDB's text of each, and end")
	)
	f.IntVar(&p.repeat, "repeat", 7, "how often each query is timed")
	f.DurationVar(&p.budget, "budget", 10*time.Second, "no more repeats of a query by a system after this time")
	f.BoolVar(&p.least, "least", false, "show the shortest times instead of medians: for a machine that others use")
	f.BoolVar(&p.cpu, "cpu", false, "show the processor time of queries, of all threads together, instead of the time they take: for a machine that others use")
	f.StringVar(&p.pure, "pure", "", "this program built with CGO_ENABLED=0, for processes that only NetDB runs in")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	chosen, err1 := regexp.Compile(*chosenBy)
	wanted, err2 := regexp.Compile(*names)
	if *sections == "" && *chosenBy != "" {
		*sections = "suite"
	}
	var err3, err4 error
	p.sections, err3 = regexp.Compile(*sections)
	p.reload, err4 = regexp.Compile(*reload)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	for _, q := range suite() {
		if chosen.MatchString(q.name) {
			p.queries = append(p.queries, q)
		}
	}
	if *list {
		for _, q := range p.queries {
			if _, err := fmt.Fprintf(out, "%s: %s\n", q.name, q.text); err != nil {
				return err
			}
		}
		return nil
	}
	for _, name := range []string{ours, duck, lite} {
		if wanted.MatchString(name) && (name != duck || duckDB) {
			p.systems = append(p.systems, name)
		}
	}
	if len(p.queries) == 0 || len(p.systems) == 0 || p.repeat < 1 {
		return errors.New("nothing to measure")
	}
	if p.events, err = findEvents(*data, *generate); err != nil {
		return err
	}
	if p.program, err = os.Executable(); err != nil {
		return err
	}
	if p.pure == "" {
		p.pure = p.program
	}
	if p.dir = *keep; p.dir != "" {
		err = os.MkdirAll(p.dir, 0o777)
	} else if p.dir, err = os.MkdirTemp("", "netdb-queries-"); err == nil {
		defer func() { err = errors.Join(err, os.RemoveAll(p.dir)) }()
	}
	if err != nil {
		return err
	}
	if p.dir, err = filepath.Abs(p.dir); err != nil {
		return err
	}
	if *profile != "" {
		file, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	p.progress = terminal(errs)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
	return p.measure(ctx, out)
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

// say writes over the line of progress.
func (p *plan) say(format string, args ...any) {
	fmt.Fprintf(p.progress, "\r\x1b[K"+format, args...)
}

// has reports whether a system is measured.
func (p *plan) has(name string) bool { return slices.Contains(p.systems, name) }

// section is a part of the report.
type section struct {
	name string
	ours bool // about NetDB: left out where it is not measured
	run  func(p *plan, ctx context.Context, out io.Writer) error
}

// allSections returns the parts of the report in order.
func allSections() []section {
	return []section{
		{"suite", false, (*plan).suite},
		{"prepared", false, (*plan).prepared},
		{"disk", false, (*plan).disk},
		{"import", true, (*plan).importing},
		{"process", false, (*plan).processes},
		{"odd", true, (*plan).odd},
		{"hot", true, (*plan).hot},
		{"appends", true, (*plan).appends},
	}
}

func sectionNames() (names string) {
	for i, s := range allSections() {
		if i > 0 {
			names += ", "
		}
		names += s.name
	}
	return names
}

// measure writes the report. A section that fails is named and does not keep the others from being measured.
func (p *plan) measure(ctx context.Context, out io.Writer) (err error) {
	if p.facts, err = p.look(ctx); err != nil {
		return err
	}
	if err := p.introduce(out); err != nil {
		return err
	}
	var failures []error
	for _, s := range allSections() {
		if !p.sections.MatchString(s.name) || s.ours && !p.has(ours) {
			continue
		}
		if err := s.run(p, ctx, out); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			failures = append(failures, fmt.Errorf("section %s: %w", s.name, err))
			if _, err := fmt.Fprintf(out, "\nFailed: section %s: %v.\n", s.name, err); err != nil {
				return err
			}
		}
	}
	p.say("")
	return errors.Join(failures...)
}
