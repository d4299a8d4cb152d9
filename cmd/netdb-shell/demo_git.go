package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"time"
)

// demoCommits is how many commits of a history the demo reads, the newest.
const demoCommits = 20_000

// demoCommit is one commit, as the demo's events hold it.
type demoCommit struct {
	SHA      string       `json:"sha"`
	Author   string       `json:"author"`
	TS       int64        `json:"ts"` // committer time, seconds since 1970
	AuthorTS int64        `json:"author_ts"`
	Parents  int          `json:"parents"`
	Files    int          `json:"files"`
	Ins      int64        `json:"ins"`
	Del      int64        `json:"del"`
	Subject  string       `json:"subject"`
	changes  []demoChange // of its files
}

// demoChange is one file that one commit changed.
type demoChange struct {
	SHA  string  `json:"sha"`
	TS   int64   `json:"ts"`
	Path string  `json:"path"`
	Dir  string  `json:"dir"` // first part of the path; "." at the root
	Ext  *string `json:"ext"`
	Ins  *int64  `json:"ins"` // null for a binary file
	Del  *int64  `json:"del"`
}

// gitHistory reads the history of the repository around dir, oldest commit first, and calls fn for each.
func gitHistory(ctx context.Context, dir string, fn func(demoCommit) error) error {
	if _, err := exec.LookPath("git"); err != nil {
		return errors.New("git is not installed")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", "-c", "core.quotePath=false", "-c", "log.showSignature=false", "log", "--reverse", "--numstat", "--no-renames", "--no-color",
		"--max-count="+strconv.Itoa(demoCommits), "--format=%x1e%H%x1f%P%x1f%at%x1f%ct%x1f%aN%x1f%s")
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := parseGitLog(out, fn); err != nil {
		cancel()
		return errors.Join(err, ignoreExit(cmd.Wait()))
	}
	if err := cmd.Wait(); err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
		return fmt.Errorf("git log: %w: %s", err, first)
	}
	return nil
}

// ignoreExit drops the status of a process that was ended on purpose.
func ignoreExit(err error) error {
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil
	}
	return err
}

// parseGitLog reads what gitHistory asks git for: a record separator and a head line for each commit, then a line for each
// changed file.
func parseGitLog(r io.Reader, fn func(demoCommit) error) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	var c demoCommit
	for sc.Scan() {
		line := sc.Text()
		if head, ok := strings.CutPrefix(line, "\x1e"); ok {
			if c.SHA != "" {
				if err := fn(c); err != nil {
					return err
				}
			}
			f := strings.SplitN(head, "\x1f", 6)
			if len(f) < 6 {
				return fmt.Errorf("git log: line %q", line)
			}
			c = demoCommit{SHA: f[0], Parents: len(strings.Fields(f[1])), Author: strings.ToValidUTF8(f[4], "\ufffd"), Subject: strings.ToValidUTF8(f[5], "\ufffd")}
			c.AuthorTS, _ = strconv.ParseInt(f[2], 10, 64)
			c.TS, _ = strconv.ParseInt(f[3], 10, 64)
			continue
		}
		f := strings.SplitN(line, "\t", 3)
		if len(f) < 3 {
			continue // the empty line between head and files
		}
		name := f[2]
		if strings.HasPrefix(name, `"`) {
			if plain, err := strconv.Unquote(name); err == nil {
				name = plain
			}
		}
		ch := newDemoChange(c, strings.ToValidUTF8(name, "\ufffd"))
		if ins, err := strconv.ParseInt(f[0], 10, 64); err == nil {
			ch.Ins = &ins
			c.Ins += ins
		}
		if del, err := strconv.ParseInt(f[1], 10, 64); err == nil {
			ch.Del = &del
			c.Del += del
		}
		c.Files++
		c.changes = append(c.changes, ch)
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("git log: %w", err)
	}
	if c.SHA != "" {
		return fn(c)
	}
	return nil
}

func newDemoChange(c demoCommit, name string) demoChange {
	ch := demoChange{SHA: c.SHA, TS: c.TS, Path: name, Dir: "."}
	if dir, _, deep := strings.Cut(name, "/"); deep {
		ch.Dir = dir
	}
	if ext := path.Ext(name); len(ext) > 1 {
		ext = strings.ToLower(ext[1:])
		ch.Ext = &ext
	}
	return ch
}

// generatedHistory makes a history, the same every time, where there is no repository to read.
func generatedHistory(fn func(demoCommit) error) error {
	rnd := rand.New(rand.NewPCG(1, 2))
	authors := []string{"Ada", "Barbara", "Edsger", "Frances", "Grace", "Ken", "Leslie", "Niklaus"}
	dirs := []string{"journal", "query", "fold", "docs", "cmd", "."}
	exts := []string{"go", "go", "go", "md", "sql", ""}
	verbs := []string{"add", "mend", "speed up", "explain", "test", "simplify"}
	pick := func(n int) int { return min(rnd.IntN(n), rnd.IntN(n)) } // small numbers come more often
	at := time.Date(2025, 1, 6, 9, 0, 0, 0, time.UTC).Unix()
	for i := range 2000 {
		at += rnd.Int64N(14400)
		c := demoCommit{SHA: fmt.Sprintf("%016x%024x", rnd.Uint64(), i), Author: authors[pick(len(authors))], TS: at, AuthorTS: at - rnd.Int64N(3600), Parents: 1}
		if i == 0 {
			c.Parents = 0
		}
		if rnd.IntN(8) == 0 && i > 0 {
			c.Parents, c.Subject = 2, "merge a branch"
		} else {
			dir := dirs[pick(len(dirs))]
			c.Subject = verbs[rnd.IntN(len(verbs))] + " " + dir
			taken := map[string]bool{}
			for range 1 + pick(9) {
				name := fmt.Sprintf("part%d", pick(40))
				if ext := exts[pick(len(exts))]; ext != "" {
					name += "." + ext
				}
				if dir != "." {
					name = dir + "/" + name
				}
				if taken[name] {
					continue
				}
				taken[name] = true
				ch := newDemoChange(c, name)
				ins, del := int64(pick(200)), int64(pick(80))
				ch.Ins, ch.Del = &ins, &del
				c.Ins, c.Del, c.Files = c.Ins+ins, c.Del+del, c.Files+1
				c.changes = append(c.changes, ch)
			}
		}
		if err := fn(c); err != nil {
			return err
		}
	}
	return nil
}
