package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

func (p *plan) path(system string) string { return filepath.Join(p.dir, system) }

// file is where a system's data lies within its directory.
func (p *plan) file(system string) string { return filepath.Join(p.path(system), "data") }

// load makes a system's store, unless an earlier run left one of the same events.
func (p *plan) load(ctx context.Context, system string, progress io.Writer) error {
	id, err := p.events.id()
	if err != nil {
		return err
	}
	done := filepath.Join(p.path(system), "source")
	if was, err := os.ReadFile(done); err == nil && string(was) == id && !p.reload.MatchString(system) {
		return nil
	}
	if err := os.RemoveAll(p.path(system)); err != nil {
		return err
	}
	if err := os.MkdirAll(p.path(system), 0o777); err != nil {
		return err
	}
	began := time.Now()
	switch system {
	case ours:
		err = loadNetDB(ctx, p.file(system), p.events)
	case duck:
		err = loadDuckDB(ctx, p.file(system), p.events)
	case lite:
		err = loadSQLite(ctx, p.file(system), p.events)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(progress, "loaded %s in %.1f s\n", system, time.Since(began).Seconds())
	return os.WriteFile(done, []byte(id), 0o666)
}

func (p *plan) open(ctx context.Context, name string) (system, error) {
	switch name {
	case ours:
		return openNetDB(ctx, p.file(name))
	case duck:
		return openDuckDB(ctx, p.file(name))
	case lite:
		return openSQLite(ctx, p.file(name))
	}
	return nil, fmt.Errorf("no system %q", name)
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
	if f, err = lookAt(ctx, p.events); err != nil {
		return f, err
	}
	text, err := json.Marshal(known{id, f})
	return f, errors.Join(err, os.WriteFile(file, text, 0o666))
}
