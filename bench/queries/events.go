package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// commit is an event of the log "commits".
type commit struct {
	Seq      int64   `json:"seq"`
	Repo     string  `json:"repo"`
	SHA      string  `json:"sha"`
	Author   string  `json:"author"`
	TS       int64   `json:"ts"`
	AuthorTS int64   `json:"author_ts"`
	Parents  int64   `json:"parents"`
	IsMerge  bool    `json:"is_merge"`
	Files    int64   `json:"files"`
	Ins      int64   `json:"ins"`
	Del      int64   `json:"del"`
	SubjLen  int64   `json:"subj_len"`
	TopDir   *string `json:"top_dir"`
}

// change is an event of the log "changes".
type change struct {
	Seq  int64   `json:"seq"`
	Repo string  `json:"repo"`
	SHA  string  `json:"sha"`
	Path string  `json:"path"`
	Dir  string  `json:"dir"`
	Ext  *string `json:"ext"`
	Ins  *int64  `json:"ins"`
	Del  *int64  `json:"del"`
	TS   int64   `json:"ts"`
}

// The two logs, in the order in which they are imported.
const (
	commitsLog = "commits"
	changesLog = "changes"
)

// events are where the lines of both logs come from.
type events struct {
	dir      string // with the files, or ""
	generate int    // commits to generate when dir is ""
	odd      bool   // with odd values; see makeOdd
}

// errNoData says that there is nothing to measure with.
var errNoData = errors.New("the logs of real events are missing")

// findEvents returns the events in dir; where it is "", those in the environment variable's directory, or beside the repository.
func findEvents(dir string, generate int) (events, error) {
	if generate > 0 {
		return events{generate: generate}, nil
	}
	tried := []string{dir}
	if dir == "" {
		tried = nil
		if named := os.Getenv(dataVariable); named != "" {
			tried = append(tried, named)
		} else {
			for up := ".."; len(up) < 12; up = filepath.Join(up, "..") {
				tried = append(tried, filepath.Join(up, "shared", "data"))
			}
		}
	}
	for _, d := range tried {
		if packed(d, commitsLog) != "" && packed(d, changesLog) != "" {
			abs, err := filepath.Abs(d)
			return events{dir: abs}, err
		}
	}
	return events{}, fmt.Errorf("%w: neither commits.jsonl nor changes.jsonl, packed as .zst or .gz, is in %q; -data or %s name their directory, -generate N makes events of the same form",
		errNoData, tried, dataVariable)
}

// dataVariable names the directory of the data.
const dataVariable = "NETDB_BENCH_DATA"

