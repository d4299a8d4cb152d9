package index_test

import (
	"context"
	"fmt"
	"log"

	"github.com/seed69692123/netdb/redex"
	"github.com/seed69692123/netdb/redex/index"
)

// Shipment is an event of the examples.
type Shipment struct {
	Order  uint32 `msgpack:"order"`
	Status string `msgpack:"status"`
}

func Example() {
	ctx := context.Background()
	store, err := redex.OpenMemory(ctx, redex.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	l, err := store.OpenLog(ctx, "shipments", redex.LogOptions{})
	if err != nil {
		log.Fatal(err)
	}
	shipments, err := redex.NewTyped(l, redex.TypedOptions[Shipment]{})
	if err != nil {
		log.Fatal(err)
	}
	// Which events are about an order.
	orders, numbers := index.Unsigned[uint32]{}, index.Seqs{}
	x, err := index.Open(ctx, store, index.Definition{
		Name: "by-order", Log: "shipments", Version: "1",
		Project: index.Project(orders, numbers, func(ev *redex.Event, ops *index.MapOps[uint32, redex.Seq]) error {
			v, err := shipments.Decode(ev)
			if err != nil {
				return err
			}
			if v.Status == "forgotten" {
				ops.RemoveAll(v.Order)
				return nil
			}
			ops.Insert(v.Order, ev.Seq)
			return nil
		}),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer x.Close()
	byOrder := index.MapOf(x, orders, numbers)

	var at redex.Appended
	for _, v := range []Shipment{{7, "packed"}, {9, "packed"}, {7, "sent"}, {9, "forgotten"}, {300, "packed"}} {
		if at, err = shipments.Append(ctx, v, redex.AppendOptions{}); err != nil {
			log.Fatal(err)
		}
	}
	if err := x.Wait(ctx, at.Position); err != nil { // read your writes
		log.Fatal(err)
	}
	seqs, err := byOrder.Of(ctx, 7)
	if err != nil {
		log.Fatal(err)
	}
	for _, seq := range seqs {
		ev, err := shipments.Read(ctx, seq)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(seq, ev.Value.Status)
	}
	for p, err := range byOrder.Between(ctx, 8, 1000) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("order", p.Key, "at", p.Value)
	}
	st := x.Stats()
	fmt.Println(st.Keys, "orders,", st.Values, "events,", st.Lag.Events, "behind")
	// Output:
	// 0 packed
	// 2 sent
	// order 300 at 4
	// 2 orders, 3 events, 0 behind
}

func ExampleIndex_Scan() {
	ctx := context.Background()
	store, err := redex.OpenMemory(ctx, redex.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	l, err := store.OpenLog(ctx, "files", redex.LogOptions{})
	if err != nil {
		log.Fatal(err)
	}
	x, err := index.Open(ctx, store, index.Definition{
		Name: "paths", Log: "files",
		Project: func(ev *redex.Event, ops *index.Ops) error {
			if ev.Tombstone {
				ops.RemoveAll(ev.Key)
			} else {
				ops.Insert(ev.Key, ev.Payload)
			}
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer x.Close()
	for _, e := range []redex.Entry{
		{Key: []byte("etc/hosts"), Payload: []byte("a")},
		{Key: []byte("home/x"), Payload: []byte("b")},
		{Key: []byte("home/y"), Payload: []byte("c")},
		{Key: []byte("home/x"), Tombstone: true},
		{Key: []byte("home/z"), Payload: []byte("d")},
	} {
		if _, err := l.Append(ctx, e, redex.AppendOptions{}); err != nil {
			log.Fatal(err)
		}
	}
	if err := x.CatchUp(ctx); err != nil {
		log.Fatal(err)
	}
	r := index.Prefix([]byte("home/"))
	r.Reverse = true
	for e, err := range x.Scan(ctx, r) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s = %s\n", e.Key, e.Value)
	}
	// Output:
	// home/z = d
	// home/y = c
}
