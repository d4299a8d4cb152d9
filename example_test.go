package netdb_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

type order struct {
	Customer string `json:"customer"`
	Cents    int64  `json:"cents"`
}

type totals struct{ Spent fold.Table[string, int64] }

// The whole way of an event: appended to a log, folded into state, read back by the one who wrote it, queried with SQL, and
// put into a snapshot.
func Example() {
	ctx := context.Background()
	db, err := netdb.OpenMemory(ctx, netdb.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	orders, err := db.OpenLog(ctx, "orders", redex.LogOptions{})
	if err != nil {
		log.Fatal(err)
	}
	spent, err := netdb.OpenFold(ctx, db, fold.Definition[totals]{
		Name: "spent", Logs: []string{"orders"},
		Fold: fold.Func[totals](func(s *totals, ev redex.Event) error {
			var o order
			if err := fold.Decode(&ev, &o); err != nil {
				return err
			}
			cents, _ := s.Spent.Get(o.Customer)
			s.Spent.Set(o.Customer, cents+o.Cents)
			return nil
		}),
	})
	if err != nil {
		log.Fatal(err)
	}

	var token fold.WriteToken
	for _, o := range []order{{"ada", 1250}, {"bob", 300}, {"ada", 750}} {
		done, err := orders.Append(ctx, netdb.MustJSON(o), redex.AppendOptions{})
		if err != nil {
			log.Fatal(err)
		}
		token = fold.TokenOf(done.Position)
	}
	if err := db.Wait(ctx, token); err != nil { // from here on the fold includes the last order
		log.Fatal(err)
	}
	cents, _ := spent.Snapshot().State.Spent.Get("ada")
	fmt.Println("ada spent", cents)

	type row struct {
		Customer string
		N        int
		Sum      int64
	}
	for r, err := range netdb.Select[row](ctx, db, `SELECT customer, count(*) AS n, sum(cents) AS sum FROM orders GROUP BY customer ORDER BY sum DESC`) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.Customer, r.N, r.Sum)
	}

	var file bytes.Buffer
	info, err := db.Snapshot(ctx, &file, netdb.SnapshotOptions{Logs: []string{"**"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("snapshot of", info.Logs, "log,", info.Events, "events and", info.Folds, "fold")
	// Output:
	// ada spent 2000
	// ada 2 2000
	// bob 1 300
	// snapshot of 1 log, 3 events and 1 fold
}
