package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime/pprof"
	"slices"
	"strings"
	"time"
)

// longest is how long a query may take.
const longest = 2 * time.Minute

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
	first time.Duration   // the run whose answer is compared
	times []time.Duration // in order, when all were taken
}

// suite measures the queries over sealed events.
func (p *plan) suite(ctx context.Context, out io.Writer) (err error) {
	m, err := p.stores(ctx, p.systems...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	results, err := p.contest(ctx, m, p.queries, p.repeat)
	if err != nil {
		return err
	}
	return writeResults(out, "Queries over sealed events", m.names, results)
}

// contest compares the answers of a match's systems and then times them.
func (p *plan) contest(ctx context.Context, m *match, queries []query, repeat int) ([]result, error) {
	results, err := p.compare(ctx, m, queries)
	if err != nil {
		return nil, err
	}
	if err := p.time(ctx, m, results, repeat); err != nil {
		return nil, err
	}
	for _, r := range results {
		for _, a := range r.of {
			slices.Sort(a.times)
			if p.least && len(a.times) > 0 {
				a.times = a.times[:1]
			}
		}
	}
	return results, nil
}

// compare asks every system and holds the answers against those of the reference: DuckDB, or another system where it has none.
func (p *plan) compare(ctx context.Context, m *match, queries []query) ([]result, error) {
	results := make([]result, 0, len(queries))
	for _, q := range queries {
		r := result{q: q, of: map[string]*answer{}}
		reference := ""
		for _, name := range m.names {
			p.say("comparing %s · %s", q.name, name)
			a := &answer{text: p.facts.fill(m.open[name].text(q))}
			r.of[name] = a
			if a.text == "" {
				continue
			}
			within, cancel := context.WithTimeout(ctx, longest)
			stop := p.clock()
			a.rows, a.err = m.open[name].rows(within, a.text)
			a.first = stop()
			cancel()
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if a.err == nil && (reference == "" || strings.HasPrefix(name, duck) || reference == ours) {
				reference = name
			}
		}
		for name, a := range r.of {
			if a.text != "" && a.err == nil && name != reference {
				a.wrong = differ(a.rows, r.of[reference].rows, q.ordered)
			}
		}
		for _, a := range r.of {
			a.rows = nil
		}
		results = append(results, r)
	}
	return results, nil
}

// time runs each query by each system in turns, until it was repeated enough or took too long.
func (p *plan) time(ctx context.Context, m *match, results []result, repeat int) error {
	spent := map[*answer]time.Duration{}
	for round := range repeat {
		for _, r := range results {
			for k := range m.names {
				name := m.names[(k+round)%len(m.names)]
				a := r.of[name]
				if a.err != nil || a.text == "" || spent[a] > p.budget {
					continue
				}
				if name == lite && a.first > p.budget/5 {
					a.times = []time.Duration{a.first} // it is there for its answers
					continue
				}
				p.say("round %d of %d: %s · %s", round+1, repeat, r.q.name, name)
				took, err := p.timed(ctx, m.open[name], name, r.q.name, a.text)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", r.q.name, name, err)
				}
				spent[a] += took
				a.times = append(a.times, took)
			}
		}
	}
	return nil
}

// timed runs a query under labels that tell its part of a profile.
func (p *plan) timed(ctx context.Context, s system, name, query, text string) (took time.Duration, err error) {
	pprof.Do(ctx, pprof.Labels("system", name, "query", query), func(ctx context.Context) {
		stop := p.clock()
		err = s.run(ctx, text)
		took = stop()
	})
	return took, err
}

// clock starts to measure the time that passes, or the processor time of this process: one query runs at a time.
func (p *plan) clock() (stop func() time.Duration) {
	if !p.cpu {
		began := time.Now()
		return func() time.Duration { return time.Since(began) }
	}
	before := cpuTime()
	return func() time.Duration { return cpuTime() - before }
}

// median returns the median and the range of a system's times, in milliseconds; NaN where there is none.
func (r result) median(name string) (mid, least, most float64) {
	a := r.of[name]
	if a == nil || len(a.times) == 0 {
		return math.NaN(), math.NaN(), math.NaN()
	}
	return ms(a.times[len(a.times)/2]), ms(a.times[0]), ms(a.times[len(a.times)-1])
}

func ms(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// errWrong is returned for answers that differ.
var errWrong = errors.New("answers differ")

// writeResults writes the table of times, what it comes to, and what has no answer or a wrong one.
func writeResults(out io.Writer, title string, names []string, results []result) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n| query |", title)
	for _, name := range names {
		fmt.Fprintf(&b, " %s ms |", name)
	}
	if len(names) > 1 {
		fmt.Fprintf(&b, " %s / %s |", names[0], names[1])
	}
	fmt.Fprintf(&b, "\n|---|%s\n", strings.Repeat("---:|", len(names)+min(1, len(names)-1)))
	var scans, all []ratio
	var below strings.Builder
	var wrong []error
	for _, r := range results {
		kind := ""
		if r.q.lookup {
			kind = " ¹"
		}
		fmt.Fprintf(&b, "| %s%s |", r.q.name, kind)
		for _, name := range names {
			fmt.Fprintf(&b, " %s |", r.cell(name))
			switch a := r.of[name]; {
			case a.err != nil:
				fmt.Fprintf(&below, "- not yet: %s, %s: `%v`\n", r.q.name, name, a.err)
			case a.wrong != "":
				fmt.Fprintf(&below, "- **different answer**: %s, %s: %s\n", r.q.name, name, a.wrong)
				wrong = append(wrong, fmt.Errorf("%w: %s, %s: %s", errWrong, r.q.name, name, a.wrong))
			}
		}
		if len(names) > 1 {
			x, _, _ := r.median(names[0])
			y, _, _ := r.median(names[1])
			fmt.Fprintf(&b, " %s |", figure(x/y))
			if !math.IsNaN(x / y) {
				all = append(all, ratio{r.q.name, x / y})
				if !r.q.lookup {
					scans = append(scans, ratio{r.q.name, x / y})
				}
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("\n¹ reads few rows; it is not in the mean.\n")
	if len(scans) > 0 {
		worst := slices.MaxFunc(all, func(a, b ratio) int { return int(math.Copysign(1, a.of-b.of)) })
		fmt.Fprintf(&b, "\nGeometric mean of %s / %s over %d scans: **%s**; worst of all: **%s**, %s.\n", names[0], names[1], len(scans), figure(geometric(scans)), figure(worst.of), worst.name)
	}
	if below.Len() > 0 {
		fmt.Fprintf(&b, "\n%s", below.String())
	}
	_, err := io.WriteString(out, b.String())
	return errors.Join(append(wrong, err)...)
}

// ratio is of two times of a query.
type ratio struct {
	name string
	of   float64
}

func geometric(ratios []ratio) float64 {
	var sum float64
	for _, r := range ratios {
		sum += math.Log(r.of)
	}
	return math.Exp(sum / float64(len(ratios)))
}

// cell writes a median, with half of the range as a part of it.
func (r result) cell(name string) string {
	a := r.of[name]
	mid, least, most := r.median(name)
	switch {
	case a.text == "":
		return "–"
	case a.err != nil:
		return "not yet"
	case math.IsNaN(mid):
		return "–"
	case a.wrong != "":
		return figure(mid) + " (differs)"
	}
	if least == most {
		return figure(mid)
	}
	return fmt.Sprintf("%s ±%.0f %%", figure(mid), 50*(most-least)/mid)
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
