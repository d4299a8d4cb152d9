package redex_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/seed69692123/netdb/redex"
)

// Order is version 2 of the events of a log. Version 1 had a price in whole units.
type Order struct {
	Item  string `msgpack:"item"`
	Cents int64  `msgpack:"cents"`
}

func ExampleTyped() {
	ctx := context.Background()
	store, err := redex.OpenMemory(ctx, redex.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	l, err := store.OpenLog(ctx, "orders", redex.LogOptions{})
	if err != nil {
		log.Fatal(err)
	}
	// What an older program wrote, and somebody else.
	for _, e := range []redex.Entry{
		{Encoding: redex.JSON, SchemaVersion: 1, Payload: []byte(`{"item": "cup", "price": 3}`)},
		{Payload: []byte("hello")},
	} {
		if _, err := l.Append(ctx, e, redex.AppendOptions{}); err != nil {
			log.Fatal(err)
		}
	}
	orders, err := redex.NewTyped(l, redex.TypedOptions[Order]{
		Schema: 2,
		Upgrades: map[uint32]redex.Upgrade[Order]{1: func(old *redex.Event) (Order, error) {
			var v struct {
				Item  string
				Price int64
			}
			err := redex.DecodePayload(old, &v)
			return Order{v.Item, 100 * v.Price}, err
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := orders.Append(ctx, Order{"pot", 1250}, redex.AppendOptions{}); err != nil {
		log.Fatal(err)
	}
	for ev, err := range orders.Scan(ctx, 0, l.Bounds().Next) {
		switch {
		case errors.Is(err, redex.ErrDecode): // of this event only
			fmt.Println(err)
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Printf("%d: %s, version %d: %+v\n", ev.Seq, ev.Encoding, ev.SchemaVersion, ev.Value)
		}
	}
	// Output:
	// 0: json, version 1: {Item:cup Cents:300}
	// redex: decode log "orders" sequence 1 (raw, schema version 0, known 2): redex: no upgrade of the schema
	// 2: msgpack, version 2: {Item:pot Cents:1250}
}
