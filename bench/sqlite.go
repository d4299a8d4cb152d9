package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	_ "modernc.org/sqlite" // the driver
)

// sqliteLog is a table with an integer key, in WAL mode, through one connection.
type sqliteLog struct {
	db   *sql.DB
	conn *sql.Conn
	ins  *sql.Stmt
	busy chan struct{} // holds one token: the right to use the connection
	wal  *os.File
	tick *ticker
}

func openSQLite(ctx context.Context, s settings) (_ engine, err error) {
	path := s.dir + "/log.db"
	mode := "OFF"
	if s.sync == always {
		mode = "FULL"
	}
	db, err := sql.Open("sqlite", path+"?_pragma=journal_mode(WAL)&_pragma=wal_autocheckpoint(10000)&_pragma=synchronous("+mode+")")
	if err != nil {
		return nil, err
	}
	q := &sqliteLog{db: db, busy: make(chan struct{}, 1)}
	q.busy <- struct{}{}
	defer func() {
		if err != nil {
			err = errors.Join(err, q.Close())
		}
	}()
	db.SetMaxOpenConns(1)
	if q.conn, err = db.Conn(ctx); err != nil {
		return nil, err
	}
	if _, err = q.conn.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, payload BLOB NOT NULL)"); err != nil {
		return nil, err
	}
	if q.ins, err = q.conn.PrepareContext(ctx, "INSERT INTO events (payload) VALUES (?)"); err != nil {
		return nil, err
	}
	if s.sync == interval {
		// SQLite has no call for it; a sync of the log's file through another descriptor does the same.
		if q.wal, err = os.OpenFile(path+"-wal", os.O_RDWR, 0); err != nil {
			return nil, err
		}
		q.tick = startTicker(q.wal.Sync)
	}
	return q, nil
}

func (q *sqliteLog) append(ctx context.Context, payloads [][]byte) error {
	<-q.busy
	defer func() { q.busy <- struct{}{} }()
	if len(payloads) == 1 {
		_, err := q.ins.ExecContext(ctx, payloads[0])
		return err
	}
	if _, err := q.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, p := range payloads {
		if _, err := q.ins.ExecContext(ctx, p); err != nil {
			return err
		}
	}
	_, err := q.conn.ExecContext(ctx, "COMMIT")
	return err
}

func (q *sqliteLog) scan(ctx context.Context) (events, bytes int64, err error) {
	rows, err := q.conn.QueryContext(ctx, "SELECT payload FROM events ORDER BY seq")
	if err != nil {
		return 0, 0, err
	}
	var v sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&v); err != nil {
			return 0, 0, errors.Join(err, rows.Close())
		}
		events++
		bytes += int64(len(v))
	}
	return events, bytes, errors.Join(rows.Err(), rows.Close())
}

func (q *sqliteLog) last(ctx context.Context) (v []byte, err error) {
	err = q.conn.QueryRowContext(ctx, "SELECT payload FROM events ORDER BY seq DESC LIMIT 1").Scan(&v)
	if err != nil {
		return nil, fmt.Errorf("last: %w", err)
	}
	return v, nil
}

func (q *sqliteLog) Close() error {
	err := q.tick.close()
	if q.ins != nil {
		err = errors.Join(err, q.ins.Close())
	}
	if q.conn != nil {
		err = errors.Join(err, q.conn.Close())
	}
	if q.wal != nil {
		err = errors.Join(err, q.wal.Close())
	}
	return errors.Join(err, q.db.Close())
}
