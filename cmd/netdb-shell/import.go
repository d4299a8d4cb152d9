package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

const importHelp = `
FILE holds JSON lines: one object a line, plain or packed with gzip or zstd, which is told by its
first bytes. "-" is the standard input. A log that does not exist is made. Events are appended in
batches; each batch is in the log whole or not at all. The import ends at the first line that is
not one JSON object in UTF-8, at most 16 MiB long and 512 levels deep, and says how many events were
kept: those before that line.

CSV is taken for what it is by a name that ends in .csv or .tsv, before .gz or .zst too, or with
-format csv (or jsonl). Each row is an event, with the columns for fields. Found by a look at the
first rows, unless given:
    -header yes|no      whether the first row names the columns
    -delimiter X        a character; tab is a tab
    -quote X            a character
    -types a=text,...   of columns: text, bigint, double, boolean, timestamp
    -columns a,b,...    names instead of those of the header
    -null TEXT          what is null beside nothing at all
    -ragged             rows may end early
A value that does not fit a type that was found stays text; one that does not fit a type that was
given ends the import. timestamp writes times as text of nine digits in UTC; otherwise they stay as
they are written.`

func (sh *shell) cmdImport(ctx context.Context, w *words) error {
	fs := newFlags("import")
	csv := csvFlags(fs)
	given, err := w.parse(fs, 2, 2)
	if err != nil {
		return err
	}
	file, name := given[0], given[1]
	format, err := csv.format(file)
	if err != nil {
		return err
	}
	if file == "-" && sh.stdinScript {
		return usagef(".import -: the standard input is where the commands come from")
	}
	if err := redex.CheckName(name); err != nil {
		return err
	}
	src, err := openSource(ctx, file, sh.in)
	if file == "-" {
		file = "stdin"
	}
	if err != nil {
		return fmt.Errorf("import of %s: %w; 0 events kept in log %q", file, err, name)
	}
	kept, took, err := sh.importFrom(ctx, src, format, file, name)
	if cerr := src.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return sh.table([]string{"log", "events", "seconds"}, func(add func(...any) error) error {
		return add(name, kept, float64(took.Milliseconds())/1000)
	})
}

// importFrom appends the lines of src to a log and returns how many it kept.
func (sh *shell) importFrom(ctx context.Context, src *source, format func(io.Reader) filler, file, name string) (int64, time.Duration, error) {
	var l *redex.Log
	ready := func() (err error) { // a file that is no good from its first line on makes no log
		if l == nil {
			l, err = sh.writeLog(ctx, name)
		}
		return err
	}
	if sh.readonly {
		if err := ready(); err != nil {
			return 0, 0, err
		}
	}
	began := time.Now()
	bar := newProgress(sh.err, began)
	kept, err := importLines(ctx, format(src), func(ctx context.Context, entries []redex.Entry, total int64) error {
		if err := ready(); err != nil {
			return err
		}
		done, err := l.AppendBatch(ctx, entries, redex.AppendOptions{})
		if err != nil {
			return err
		}
		sh.token = fold.TokenOf(done.Position)
		part := -1.0
		if src.size > 0 {
			part = float64(src.read.Load()) / float64(src.size)
		}
		bar.update(time.Now(), total, part)
		return nil
	})
	if err == nil {
		err = ready() // nothing was in the file
	}
	bar.done()
	took := time.Since(began)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			sh.say("", fmt.Sprintf("import of %s: %s kept in log %q", file, countOf(kept, "event"), name))
			return kept, took, err
		}
		return kept, took, fmt.Errorf("import of %s: %w; %s kept in log %q", file, err, countOf(kept, "event"), name)
	}
	return kept, took, nil
}

// filler reads a source in batches.
type filler interface {
	// fill reads events into b until it is full or the source ends.
	fill(b *batch)
}

// importLines reads a source and gives them to add in batches, with the number of events of which that batch is the last.
// It returns how many events add took. Reading runs ahead of adding by a few batches.
func importLines(ctx context.Context, from filler, add func(ctx context.Context, entries []redex.Entry, total int64) error) (int64, error) {
	ctx, cancel := context.WithCancel(ctx)
	full, empty := make(chan *batch, 3), make(chan *batch, 3)
	for range cap(empty) {
		empty <- &batch{}
	}
	done := make(chan struct{})
	go readBatches(ctx, from, empty, full, done)
	defer func() {
		cancel()
		<-done // it reads from what belongs to the caller
	}()
	var kept int64
	var entries []redex.Entry
	for {
		var b *batch
		select {
		case b = <-full:
		case <-ctx.Done():
			return kept, ctx.Err()
		}
		if len(b.ends) > 0 {
			if err := ctx.Err(); err != nil {
				return kept, err
			}
			entries = b.entries(entries[:0])
			if err := add(ctx, entries, kept+int64(len(entries))); err != nil {
				return kept, err
			}
			kept += int64(len(entries))
		}
		switch {
		case errors.Is(b.err, io.EOF):
			return kept, nil
		case b.err != nil:
			return kept, b.err
		}
		empty <- b
	}
}

// readBatches fills batches until the source ends or ctx is over, and closes done.
func readBatches(ctx context.Context, l filler, empty, full chan *batch, done chan struct{}) {
	defer close(done)
	for {
		select {
		case b := <-empty:
			l.fill(b)
			end := b.err != nil
			select {
			case full <- b:
			case <-ctx.Done():
				return
			}
			if end {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
