package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed69692123/netdb"
)

// programOf returns the program that runs a system's children.
func (p *plan) programOf(name string) string {
	if name == ours {
		return p.pure
	}
	return p.program
}

// firstQuery is the first one that a new process answers.
const firstQuery = "sums by 377 keys"

// processes measures how soon a new process has answered its first query, and its memory after the suite.
func (p *plan) processes(ctx context.Context, out io.Writer) error {
	var b strings.Builder
	b.WriteString("\n## A process of its own\n\n| | start ms | + open ms | + first grouped aggregate ms | peak RSS, opened MB | peak RSS, suite MB |\n|---|---:|---:|---:|---:|---:|\n")
	for _, name := range p.systems {
		if err := p.load(ctx, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		texts, first, err := p.textsOf(ctx, name)
		if err != nil {
			return err
		}
		p.say("process · %s", name)
		var stages [3][]time.Duration
		for range p.repeat {
			_, after, err := startTask(ctx, p.programOf(name), task{Kind: "start", System: name, Path: p.file(name), Queries: []string{first}})
			if err == nil && len(after) != len(stages) {
				err = fmt.Errorf("%d lines", len(after))
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			for i, d := range after {
				stages[i] = append(stages[i], d)
			}
		}
		fmt.Fprintf(&b, "| %s |", name)
		for _, s := range stages {
			slices.Sort(s)
			fmt.Fprintf(&b, " %s |", figure(ms(s[len(s)/2])))
		}
		peaks, _, err := startTask(ctx, p.programOf(name), task{Kind: "memory", System: name, Path: p.file(name), Queries: texts})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, peak := range peaks {
			kib, err := strconv.ParseFloat(peak, 64)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %s |", figure(kib*1024/1e6))
		}
		fmt.Fprintf(&b, "\n")
	}
	fmt.Fprintf(&b, "\nThe first is %q. Times are from the start of the process on. The suite is each query that the system can answer, once.\n", firstQuery)
	_, err := io.WriteString(out, b.String())
	return err
}

// textsOf returns the texts of the queries that a system can answer, and that of the first.
func (p *plan) textsOf(ctx context.Context, name string) (texts []string, first string, err error) {
	s, err := openStore(ctx, name, p.file(name))
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for _, q := range suite() {
		text := p.facts.fill(s.text(q))
		if q.name == firstQuery {
			first = text
		}
		if text == "" {
			continue
		}
		// One that is not supported fails before it reads anything.
		if err := s.run(ctx, "EXPLAIN "+text); err != nil {
			continue
		}
		texts = append(texts, text)
	}
	return texts, first, nil
}

// disk says how much room the stores take.
func (p *plan) disk(ctx context.Context, out io.Writer) error {
	var b strings.Builder
	b.WriteString("\n## On disk\n\n| | MB |\n|---|---:|\n")
	for _, name := range p.systems {
		if err := p.load(ctx, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		n, err := allocated(filepath.Dir(p.file(name)))
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "| %s | %s |\n", name, figure(float64(n)/1e6))
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// allocated returns the lengths of all files below dir. A file that is mapped ahead of its use counts in full.
func allocated(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		i, err := d.Info()
		if err == nil {
			n += i.Size()
		}
		return err
	})
	return n, err
}

// imported is how fast events became ready for queries: wall and processor time from the first append on.
type imported struct {
	Events              int64
	Queryable, CPU      time.Duration // every event is in an answer
	Sealed, CPUToSealed time.Duration // no event is left in the journal
	Scanned, CPUToScan  time.Duration // a grouped aggregate over each sealed log is answered, by which its columns are made
}

// importing measures an import in a process of its own, whose lines are in memory before it begins.
func (p *plan) importing(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp(p.dir, "import-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	p.say("import")
	lines, _, err := startTask(ctx, p.pure, task{Kind: "import", Path: dir, From: p.events.dir, Generate: p.events.generate})
	if err != nil {
		return err
	}
	var i imported
	if err := json.Unmarshal([]byte(strings.Join(lines, "")), &i); err != nil {
		return err
	}
	rate := func(d time.Duration) string { return figure(float64(i.Events) / d.Seconds() / 1e6) }
	_, err = fmt.Fprintf(out, "\n## Import of both logs into NetDB\n\nBatches of %d lines, each synced, from memory.\n\n| until | M events/s | M events per second of processor time |\n|---|---:|---:|\n| queryable | %s | %s |\n| sealed | %s | %s |\n| sealed and scanned | %s | %s |\n",
		importBatch, rate(i.Queryable), rate(i.CPU), rate(i.Sealed), rate(i.CPUToSealed), rate(i.Scanned), rate(i.CPUToScan))
	return err
}

// heldLines are the lines of a log in memory, one after the other.
type heldLines struct {
	text []byte
	ends []int
}

func (h *heldLines) batches(most int, f func(lines [][]byte) error) error {
	lines := make([][]byte, 0, most)
	start := 0
	for i, end := range h.ends {
		lines = append(lines, h.text[start:end])
		start = end
		if len(lines) == most || i == len(h.ends)-1 {
			if err := f(lines); err != nil {
				return err
			}
			lines = lines[:0]
		}
	}
	return nil
}

// importAll is what a child does that measures an import.
func importAll(ctx context.Context, dir string, e events) (i imported, err error) {
	held := map[string]*heldLines{}
	for _, log := range []string{commitsLog, changesLog} {
		h := &heldLines{}
		held[log] = h
		if err := e.lines(ctx, log, func(line []byte) error {
			h.text = append(h.text, line...)
			h.ends = append(h.ends, len(h.text))
			return nil
		}); err != nil {
			return i, err
		}
	}
	db, err := netdb.Open(ctx, dir, netOptions())
	if err != nil {
		return i, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	cpuBefore, began := cpuTime(), time.Now()
	since := func(wall, cpu *time.Duration) { *wall, *cpu = time.Since(began), cpuTime()-cpuBefore }
	for _, name := range []string{commitsLog, changesLog} {
		n, err := appendLines(ctx, db, name, held[name].batches)
		if err != nil {
			return i, err
		}
		i.Events += n
	}
	for _, name := range []string{commitsLog, changesLog} {
		for n, err := range netdb.Select[int](ctx, db, `SELECT count(*) FROM `+name) {
			if err == nil && n != len(held[name].ends) {
				err = fmt.Errorf("%s has %d events, not %d", name, n, len(held[name].ends))
			}
			if err != nil {
				return i, err
			}
		}
	}
	since(&i.Queryable, &i.CPU)
	if err := db.Store().Seal(ctx); err != nil {
		return i, err
	}
	since(&i.Sealed, &i.CPUToSealed)
	for _, name := range []string{commitsLog, changesLog} {
		if err := drain(db.Query(ctx, `SELECT repo, count(*), sum(ins) FROM `+name+` GROUP BY repo`)); err != nil {
			return i, err
		}
	}
	since(&i.Scanned, &i.CPUToScan)
	return i, nil
}
