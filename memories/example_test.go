package memories_test

import (
	"context"
	"fmt"

	"github.com/seed69692123/netdb/memories"
	"github.com/seed69692123/netdb/redex"
)

func Example() {
	ctx := context.Background()
	store, err := redex.OpenMemory(ctx, redex.Options{})
	if err != nil {
		panic(err)
	}
	defer store.Close()
	mind, err := memories.Open(ctx, store, memories.Options{})
	if err != nil {
		panic(err)
	}
	defer mind.Close()

	mind.Store(ctx, 1, "The lidar drops frames in rain", []string{"sensors", "bug"}, "report", 100)
	mind.Store(ctx, 2, "Radar is fine in rain", []string{"sensors"}, "report", 200)
	token, err := mind.Pin(ctx, 1, 300)
	if err != nil {
		panic(err)
	}
	if err := mind.Wait(ctx, token); err != nil {
		panic(err)
	}
	for _, m := range mind.Query().WhereAllTags("sensors").ContentContains("RAIN").OrderBy(memories.CreatedDesc).Collect() {
		fmt.Println(m.ID, m.Content, m.Tags, m.Pinned)
	}
	fmt.Println(mind.Exists(memories.Filter{AnyTag: []string{"bug", "idea"}, Pinned: new(true)}))
	// Output:
	// 2 Radar is fine in rain [sensors] false
	// 1 The lidar drops frames in rain [sensors bug] true
	// true
}
