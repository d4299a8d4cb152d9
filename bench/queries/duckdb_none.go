//go:build !cgo || noduckdb

package main

import (
	"context"
	"errors"
)

// duckDB says that this program has no DuckDB in it.
const duckDB = false

var errNoDuckDB = errors.New("built without DuckDB: it needs cgo, and no tag noduckdb")

func openDuckDB(context.Context, string) (*sqlSystem, error) { return nil, errNoDuckDB }

func loadDuckDB(context.Context, string, events) error { return errNoDuckDB }

func openDuckJSON(context.Context, map[string]string) (*sqlSystem, error) { return nil, errNoDuckDB }
