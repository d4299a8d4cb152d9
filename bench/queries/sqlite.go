package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	_ "modernc.org/sqlite" // the driver
)

// openSQLite opens a database file in which the logs are tables with the types of their fields, in the order of seq.
func openSQLite(ctx context.Context, path string) (*sqlSystem, error) {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	for _, set := range []string{"PRAGMA journal_mode=WAL", "PRAGMA synchronous=OFF", "PRAGMA cache_size=-262144", "PRAGMA case_sensitive_like=ON", fmt.Sprintf("PRAGMA threads=%d", threads)} {
		if _, err := db.ExecContext(ctx, set); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", set, err), db.Close())
		}
	}
	return &sqlSystem{db: db, pick: func(q query) string {
		switch q.lite {
		case "":
			return q.text
		case "-":
			return ""
		}
		return q.lite
	}}, nil
}

// loadSQLite makes a database file from the events.
func loadSQLite(ctx context.Context, path string, e events) error {
	s, err := openSQLite(ctx, path)
	if err != nil {
		return err
	}
	return errors.Join(fillSQLite(ctx, s.db, e), s.Close())
}

func fillSQLite(ctx context.Context, db *sql.DB, e events) (err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	for _, table := range []string{
		`CREATE TABLE commits (seq INTEGER PRIMARY KEY, repo TEXT, sha TEXT, author TEXT, ts INTEGER, author_ts INTEGER, parents INTEGER, is_merge INTEGER,
			files INTEGER, ins INTEGER, del INTEGER, subj_len INTEGER, top_dir TEXT)`,
		`CREATE TABLE changes (seq INTEGER PRIMARY KEY, repo TEXT, sha TEXT, path TEXT, dir TEXT, ext TEXT, ins INTEGER, del INTEGER, ts INTEGER)`,
	} {
		if _, err = tx.ExecContext(ctx, table); err != nil {
			return err
		}
	}
	commits, err := tx.PrepareContext(ctx, `INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	defer commits.Close()
	err = decoded(ctx, e, commitsLog, func(c *commit) error {
		_, err := commits.ExecContext(ctx, c.Seq, c.Repo, c.SHA, c.Author, c.TS, c.AuthorTS, c.Parents, c.IsMerge, c.Files, c.Ins, c.Del, c.SubjLen, orNull(c.TopDir))
		return err
	})
	if err != nil {
		return err
	}
	changes, err := tx.PrepareContext(ctx, `INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	defer changes.Close()
	err = decoded(ctx, e, changesLog, func(c *change) error {
		_, err := changes.ExecContext(ctx, c.Seq, c.Repo, c.SHA, c.Path, c.Dir, orNull(c.Ext), orNull(c.Ins), orNull(c.Del), c.TS)
		return err
	})
	if err != nil {
		return err
	}
	return tx.Commit()
}

// orNull returns what p points to, or nil.
func orNull[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}
