package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// small is a query that a program asks again and again with other arguments.
type small struct {
	q      query
	number bool  // its argument is the number of a commit
	among  int64 // how many neighbours it is taken from; 0 means all
}

func smalls() []small {
	const columns = `repo, sha, author, ts, files, ins, del`
	return []small{
		{q: query{name: "point by `_seq`, of 1,000 neighbours", text: `SELECT ` + columns + ` FROM commits WHERE _seq = $1`, duck: `SELECT ` + columns + ` FROM commits WHERE seq = $1`, lite: `SELECT ` + columns + ` FROM commits WHERE seq = ?1`}, number: true, among: 1000},
		{q: query{name: "point by `_seq`, of all", text: `SELECT ` + columns + ` FROM commits WHERE _seq = $1`, duck: `SELECT ` + columns + ` FROM commits WHERE seq = $1`, lite: `SELECT ` + columns + ` FROM commits WHERE seq = ?1`}, number: true},
		{q: query{name: "point by a payload field that ascends, of 1,000 neighbours", text: `SELECT ` + columns + ` FROM commits WHERE seq = $1`, lite: `SELECT ` + columns + ` FROM commits WHERE seq = ?1`}, number: true, among: 1000},
		{q: query{name: "point by a payload field that ascends, of all", text: `SELECT ` + columns + ` FROM commits WHERE seq = $1`, lite: `SELECT ` + columns + ` FROM commits WHERE seq = ?1`}, number: true},
		{q: query{name: "latest by `_seq`", text: `SELECT ` + columns + ` FROM commits ORDER BY _seq DESC LIMIT 1`, duck: `SELECT ` + columns + ` FROM commits ORDER BY seq DESC LIMIT 1`, lite: `SELECT ` + columns + ` FROM commits ORDER BY seq DESC LIMIT 1`}},
		{q: query{name: "latest by a payload field that ascends", text: `SELECT ` + columns + ` FROM commits ORDER BY seq DESC LIMIT 1`}},
	}
}

// prepared measures small queries as prepared statements. How often is bounded by a time, for each system and query.
func (p *plan) prepared(ctx context.Context, out io.Writer) (err error) {
	m, err := p.stores(ctx, p.systems...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	var b strings.Builder
	b.WriteString("\n## Prepared statements\n\n| query |")
	for _, name := range m.names {
		fmt.Fprintf(&b, " %s µs, p50 / p99 |", name)
	}
	fmt.Fprintf(&b, "\n|---|%s\n", strings.Repeat("---:|", len(m.names)))
	for _, s := range smalls() {
		fmt.Fprintf(&b, "| %s |", s.q.name)
		for _, name := range m.names {
			p.say("%s · %s", s.q.name, name)
			times, err := p.ask(ctx, m.open[name], s)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", s.q.name, name, err)
			}
			fmt.Fprintf(&b, " %s / %s |", figure(1e3*ms(times[len(times)/2])), figure(1e3*ms(times[len(times)*99/100])))
		}
		b.WriteString("\n")
	}
	_, err = io.WriteString(out, b.String())
	return err
}

// ask returns the times of a prepared statement in order, after a first run that is not counted. Its argument is another each time.
func (p *plan) ask(ctx context.Context, s system, what small) ([]time.Duration, error) {
	run, end, err := s.prepare(ctx, s.text(what.q))
	if err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(1, 2))
	first, among := int64(0), p.facts.Commits
	if what.among > 0 && what.among < among {
		first, among = p.facts.Commit, what.among
	}
	var times []time.Duration
	for began := time.Now(); len(times) < 3 || len(times) < 5000 && time.Since(began) < p.budget/5; {
		var args []any
		if what.number {
			args = append(args, first+random.Int64N(among))
		}
		start := time.Now()
		if err := run(ctx, args...); err != nil {
			return nil, errors.Join(err, end())
		}
		times = append(times, time.Since(start))
	}
	times = times[1:]
	slices.Sort(times)
	return times, end()
}
