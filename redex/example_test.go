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
