package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// oddEvery is how many changes have one whose number of lines added is a text.
const oddEvery = 1000

// makeOdd returns a line of the log of changes, with a text for the lines added if it is one of those.
func makeOdd(line []byte) ([]byte, error) {
	from, to, err := member(line, "seq")
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseInt(string(line[from:to]), 10, 64)
	if err != nil || n%oddEvery != oddEvery/2 {
		return line, err
	}
	if from, to, err = member(line, "ins"); err != nil {
		return nil, err
	}
	return slices.Concat(line[:from], []byte(`"many"`), line[to:]), nil
}

// member returns where a number or null lies in a line.
func member(line []byte, name string) (from, to int, err error) {
	key := []byte(`"` + name + `":`)
	if from = bytes.Index(line, key); from >= 0 {
		from += len(key)
		if n := bytes.IndexAny(line[from:], ",}"); n > 0 {
			return from, from + n, nil
		}
	}
	return 0, 0, fmt.Errorf("no %s in %q", name, line)
}

// odd measures NetDB over a log in which one value in 1,000 has another type, against the clean log. Only queries are taken
// that see no value in a text where they want a number; their answers are compared with DuckDB's over NULLs in the same places.
func (p *plan) odd(ctx context.Context, out io.Writer) (err error) {
	var queries []query
	for _, q := range p.queries {
		if q.odd {
			queries = append(queries, q)
		}
	}
	if len(queries) == 0 {
		return nil
	}
	m, err := p.stores(ctx, odd, ours)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	wrong := map[string]string{}
	if p.has(duck) {
		if wrong, err = p.oddAnswers(ctx, m.open[odd], queries); err != nil {
			return err
		}
	}
	results, err := p.contest(ctx, m, queries, p.repeat)
	if err != nil {
		return err
	}
	for _, r := range results {
		r.of[ours].wrong, r.of[odd].wrong = "", wrong[r.q.name]
	}
	return writeResults(out, "One odd value in 1,000, against the clean log", m.names, results)
}

// oddAnswers says which answers over odd values differ from DuckDB's over NULLs.
func (p *plan) oddAnswers(ctx context.Context, s system, queries []query) (_ map[string]string, err error) {
	if err := p.load(ctx, duck); err != nil {
		return nil, err
	}
	d, err := openDuckDB(ctx, p.file(duck))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	view := fmt.Sprintf(`CREATE TEMP VIEW changes AS SELECT * REPLACE (CASE WHEN seq %% %d = %d THEN NULL ELSE ins END AS ins) FROM main.changes`, oddEvery, oddEvery/2)
	if _, err := d.db.ExecContext(ctx, view); err != nil {
		return nil, err
	}
	results, err := p.compare(ctx, &match{names: []string{odd, duck}, open: map[string]system{odd: s, duck: d}}, queries)
	if err != nil {
		return nil, err
	}
	wrong := map[string]string{}
	for _, r := range results {
		wrong[r.q.name] = r.of[odd].wrong
	}
	return wrong, nil
}
