package tasks_test

import (
	"context"
	"fmt"

	"github.com/seed69692123/netdb/redex"
	"github.com/seed69692123/netdb/tasks"
)

func Example() {
	ctx := context.Background()
	store, err := redex.OpenMemory(ctx, redex.Options{})
	if err != nil {
		panic(err)
	}
	defer store.Close()
	list, err := tasks.Open(ctx, store, tasks.Options{})
	if err != nil {
		panic(err)
	}
	defer list.Close()

	list.Create(ctx, 1, "write the parser", 100)
	list.Create(ctx, 2, "test the parser", 200)
	token, err := list.Complete(ctx, 1, 300)
	if err != nil {
		panic(err)
	}
	if err := list.Wait(ctx, token); err != nil {
		panic(err)
	}
	for _, t := range list.Query().TitleContains("Parser").OrderBy(tasks.UpdatedDesc).Collect() {
		fmt.Println(t.ID, t.Title, t.Status)
	}
	fmt.Println(list.Count(tasks.Filter{Status: new(tasks.Pending)}), "pending")
	// Output:
	// 1 write the parser completed
	// 2 test the parser pending
	// 1 pending
}

func ExampleTasks_SnapshotAndWatch() {
	ctx := context.Background()
	store, err := redex.OpenMemory(ctx, redex.Options{})
	if err != nil {
		panic(err)
	}
	defer store.Close()
	list, err := tasks.Open(ctx, store, tasks.Options{})
	if err != nil {
		panic(err)
	}
	now, later := list.SnapshotAndWatch(ctx, tasks.Filter{})
	fmt.Println(len(now), "tasks")
	list.Create(ctx, 1, "write the parser", 100)
	for l, err := range later {
		if err != nil {
			fmt.Println("ended:", err)
			break
		}
		fmt.Println(len(l), "tasks")
		list.Close()
	}
	// Output:
	// 0 tasks
	// 1 tasks
	// ended: fold: closed
}
