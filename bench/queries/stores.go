package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// The systems.
const (
	ours = "netdb"
	duck = "duckdb"
	lite = "sqlite"

	odd = "netdb-odd" // NetDB with odd values in the log
)

// file is where a system's data lies within the directory of its own.
func (p *plan) file(name string) string { return filepath.Join(p.dir, name, "data") }

// load makes a system's store, unless an earlier run left one of the same events.
func (p *plan) load(ctx context.Context, name string) error {
	e := p.events
	e.odd = name == odd
	id, err := e.id()
	if err != nil {
		return err
	}
	dir := filepath.Join(p.dir, name)
	done := filepath.Join(dir, "source")
	if was, err := os.ReadFile(done); err == nil && string(was) == id && !p.reload.MatchString(name) {
		return nil
	}
	p.say("importing for %s", name)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	switch name {
	case ours, odd:
		err = loadNetDB(ctx, p.file(name), e)
	case duck:
		err = loadDuckDB(ctx, p.file(name), e)
	case lite:
		err = loadSQLite(ctx, p.file(name), e)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(done, []byte(id), 0o666)
}

// openStore opens the store of a system on the directory or file path.
func openStore(ctx context.Context, name, path string) (system, error) {
	switch name {
	case ours, odd:
		return openNetDB(ctx, path, netOptions())
	case duck:
		return openDuckDB(ctx, path)
	case lite:
		return openSQLite(ctx, path)
	}
	return nil, fmt.Errorf("no system %q", name)
}

// match is systems that are held against each other.
type match struct {
	names []string // columns of the table; its ratio is that of the first two
	open  map[string]system
}

// stores loads and opens the stores of systems.
func (p *plan) stores(ctx context.Context, names ...string) (m *match, err error) {
	m = &match{open: map[string]system{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	for _, name := range names {
		if err := p.load(ctx, name); err != nil {
			return m, fmt.Errorf("%s: %w", name, err)
		}
		s, err := openStore(ctx, name, p.file(name))
		if err != nil {
			return m, fmt.Errorf("%s: %w", name, err)
		}
		m.add(name, s)
	}
	return m, nil
}

func (m *match) add(name string, s system) {
	m.names = append(m.names, name)
	m.open[name] = s
}

func (m *match) close() error {
	var errs []error
	for _, s := range m.open {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// look returns the facts about the events; those of an earlier run, where the stores are kept.
func (p *plan) look(ctx context.Context) (f facts, err error) {
	id, err := p.events.id()
	if err != nil {
		return f, err
	}
	type known struct {
		ID    string
		Facts facts
	}
	file := filepath.Join(p.dir, "facts.json")
	var k known
	if text, err := os.ReadFile(file); err == nil && json.Unmarshal(text, &k) == nil && k.ID == id {
		return k.Facts, nil
	}
	p.say("reading the events")
	if f, err = lookAt(ctx, p.events); err != nil {
		return f, err
	}
	text, err := json.Marshal(known{id, f})
	return f, errors.Join(err, os.WriteFile(file, text, 0o666))
}