// packed returns the path of a log's file in dir, or "".
func packed(dir, log string) string {
	for _, end := range []string{".jsonl.zst", ".jsonl.gz", ".jsonl"} {
		path := filepath.Join(dir, log+end)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

// id tells one source of events from another, for stores that are kept.
func (e events) id() (string, error) {
	if e.dir == "" {
		return fmt.Sprintf("generated %d, odd %t", e.generate, e.odd), nil
	}
	var sizes []int64
	for _, log := range []string{commitsLog, changesLog} {
		i, err := os.Stat(packed(e.dir, log))
		if err != nil {
			return "", err
		}
		sizes = append(sizes, i.Size())
	}
	return fmt.Sprintf("%s, odd %t, %d bytes", e.dir, e.odd, sizes), nil
}

// lines calls f with each line of a log in order. The line is valid during the call only.
func (e events) lines(ctx context.Context, log string, f func(line []byte) error) error {
	if e.odd && log == changesLog {
		e.odd = false
		return e.lines(ctx, log, func(line []byte) error {
			line, err := makeOdd(line)
			if err != nil {
				return err
			}
			return f(line)
		})
	}
	if e.dir == "" {
		return generatedLines(e.generate, log, f)
	}
	path := packed(e.dir, log)
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	in := io.Reader(file)
	switch filepath.Ext(path) {
	case ".zst":
		z, err := zstd.NewReader(file, zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return err
		}
		defer z.Close()
		in = z
	case ".gz":
		z, err := gzip.NewReader(file)
		if err != nil {
			return err
		}
		in = z
	}
	sc := bufio.NewScanner(in)
	sc.Buffer(make([]byte, 1<<20), 1<<20)
	for n := 0; sc.Scan(); n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := f(sc.Bytes()); err != nil {
			return fmt.Errorf("%s, line %d: %w", path, n+1, err)
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// batches calls f with the lines of a log, many at a time. They are valid during the call only.
func (e events) batches(ctx context.Context, log string, most int, f func(lines [][]byte) error) error {
	var held [][]byte
	n := 0
	err := e.lines(ctx, log, func(line []byte) error {
		if n == len(held) {
			held = append(held, nil)
		}
		held[n] = append(held[n][:0], line...)
		if n++; n < most {
			return nil
		}
		n = 0
		return f(held)
	})
	if err != nil || n == 0 {
		return err
	}
	return f(held[:n])
}

// decoded calls f with each event of a log.
func decoded[T any](ctx context.Context, e events, log string, f func(v *T) error) error {
	return e.lines(ctx, log, func(line []byte) error {
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			return err
		}
		return f(&v)
	})
}

// generatedLines makes n commits, every fifth a merge without changes, or the changes of each.
func generatedLines(n int, log string, f func(line []byte) error) error {
	exts := []string{"go", "md", "rb", "py", "c", ""}
	dirs := []string{"src", "test", "activerecord", "docs", "."}
	seq, ts := int64(0), int64(1_420_000_000)
	for i := range int64(n) {
		ts += i * 7919 % 7200
		c := commit{
			Seq: i, Repo: fmt.Sprintf("owner/r%d", i*i%7), SHA: fmt.Sprintf("%040x", uint64(i+1)*0x9e3779b97f4a7c15), Author: fmt.Sprintf("%012x", i*i%101),
			TS: ts, AuthorTS: ts - i%5000, Parents: 1, SubjLen: 10 + i%60,
		}
		if i%5 == 4 {
			c.Parents, c.IsMerge = 2, true
		} else {
			c.Files = 1 + i*31%8
		}
		for k := range c.Files {
			dir, ext := dirs[(i+k)%5], exts[(i*k+i)%6]
			x := change{
				Seq: seq, Repo: c.Repo, SHA: c.SHA, TS: ts, Dir: dir, Path: fmt.Sprintf("%s/p%d.%s", dir, (i*7+k)%900, ext),
			}
			if ext != "" {
				x.Ext = &ext
			}
			if (i+k)%97 != 0 {
				ins, del := (i*k*13+i)%700, (i+k*29)%300
				x.Ins, x.Del = &ins, &del
				c.Ins += ins
				c.Del += del
			}
			if k == 0 {
				c.TopDir = &x.Dir
			}
			seq++
			if log == changesLog {
				if err := emit(x, f); err != nil {
					return err
				}
			}
		}
		if log == commitsLog {
			if err := emit(c, f); err != nil {
				return err
			}
		}
	}
	return nil
}

func emit(v any, f func(line []byte) error) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return f(line)
}

// facts are what the queries' constants are taken from, so that they fit any amount of data.
type facts struct {
	Commits, Changes int64
	SHA              string // of the commit in the middle
	Commit           int64  // its number
	Change           int64  // the number of the change in the middle
	From, To         int64  // times that hold the third quarter of the changes
}

func lookAt(ctx context.Context, e events) (facts, error) {
	var f facts
	var times []int64
	if err := decoded(ctx, e, changesLog, func(c *change) error { times = append(times, c.TS); return nil }); err != nil {
		return f, err
	}
	var shas []string
	if err := decoded(ctx, e, commitsLog, func(c *commit) error {
		if c.Files > 0 {
			shas = append(shas, c.SHA)
		}
		f.Commits++
		return nil
	}); err != nil {
		return f, err
	}
	if len(shas) == 0 || len(times) < 2000 || !slices.IsSorted(times) {
		return f, fmt.Errorf("%d commits and %d changes in the order of time are too few to measure with", f.Commits, len(times))
	}
	f.Changes = int64(len(times))
	f.SHA, f.Commit, f.Change = shas[len(shas)/2], f.Commits/2, f.Changes/2
	f.From, f.To = times[f.Changes/2], times[f.Changes/4*3]
	return f, nil
}
