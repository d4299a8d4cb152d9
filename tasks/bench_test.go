package tasks_test

import (
	"fmt"
	"testing"

	"github.com/seed69692123/netdb/tasks"
)

func BenchmarkCreate(b *testing.B) {
	m := open(b, memory(b), tasks.Options{})
	for i := uint64(0); b.Loop(); i++ {
		if _, err := m.Create(b.Context(), i%10_000, "a task of some length", int64(i)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCreateAndWait(b *testing.B) {
	m := open(b, memory(b), tasks.Options{})
	for i := uint64(0); b.Loop(); i++ {
		tok, err := m.Create(b.Context(), i%10_000, "a task of some length", int64(i))
		if err != nil {
			b.Fatal(err)
		}
		if err := m.Wait(b.Context(), tok); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		m := open(b, memory(b), tasks.Options{})
		for i := range uint64(n) {
			if _, err := m.Create(b.Context(), i, fmt.Sprint("task ", i), int64(i)); err != nil {
				b.Fatal(err)
			}
			if i%2 == 0 {
				if _, err := m.Complete(b.Context(), i, int64(i)); err != nil {
					b.Fatal(err)
				}
			}
		}
		if err := m.Fold().CatchUp(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("find=unique/n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := uint64(0); b.Loop(); i++ {
				m.FindUnique(i % uint64(n))
			}
		})
		b.Run(fmt.Sprintf("find=newest20pending/n=%d", n), func(b *testing.B) {
			q := m.Query().WhereStatus(tasks.Pending).OrderBy(tasks.CreatedDesc).Limit(20)
			for b.Loop() {
				q.Collect()
			}
		})
		b.Run(fmt.Sprintf("count=status/n=%d", n), func(b *testing.B) {
			q := m.Query().WhereStatus(tasks.Pending)
			for b.Loop() {
				q.Count()
			}
		})
	}
}

// BenchmarkReplay folds a log of tasks from its beginning.
func BenchmarkReplay(b *testing.B) {
	s := memory(b)
	m := open(b, s, tasks.Options{})
	const n = 100_000
	for i := range uint64(n) {
		if _, err := m.Create(b.Context(), i, "a task of some length", int64(i)); err != nil {
			b.Fatal(err)
		}
	}
	o := tasks.Options{Name: "again"}
	o.Fold.Checkpoint.Off = true
	for b.Loop() {
		open(b, s, o).Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/event")
}
