// Package sqldriver is the database/sql driver "netdb".
//
// In: an open *netdb.DB (NewConnector), or a data source name, which names a directory (sql.Open). Out: a sql.DB on it.
//
//	pool := sql.OpenDB(sqldriver.NewConnector(db))             // the handle stays its owner's to close
//	pool, err := sql.Open("netdb", "/var/lib/app?sync=never")  // every pool on one directory shares one handle
//
// # Data source names
//
// A name is a path, or a URL file:path, with options behind a question mark: readonly, sync (always, interval, never), zone, origin,
// query_bytes, query_threads, temp_dir, temp_bytes. In a URL %20 and the like are understood. ":memory:" is a database in memory for
// the life of the sql.DB. Unknown options are errors, and so is a directory that is open with others.
//
// # Statements
//
// Parameters are ? (here only), $1, :name and @name; sql.Named gives the last two their values. An argument may be what a query of
// package netdb takes, a driver.Valuer, a *big.Int, a json.Number or a json.RawMessage. Of an INSERT, RowsAffected is the number
// of events and LastInsertId the sequence of the last one.
//
// Each column has one type: a payload field has the type that all its values have, DOUBLE for mixed numbers, else JSON. Values are
// int64, float64, bool, string, []byte (BLOB and JSON), time.Time (TIMESTAMPTZ and DATE) or, for an INTERVAL and integers beyond
// int64, a string.
//
// # Transactions
//
// A transaction sees the database at the moment it began: its queries have one cut. INSERTs are gathered and appended by Commit as one
// batch over all their logs; queries do not see them before, and they have no LastInsertId. Isolation levels other than the default and
// sql.LevelSnapshot, which are the same, are refused.
//
// # Reading one's own writes
//
// A query of logs sees every INSERT that has returned. A query of folds does with the write's token: Conn.Token gives it, through
// sql.Conn.Raw, and the argument After(token) of any statement waits for it.
//
// # Concurrency
//
// A sql.DB is safe for concurrent use. Connections cost nothing: they share the handle. Nothing here starts a goroutine.
package sqldriver // import "github.com/seed69692123/netdb/sqldriver"
