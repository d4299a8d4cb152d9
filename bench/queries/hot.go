package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/seed69692123/netdb"
)

// hotOptions keep all events of the benchmark out of sealing.
func hotOptions() netdb.Options {
	o := netOptions()
	o.Store.SealBytes, o.Store.HotBytes, o.Store.JournalBytes = 2<<30, 1<<30, 4<<30
	return o
}

// hot measures NetDB over events of which none is sealed, against DuckDB over the same lines of JSON.
func (p *plan) hot(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp(p.dir, "hot-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	m := &match{open: map[string]system{}}
	defer func() { err = errors.Join(m.close(), err) }()
	p.say("importing for hot rows")
	s, err := openNetDB(ctx, filepath.Join(dir, "netdb"), hotOptions())
	if err != nil {
		return err
	}
	m.add(ours, s)
	if _, err := importNetDB(ctx, s.db, p.events); err != nil {
		return err
	}
	if p.has(duck) {
		d, err := p.duckOverJSON(ctx, dir)
		if err != nil {
			return err
		}
		m.add(duck+"-json", d)
	}
	results, err := p.contest(ctx, m, p.queries, min(p.repeat, 3))
	if err != nil {
		return err
	}
	if figures := s.db.Store().Metrics(); figures.SealPasses > 0 || figures.UnsealedBytes == 0 {
		return fmt.Errorf("events were sealed: %d passes, %d bytes left", figures.SealPasses, figures.UnsealedBytes)
	}
	return writeResults(out, "Queries over hot events, against DuckDB over lines of JSON", m.names, results)
}

// duckOverJSON writes the lines of both logs to files, and opens DuckDB with views of them.
func (p *plan) duckOverJSON(ctx context.Context, dir string) (*sqlSystem, error) {
	paths := map[string]string{}
	for _, log := range []string{commitsLog, changesLog} {
		paths[log] = filepath.Join(dir, log+".jsonl")
		f, err := os.Create(paths[log])
		if err != nil {
			return nil, err
		}
		err = p.events.batches(ctx, log, importBatch, func(lines [][]byte) error {
			for _, line := range lines {
				if _, err := f.Write(append(line, '\n')); err != nil {
					return err
				}
			}
			return nil
		})
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
	}
	return openDuckJSON(ctx, paths)
}
