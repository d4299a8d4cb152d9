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
	get  *sql.Stmt
	many *sql.Stmt     // inserts into the table of many logs
	logs []int64       // the next number of each of them
	busy chan struct{} // holds one token: the right to use the connection
	wal  *os.File
	tick *ticker
}

// openSQLite opens it with the driver of that name; "" is one this program does not have.
func openSQLite(driver string) func(ctx context.Context, s settings) (engine, error) {
	return func(ctx context.Context, s settings) (_ engine, err error) {
		if driver == "" {
			return nil, errNone
		}
		path := s.dir + "/log.db"
		db, err := sql.Open(driver, path)
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
		mode := "OFF"
		if s.sync == always {
			mode = "FULL"
		}
		for _, set := range []string{
			"PRAGMA journal_mode=WAL",
			"PRAGMA wal_autocheckpoint=10000",
			"PRAGMA synchronous=" + mode,
			fmt.Sprintf("PRAGMA cache_size=-%d", cacheBytes>>10),
			"CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, payload BLOB NOT NULL)",
		} {
			if _, err = q.conn.ExecContext(ctx, set); err != nil {
				return nil, fmt.Errorf("%s: %w", set, err)
			}
		}
		if q.ins, err = q.conn.PrepareContext(ctx, "INSERT INTO events (payload) VALUES (?)"); err != nil {
			return nil, err
		}
		if q.get, err = q.conn.PrepareContext(ctx, "SELECT payload FROM events WHERE seq = ?"); err != nil {
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
}

func (q *sqliteLog) append(ctx context.Context, payloads [][]byte) error {
	<-q.busy
	defer func() { q.busy <- struct{}{} }()
	if len(payloads) == 1 {
		_, err := q.ins.ExecContext(ctx, payloads[0])
		return err
	}
	return q.transaction(ctx, func() error {
		for _, p := range payloads {
			if _, err := q.ins.ExecContext(ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
}

func (q *sqliteLog) transaction(ctx context.Context, f func() error) error {
	if _, err := q.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	_, err := q.conn.ExecContext(ctx, "COMMIT")
	return err
}

func (q *sqliteLog) prepare(ctx context.Context, logs int) (err error) {
	q.logs = make([]int64, logs)
	if _, err = q.conn.ExecContext(ctx, "CREATE TABLE logs (log INTEGER, seq INTEGER, payload BLOB NOT NULL, PRIMARY KEY (log, seq)) WITHOUT ROWID"); err != nil {
		return err
	}
	q.many, err = q.conn.PrepareContext(ctx, "INSERT INTO logs (log, seq, payload) VALUES (?, ?, ?)")
	return err
}

func (q *sqliteLog) spread(ctx context.Context, first int, payloads [][]byte) error {
	return q.transaction(ctx, func() error {
		for i, p := range payloads {
			log := (first + i) % len(q.logs)
			if _, err := q.many.ExecContext(ctx, log, q.logs[log], p); err != nil {
				return err
			}
			q.logs[log]++
		}
		return nil
	})
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

func (q *sqliteLog) at(ctx context.Context, number uint64) (v []byte, err error) {
	err = q.get.QueryRowContext(ctx, int64(number+1)).Scan(&v)
	return v, err
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
	for _, st := range []*sql.Stmt{q.ins, q.get, q.many} {
		if st != nil {
			err = errors.Join(err, st.Close())
		}
	}
	if q.conn != nil {
		err = errors.Join(err, q.conn.Close())
	}
	if q.wal != nil {
		err = errors.Join(err, q.wal.Close())
	}
	return errors.Join(err, q.db.Close())
}
