package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// introduce writes the head of the report: where the figures come from.
func (p *plan) introduce(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Queries\n\n%s, %d CPUs, %s; %s %s/%s", procField("/proc/cpuinfo", "model name"), runtime.NumCPU(), procField("/proc/meminfo", "MemTotal"), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if i, ok := debug.ReadBuildInfo(); ok {
		for _, s := range i.Settings {
			if s.Key == "CGO_ENABLED" {
				fmt.Fprintf(&b, ", CGO_ENABLED=%s", s.Value)
			}
		}
		for _, d := range i.Deps {
			if slices.Contains([]string{"github.com/duckdb/duckdb-go/v2", "modernc.org/sqlite"}, d.Path) {
				fmt.Fprintf(&b, ", %s %s", d.Path, d.Version)
			}
		}
	}
	load, _, _ := strings.Cut(readText("/proc/loadavg"), " ")
	fmt.Fprintf(&b, "; load of the machine before: %s.\n\n%d commits, %d changes", load, p.facts.Commits, p.facts.Changes)
	if p.events.dir == "" {
		b.WriteString(", generated: NOT the real events")
	}
	what := "Medians of up to %d runs, ± half of the range"
	if p.least {
		what = "The shortest of up to %d runs"
	}
	fmt.Fprintf(&b, ". %d threads for each query. "+what+".\n", threads, p.repeat)
	if p.cpu {
		b.WriteString("\nTimes of queries are **processor time**, of all threads together.\n")
	}
	if !duckDB {
		b.WriteString("\nNot measured: duckdb. This program is built without it: it needs cgo, and no tag noduckdb.\n")
	}
	if p.pure != p.program {
		b.WriteString("\nProcesses that only NetDB runs in are of a program built apart (-pure).\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func readText(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	return string(text)
}

func procField(path, field string) string {
	for line := range strings.Lines(readText(path)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == field {
			return strings.TrimSpace(value)
		}
	}
	return field + " unknown"
}
