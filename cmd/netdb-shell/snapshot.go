package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/seed69692123/netdb"
)

const snapshotHelp = `
A snapshot is one file with the state of every open fold and the logs' events, all at one moment.
  -logs PATTERN   the logs whose events it holds; "**", which is all, unless said; "" for none
FILE must not exist. It is there whole or not at all.`

func (sh *shell) cmdSnapshot(ctx context.Context, w *words) error {
	fs := newFlags("snapshot")
	pattern := fs.String("logs", "**", "")
	given, err := w.parse(fs, 1, 1)
	if err != nil {
		return err
	}
	var o netdb.SnapshotOptions
	if *pattern != "" {
		o.Logs = []string{*pattern}
	}
	info, size, err := writeSnapshot(ctx, sh.db, given[0], o)
	if err != nil {
		return err
	}
	return sh.table([]string{"file", "logs", "folds", "events", "bytes"}, func(add func(...any) error) error {
		return add(given[0], info.Logs, info.Folds, info.Events, size)
	})
}

// writeSnapshot writes a snapshot beside its name and renames it when it is whole and on disk.
func writeSnapshot(ctx context.Context, db *netdb.DB, name string, o netdb.SnapshotOptions) (info netdb.SnapshotInfo, size int64, err error) {
	if name == "" {
		return info, 0, usagef("the name of the snapshot's file is empty")
	}
	if _, err := os.Lstat(name); err == nil {
		return info, 0, fmt.Errorf("%s exists", name)
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".part-*")
	if err != nil {
		return info, 0, err
	}
	bw := bufio.NewWriterSize(f, 256<<10)
	if info, err = db.Snapshot(ctx, bw, o); err == nil {
		err = errors.Join(bw.Flush(), f.Sync())
	}
	if stat, serr := f.Stat(); serr == nil {
		size = stat.Size()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = place(f.Name(), name)
	}
	if err != nil {
		if rerr := os.Remove(f.Name()); !errors.Is(rerr, os.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
		return info, 0, err
	}
	return info, size, nil
}

// place gives a finished file its name, durably, and replaces no file that has come meanwhile where links are known.
func place(part, name string) error {
	switch err := os.Link(part, name); {
	case err == nil:
		if err := os.Remove(part); err != nil {
			return err
		}
	case errors.Is(err, os.ErrExist):
		return fmt.Errorf("%s exists", name)
	default:
		if err := os.Rename(part, name); err != nil {
			return err
		}
	}
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there
	}
	d, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (sh *shell) cmdRestore(ctx context.Context, w *words) error {
	given, err := w.parse(newFlags("restore"), 2, 2)
	if err != nil {
		return err
	}
	if given[1] == "" {
		return usagef(".restore: DIR is empty")
	}
	logs, events, err := restoreSnapshot(ctx, given[0], given[1])
	if err != nil {
		return fmt.Errorf("restore of %s: %w", given[0], err)
	}
	return sh.table([]string{"directory", "logs", "events"}, func(add func(...any) error) error {
		return add(given[1], logs, events)
	})
}

// restoreSnapshot makes a store in dir and counts what is in it.
func restoreSnapshot(ctx context.Context, file, dir string) (logs int, events int64, err error) {
	f, err := openInput(ctx, file)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	db, err := netdb.Restore(ctx, dir, bufio.NewReaderSize(f, 256<<10), netdb.RestoreOptions{})
	if err != nil {
		return 0, 0, err
	}
	for info, lerr := range db.Logs("") {
		if lerr != nil {
			err = lerr
			break
		}
		logs++
		events += info.Bounds.Len()
	}
	return logs, events, errors.Join(err, db.Close())
}
