package redex_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/seed69692123/netdb/redex"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "redex")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := redex.Open(ctx, dir, redex.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	readings, err := store.OpenLog(ctx, "sensors/lidar", redex.LogOptions{CheckJSON: true})
	if err != nil {
		log.Fatal(err)
	}
	for i := range 3 {
		e := redex.Entry{Kind: 1, Encoding: redex.JSON, Payload: fmt.Appendf(nil, `{"range": %d}`, 10*i)}
		at, err := readings.Append(ctx, e, redex.AppendOptions{}) // on disk when it returns
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("appended", at.Seq)
	}
	for ev, err := range readings.Scan(ctx, 1, 3) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%d: %s\n", ev.Seq, ev.Payload)
	}
	tail := readings.Tail(2, redex.TailOptions{})
	defer tail.Close()
	for range 2 {
		if !tail.Next(ctx) {
			log.Fatal(tail.Err())
		}
		fmt.Printf("tail %d: %s\n", tail.Event().Seq, tail.Event().Payload)
		if tail.Event().Seq == 2 {
			if _, err := readings.Append(ctx, redex.Entry{Encoding: redex.JSON, Payload: []byte(`"new"`)}, redex.AppendOptions{}); err != nil {
				log.Fatal(err)
			}
		}
	}
	// Output:
	// appended 0
	// appended 1
	// appended 2
	// 1: {"range": 10}
	// 2: {"range": 20}
	// tail 2: {"range": 20}
	// tail 3: "new"
}

// A consumer shares the events of a log among its members, and keeps which of them are dealt with.
func ExampleLog_OpenConsumer() {
	ctx := context.Background()
	store, err := redex.OpenMemory(ctx, redex.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	orders, err := store.OpenLog(ctx, "orders", redex.LogOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, what := range []string{"tea", "nonsense", "cake"} {
		if _, err := orders.Append(ctx, redex.Entry{Key: []byte("customer 7"), Payload: []byte(what)}, redex.AppendOptions{}); err != nil {
			log.Fatal(err)
		}
	}
	billing, err := orders.OpenConsumer(ctx, "billing", redex.ConsumerOptions{
		Order: redex.OrderByKey, MaxAttempts: 3, DeadLetter: "orders/dead",
	})
	if err != nil {
		log.Fatal(err)
	}
	member, err := billing.Join(ctx) // others may join, also later
	if err != nil {
		log.Fatal(err)
	}
	defer member.Close()
	for range 5 {
		d, err := member.Next(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s, attempt %d\n", d.Event.Payload, d.Attempt)
		if string(d.Event.Payload) == "nonsense" {
			err = d.Nack(0) // again, and after the third time to the dead-letter log
		} else {
			err = d.AckSync(ctx) // will not be delivered again, whatever happens
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	dead, err := store.Log("orders/dead")
	if err != nil {
		log.Fatal(err)
	}
	ev, err := dead.Read(ctx, 0)
	if err != nil {
		log.Fatal(err)
	}
	from, _ := ev.DeadLetter()
	fmt.Printf("dead: %s, from sequence %d of %s after %d attempts\n", ev.Payload, from.Seq, from.Log, from.Attempts)
	fmt.Println("to do:", billing.Stats().Pending)
	// Output:
	// tea, attempt 1
	// nonsense, attempt 1
	// nonsense, attempt 2
	// nonsense, attempt 3
	// cake, attempt 1
	// dead: nonsense, from sequence 1 of orders after 3 attempts
	// to do: 0
}
