//go:build cgo && !noduckdb

package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/duckdb/duckdb-go/v2"
)

// duckDB says that this program has DuckDB in it.
const duckDB = true

// duckTables are the logs as tables with the types of their fields.
const duckTables = `
	CREATE TABLE commits (seq BIGINT, repo VARCHAR, sha VARCHAR, author VARCHAR, ts BIGINT, author_ts BIGINT, parents BIGINT, is_merge BOOLEAN,
		files BIGINT, ins BIGINT, del BIGINT, subj_len BIGINT, top_dir VARCHAR);
	CREATE TABLE changes (seq BIGINT, repo VARCHAR, sha VARCHAR, path VARCHAR, dir VARCHAR, ext VARCHAR, ins BIGINT, del BIGINT, ts BIGINT)`

// openDuckDB opens a database file; "" is one in memory.
func openDuckDB(ctx context.Context, path string) (*sqlSystem, error) {
	connector, err := duckdb.NewConnector(path, nil)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	s := &sqlSystem{db: db, pick: func(q query) string {
		if q.duck != "" {
			return q.duck
		}
		return q.text
	}}
	for _, set := range []string{fmt.Sprintf("SET threads = %d", threads), "SET TimeZone = 'UTC'"} {
		if _, err := db.ExecContext(ctx, set); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", set, err), db.Close())
		}
	}
	return s, nil
}

// loadDuckDB makes a database file from the events, in tables with types.
func loadDuckDB(ctx context.Context, path string, e events) error {
	s, err := openDuckDB(ctx, path)
	if err != nil {
		return err
	}
	return errors.Join(fillDuckDB(ctx, s.db, e), s.Close())
}

func fillDuckDB(ctx context.Context, db *sql.DB, e events) error {
	if _, err := db.ExecContext(ctx, duckTables); err != nil {
		return err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	err = conn.Raw(func(raw any) error {
		err := appendDuckDB(raw, commitsLog, func(row func(...driver.Value) error) error {
			return decoded(ctx, e, commitsLog, func(c *commit) error {
				return row(c.Seq, c.Repo, c.SHA, c.Author, c.TS, c.AuthorTS, c.Parents, c.IsMerge, c.Files, c.Ins, c.Del, c.SubjLen, orNull(c.TopDir))
			})
		})
		if err != nil {
			return err
		}
		return appendDuckDB(raw, changesLog, func(row func(...driver.Value) error) error {
			return decoded(ctx, e, changesLog, func(c *change) error {
				return row(c.Seq, c.Repo, c.SHA, c.Path, c.Dir, orNull(c.Ext), orNull(c.Ins), orNull(c.Del), c.TS)
			})
		})
	})
	if err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, "CHECKPOINT")
	return err
}

func appendDuckDB(raw any, table string, fill func(row func(...driver.Value) error) error) error {
	conn, ok := raw.(driver.Conn)
	if !ok {
		return fmt.Errorf("a connection of type %T", raw)
	}
	a, err := duckdb.NewAppenderFromConn(conn, "", table)
	if err != nil {
		return err
	}
	return errors.Join(fill(a.AppendRow), a.Close())
}

// openDuckJSON opens DuckDB in memory with views of files of JSON lines, whose fields have the types of the tables' columns.
func openDuckJSON(ctx context.Context, paths map[string]string) (*sqlSystem, error) {
	s, err := openDuckDB(ctx, "")
	if err != nil {
		return nil, err
	}
	for log, columns := range map[string]string{
		commitsLog: `seq: 'BIGINT', repo: 'VARCHAR', sha: 'VARCHAR', author: 'VARCHAR', ts: 'BIGINT', author_ts: 'BIGINT', parents: 'BIGINT', is_merge: 'BOOLEAN',
			files: 'BIGINT', ins: 'BIGINT', del: 'BIGINT', subj_len: 'BIGINT', top_dir: 'VARCHAR'`,
		changesLog: `seq: 'BIGINT', repo: 'VARCHAR', sha: 'VARCHAR', path: 'VARCHAR', dir: 'VARCHAR', ext: 'VARCHAR', ins: 'BIGINT', del: 'BIGINT', ts: 'BIGINT'`,
	} {
		view := fmt.Sprintf(`CREATE VIEW %s AS SELECT * FROM read_json('%s', format = 'newline_delimited', columns = {%s})`, log, paths[log], columns)
		if _, err := s.db.ExecContext(ctx, view); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", log, err), s.Close())
		}
	}
	return s, nil
}
