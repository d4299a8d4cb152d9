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
	"time"
)

// threads is how many every system may use for one query.
const threads = 2

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
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
	events  events
	facts   facts
	queries []query
	systems []string // by name, in the order of the report's columns
	dir     string   // of the stores
	kept    bool
	reload  *regexp.Regexp
	repeat  int
	budget  time.Duration
	profile string
}

func run(ctx context.Context, args []string, out, errs io.Writer) (err error) {
	f := flag.NewFlagSet("queries", flag.ContinueOnError)
	f.SetOutput(errs)
	var (
		p        plan
		data     = f.String("data", "", "directory of commits.jsonl.zst and changes.jsonl.zst (default: that in "+dataVariable+", or shared/data beside the repository)")
		generate = f.Int("generate", 0, "measure with the changes of this many generated commits instead")
		keep     = f.String("keep", "", "directory for the imported stores, which stay there for the next run")
		reload   = f.String("reload", "^$", "with -keep: import again for systems whose name matches this `regexp`")
		chosenBy = f.String("queries", "", "measure only queries whose name matches this `regexp`")
		names    = f.String("systems", "", "measure only systems whose name matches this `regexp`; answers are compared with those of the others among them")
		list     = f.Bool("list", false, "print the names of the queries and end")
	)
	f.IntVar(&p.repeat, "repeat", 7, "how often each query is timed")
	f.DurationVar(&p.budget, "budget", 10*time.Second, "no more repeats of a query by a system after this time")
	f.StringVar(&p.profile, "cpuprofile", "", "write a profile of NetDB's runs to this `file`")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	chosen, err := regexp.Compile(*chosenBy)
	if err != nil {
		return err
	}
	wanted, err := regexp.Compile(*names)
	if err != nil {
		return err
	}
	if p.reload, err = regexp.Compile(*reload); err != nil {
		return err
	}
	for _, q := range suite() {
		if chosen.MatchString(q.name) {
			p.queries = append(p.queries, q)
		}
	}
	if *list {
		for _, q := range p.queries {
			if _, err := fmt.Fprintln(out, q.name); err != nil {
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
	runtime.GOMAXPROCS(threads)
	if p.dir, p.kept = *keep, *keep != ""; p.kept {
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
	return p.measure(ctx, out, errs)
}

// The systems.
const (
	ours = "netdb"
	duck = "duckdb"
	lite = "sqlite"
)

// measure compares answers, then times them, and writes the report.
func (p *plan) measure(ctx context.Context, out, progress io.Writer) (err error) {
	if p.facts, err = p.look(ctx); err != nil {
		return err
	}
	open := map[string]system{}
	defer func() {
		for _, s := range open {
			err = errors.Join(err, s.Close())
		}
	}()
	for _, name := range p.systems {
		if err := p.load(ctx, name, progress); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if open[name], err = p.open(ctx, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	results := make([]result, len(p.queries))
	for i, q := range p.queries {
		if results[i], err = p.compare(ctx, q, open, progress); err != nil {
			return err
		}
	}
	if err := p.time(ctx, open, results, progress); err != nil {
		return err
	}
	return p.report(out, results)
}

// time runs each query by each system in turns, until it was repeated enough or took too long.
func (p *plan) time(ctx context.Context, open map[string]system, results []result, progress io.Writer) error {
	profiling := func() (stop func(), err error) { return func() {}, nil }
	if p.profile != "" {
		f, err := os.Create(p.profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	_ = profiling
	spent := map[string]time.Duration{}
	for round := range p.repeat {
		for i, q := range p.queries {
			for k := range p.systems {
				name := p.systems[(k+round)%len(p.systems)]
				r := results[i].of[name]
				if r == nil || r.err != nil || r.text == "" || round > 0 && spent[name+q.name] > p.budget {
					continue
				}
				took, err := timed(ctx, open[name], r.text)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", q.name, name, err)
				}
				spent[name+q.name] += took
				r.times = append(r.times, took)
			}
		}
		fmt.Fprintf(progress, "round %d of %d\n", round+1, p.repeat)
	}
	return nil
}

func timed(ctx context.Context, s system, text string) (time.Duration, error) {
	began := time.Now()
	err := s.run(ctx, text)
	return time.Since(began), err
}
