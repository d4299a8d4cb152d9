package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"time"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	err := error(nil)
	if what := os.Getenv(child); what != "" {
		err = runChild(ctx, what, os.Stdout)
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

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(progress)
	var (
		chosenBy = f.String("points", "", "measure only points whose name matches this `regexp`")
		names    = f.String("stores", "", "measure only stores whose name matches this `regexp`")
		repeat   = f.Int("repeat", 5, "how often each point is measured")
		quick    = f.Bool("quick", false, "other defaults (-time 100ms -bytes 33554432 -events 100000 -repeat 3): a look, not a measurement")
		list     = f.Bool("list", false, "print the names of the points and end")
		b        budget
	)
	f.DurationVar(&b.time, "time", 500*time.Millisecond, "longest run of appends")
	f.Int64Var(&b.bytes, "bytes", 256<<20, "most bytes appended in a run")
	f.IntVar(&b.events, "events", 1_000_000, "events of the points that read or reopen")
	f.StringVar(&b.dir, "dir", "", "where stores are made; it says whose syncs are measured (default: the directory for temporary files)")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	pattern, err := regexp.Compile(*chosenBy)
	if err != nil {
		return err
	}
	stores, err := regexp.Compile(*names)
	if err != nil {
		return err
	}
	if *quick {
		given := map[string]bool{}
		f.Visit(func(f *flag.Flag) { given[f.Name] = true })
		for name, value := range map[string]string{"time": "100ms", "bytes": "33554432", "events": "100000", "repeat": "3"} {
			if given[name] {
				continue
			}
			if err := f.Set(name, value); err != nil {
				return err
			}
		}
	}
	var chosen []point
	for _, p := range points(b) {
		if pattern.MatchString(p.name()) {
			chosen = append(chosen, p)
		}
	}
	if *list {
		for _, p := range chosen {
			if _, err := fmt.Fprintln(out, p.name()); err != nil {
				return err
			}
		}
		return nil
	}
	if len(chosen) == 0 || *repeat < 1 || b.events < 1 {
		return fmt.Errorf("nothing to measure")
	}
	if b.dir, err = os.MkdirTemp(b.dir, "netdb-bench-"); err != nil {
		return err
	}
	err = measure(ctx, chosen, *repeat, stores.MatchString, b, out, progress)
	return errors.Join(err, os.RemoveAll(b.dir))
}

// measure measures the points table by table, in rounds: every point and every store once per round.
func measure(ctx context.Context, all []point, repeat int, wanted func(string) bool, b budget, out, progress io.Writer) error {
	_, err := fmt.Fprintf(out, "# Measurements\n\n%s. Medians of up to %d runs, ± half of the range; runs of %v at most.\n", machine(b.dir), repeat, b.time)
	if err != nil {
		return err
	}
	for len(all) > 0 {
		n := slices.IndexFunc(all, func(p point) bool { return p.table != all[0].table })
		if n < 0 {
			n = len(all)
		}
		table := all[:n]
		all = all[n:]
		among := slices.DeleteFunc(table[0].among(), func(c contender) bool { return !wanted(c.name) })
		results := make([]samples, n)
		for i := range results {
			results[i] = samples{}
		}
		for round := range repeat {
			for i, p := range table {
				if p.most > 0 && round >= p.most {
					continue
				}
				for _, c := range among {
					if err := ctx.Err(); err != nil {
						return err
					}
					m, err := p.run(ctx, c)
					if err != nil {
						return fmt.Errorf("%s, %s: %w", p.name(), c.name, err)
					}
					results[i][c.name] = append(results[i][c.name], m)
					if _, err := fmt.Fprintf(progress, "\r\x1b[K%s · %s · round %d of %d", p.name(), c.name, round+1, repeat); err != nil {
						return err
					}
				}
			}
		}
		if _, err := fmt.Fprint(progress, "\r\x1b[K"); err != nil {
			return err
		}
		if err := writeTable(out, table, results, among); err != nil {
			return err
		}
	}
	return nil
}
