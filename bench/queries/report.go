package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// result is what the systems said to one query.
type result struct {
	q  query
	of map[string]*answer
}

// answer is one system's: err says why there is none, wrong how it differs from the reference.
type answer struct {
	text  string
	rows  [][]any
	err   error
	wrong string
	times []time.Duration
}

// compare asks every system and holds the answers against the reference: DuckDB's, or the first there is.
func (p *plan) compare(ctx context.Context, q query, open map[string]system, progress io.Writer) (result, error) {
	r := result{q: q, of: map[string]*answer{}}
	for _, name := range p.systems {
		a := &answer{text: p.facts.fill(open[name].text(q))}
		r.of[name] = a
		if a.text == "" {
			continue
		}
		began := time.Now()
		within, cancel := context.WithTimeout(ctx, time.Minute)
		a.rows, a.err = open[name].rows(within, a.text)
		cancel()
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		fmt.Fprintf(progress, "%s, %s: %d rows in %v, error %v\n", q.name, name, len(a.rows), time.Since(began).Round(time.Microsecond), a.err)
	}
	var reference *answer
	for _, name := range []string{duck, lite, ours} {
		if a := r.of[name]; a != nil && a.text != "" && a.err == nil {
			if reference == nil {
				reference = a
				continue
			}
			a.wrong = differ(a.rows, reference.rows, q.ordered)
		}
	}
	return r, nil
}

// ms is the median of a system's times in milliseconds, NaN where there is none.
func (r result) ms(name string) float64 {
	a := r.of[name]
	if a == nil || len(a.times) == 0 {
		return math.NaN()
	}
	times := slices.Sorted(slices.Values(a.times))
	return float64(times[len(times)/2].Nanoseconds()) / 1e6
}

// report writes the table of times and what it comes to.
func (p *plan) report(out io.Writer, results []result) error {
	var b strings.Builder
	fmt.Fprintf(&b, "| query | netdb ms | duckdb ms | sqlite ms | netdb / duckdb |\n|---|---:|---:|---:|---:|\n")
	var logs, scans float64
	worst, worstName := 0.0, ""
	for _, r := range results {
		name := r.q.name
		if r.q.lookup {
			name += " (lookup)"
		}
		ratio := r.ms(ours) / r.ms(duck)
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", name, r.cell(ours), r.cell(duck), r.cell(lite), figure(ratio))
		if math.IsNaN(ratio) {
			continue
		}
		if !r.q.lookup {
			logs += math.Log(ratio)
			scans++
		}
		if ratio > worst {
			worst, worstName = ratio, r.q.name
		}
	}
	if scans > 0 {
		fmt.Fprintf(&b, "\nGeometric mean of the ratios over %.0f scans: **%s**. Worst: **%s** (%s).\n", scans, figure(math.Exp(logs/scans)), figure(worst), worstName)
	}
	for _, r := range results {
		for _, name := range p.systems {
			switch a := r.of[name]; {
			case a.err != nil:
				fmt.Fprintf(&b, "\nNot yet: %s by %s: %v\n", r.q.name, name, a.err)
			case a.wrong != "":
				fmt.Fprintf(&b, "\nDIFFERENT: %s by %s: %s\n", r.q.name, name, a.wrong)
			}
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func (r result) cell(name string) string {
	switch a := r.of[name]; {
	case a == nil || a.text == "":
		return "–"
	case a.err != nil:
		return "not yet"
	case a.wrong != "":
		return figure(r.ms(name)) + " WRONG"
	}
	return figure(r.ms(name))
}

// figure writes a number with three digits that count.
func figure(x float64) string {
	switch {
	case math.IsNaN(x):
		return "–"
	case math.Abs(x) < 10:
		return fmt.Sprintf("%.2f", x)
	case math.Abs(x) < 100:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}
