package sqldriver_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/sqldriver"
)

// A pool on a database that is open already. A pool on a directory is sql.Open("netdb", "/var/lib/app").
func Example() {
	ctx := context.Background()
	db, err := netdb.OpenMemory(ctx, netdb.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	pool := sql.OpenDB(sqldriver.NewConnector(db))
	defer pool.Close()

	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer tx.Rollback()
	for _, o := range []struct {
		who   string
		cents int
	}{{"ada", 1250}, {"bob", 300}, {"ada", 750}} {
		if _, err := tx.ExecContext(ctx, `INSERT INTO orders (customer.name, cents) VALUES (?, ?)`, o.who, o.cents); err != nil {
			log.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil { // one batch: all three events or none
		log.Fatal(err)
	}

	rows, err := pool.QueryContext(ctx, `SELECT customer.name, sum(cents) FROM orders GROUP BY ALL ORDER BY 1`)
	if err != nil {
		log.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var who string
		var cents int64
		if err := rows.Scan(&who, &cents); err != nil {
			log.Fatal(err)
		}
		fmt.Println(who, cents)
	}
	if err := rows.Err(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// ada 2000
	// bob 300
}
