package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/redex"
)

// operators are the verbs that look after stores and their copies. Their own arguments follow the verb.
func operators() map[string]func(*shell, context.Context, *words) error {
	return map[string]func(*shell, context.Context, *words) error{
		"check": (*shell).verbCheck, "repair": (*shell).verbRepair, "checkpoint": (*shell).verbCheckpoint, "backup": (*shell).verbBackup,
		"backups": (*shell).verbBackups, "verify-backups": (*shell).verbVerify, "restore-backup": (*shell).verbRestore,
		"prune-backups": (*shell).verbPrune, "dump": (*shell).verbDump,
	}
}

// withStore runs do with the store in dir open only to read, so that nothing in it changes.
func (sh *shell) withStore(ctx context.Context, dir string, do func() error) (err error) {
	if err := checkDir(dir); err != nil {
		return err
	}
	db, err := netdb.Open(ctx, dir, netdb.Options{Store: redex.Options{ReadOnly: true}})
	if err != nil {
		return err
	}
	sh.db, sh.dir = db, dir
	defer func() { err = errors.Join(err, db.Close()) }()
	return do()
}

func (sh *shell) verbCheck(ctx context.Context, w *words) error {
	given, err := w.parse(newFlags("check"), 1, 1)
	if err != nil {
		return err
	}
	return sh.withStore(ctx, given[0], func() error {
		sh.tellRecovery()
		return sh.cmdCheck(ctx, &words{})
	})
}

func (sh *shell) verbCheckpoint(ctx context.Context, w *words) error {
	given, err := w.parse(newFlags("checkpoint"), 2, 2)
	if err != nil {
		return err
	}
	return sh.withStore(ctx, given[0], func() error { return sh.checkpoint(ctx, given[1]) })
}

func (sh *shell) cmdCheckpoint(ctx context.Context, w *words) error {
	given, err := w.parse(newFlags("checkpoint"), 1, 1)
	if err != nil {
		return err
	}
	return sh.checkpoint(ctx, given[0])
}

func (sh *shell) checkpoint(ctx context.Context, dir string) error {
	if dir == "" {
		return usagef("checkpoint: the directory's name is empty")
	}
	info, err := sh.db.Checkpoint(ctx, dir)
	if err != nil {
		return err
	}
	return sh.table([]string{"directory", "ordinal", "files", "linked", "copied_bytes"}, func(add func(...any) error) error {
		return add(dir, uint64(info.Cut.Ordinal), info.Files, info.Linked, info.CopiedBytes)
	})
}

func (sh *shell) verbBackup(ctx context.Context, w *words) error {
	fs := newFlags("backup")
	verify := fs.Bool("verify", false, "")
	given, err := w.parse(fs, 2, 2)
	if err != nil {
		return err
	}
	return sh.withStore(ctx, given[0], func() error { return sh.backup(ctx, given[1], *verify) })
}

func (sh *shell) cmdBackup(ctx context.Context, w *words) error {
	fs := newFlags("backup")
	verify := fs.Bool("verify", false, "")
	given, err := w.parse(fs, 1, 1)
	if err != nil {
		return err
	}
	return sh.backup(ctx, given[0], *verify)
}

func (sh *shell) backup(ctx context.Context, dest string, verify bool) error {
	if dest == "" {
		return usagef("backup: the directory's name is empty")
	}
	info, err := sh.db.Backup(ctx, dest, redex.BackupOptions{Verify: verify})
	if err != nil {
		return err
	}
	return sh.table([]string{"point", "ordinal", "files", "bytes", "new_files", "new_bytes"}, func(add func(...any) error) error {
		return add(info.Number, uint64(info.Cut.Ordinal), info.Files, info.Bytes, info.NewFiles, info.NewBytes)
	})
}

func (sh *shell) verbBackups(_ context.Context, w *words) error {
	given, err := w.parse(newFlags("backups"), 1, 1)
	if err != nil {
		return err
	}
	all, err := redex.Backups(given[0])
	if err != nil {
		return err
	}
	bad := 0
	err = sh.table([]string{"point", "made", "epoch", "ordinal", "files", "bytes", "problem"}, func(add func(...any) error) error {
		for _, p := range all {
			var err error
			if p.Err != nil {
				bad++
				err = add(p.Number, nil, nil, nil, nil, nil, p.Err.Error())
			} else {
				err = add(p.Number, p.Made, uint64(p.Epoch), uint64(p.Cut.Ordinal), p.Files, p.Bytes, nil)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && bad > 0 {
		err = fmt.Errorf("%s cannot be restored", countOf(int64(bad), "point"))
	}
	return err
}

// point reads the number of a point.
func point(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 {
		return 0, usagef("%q is not the number of a point", text)
	}
	return n, nil
}

func (sh *shell) verbVerify(ctx context.Context, w *words) error {
	given, err := w.parse(newFlags("verify-backups"), 1, 2)
	if err != nil {
		return err
	}
	n := uint64(0)
	if len(given) > 1 {
		if n, err = point(given[1]); err != nil {
			return err
		}
	}
	rep, err := redex.VerifyBackups(ctx, given[0], n)
	if err != nil {
		return err
	}
	if len(rep.Damage) == 0 {
		sh.remark("%s can be restored: %s, %d bytes read", countOf(int64(rep.Points), "point"), countOf(int64(rep.Files), "file"), rep.Bytes)
		return nil
	}
	err = sh.table([]string{"points", "problem"}, func(add func(...any) error) error {
		for _, d := range rep.Damage {
			if err := add(fmt.Sprint(d.Points), d.Err.Error()); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, fmt.Errorf("%s damaged", countOf(int64(len(rep.Damage)), "file")))
}

func (sh *shell) verbRestore(ctx context.Context, w *words) error {
	given, err := w.parse(newFlags("restore-backup"), 2, 3)
	if err != nil {
		return err
	}
	n := uint64(0) // the newest
	if len(given) == 3 {
		if n, err = point(given[1]); err != nil {
			return err
		}
	}
	dir := given[len(given)-1]
	p, err := redex.RestoreBackup(ctx, given[0], n, dir)
	if err != nil {
		return err
	}
	return sh.table([]string{"directory", "point", "ordinal", "bytes"}, func(add func(...any) error) error {
		return add(dir, p.Number, uint64(p.Cut.Ordinal), p.Bytes)
	})
}

func (sh *shell) verbPrune(ctx context.Context, w *words) error {
	fs := newFlags("prune-backups")
	keep := fs.Int("keep", 0, "")
	given, err := w.parse(fs, 1, 1)
	if err != nil {
		return err
	}
	if *keep < 1 {
		return usagef("prune-backups: -keep N says how many points stay, at least 1")
	}
	p, err := redex.PruneBackups(ctx, given[0], *keep)
	if err != nil {
		return err
	}
	return sh.table([]string{"points", "files", "bytes"}, func(add func(...any) error) error {
		return add(len(p.Points), p.Files, p.Bytes)
	})
}

func (sh *shell) verbDump(ctx context.Context, w *words) error {
	fs := newFlags("dump")
	payloads := fs.Bool("payloads", false, "")
	given, err := w.parse(fs, 1, 1)
	if err != nil {
		return err
	}
	return redex.Dump(ctx, sh.out, given[0], redex.DumpOptions{Payloads: *payloads})
}

func (sh *shell) verbRepair(ctx context.Context, w *words) error {
	fs := newFlags("repair")
	dry := fs.Bool("n", false, "")
	given, err := w.parse(fs, 1, 1)
	if err != nil {
		return err
	}
	rep, err := redex.Repair(ctx, given[0], redex.RepairOptions{DryRun: *dry})
	if err != nil {
		return err
	}
	if rep.Clean {
		sh.remark("nothing is wrong, and nothing was done")
		return nil
	}
	err = sh.table([]string{"what", "log", "first", "next", "text"}, func(add func(...any) error) error {
		for _, l := range rep.Lost {
			if err := add("lost", l.Log, uint64(l.From), uint64(l.To), l.Why); err != nil {
				return err
			}
		}
		for _, name := range rep.Recovered {
			if err := add("renamed", name, nil, nil, "its name was lost"); err != nil {
				return err
			}
		}
		for _, name := range rep.Moved {
			if err := add("moved", nil, nil, nil, name); err != nil {
				return err
			}
		}
		for _, text := range rep.Done {
			if err := add("done", nil, nil, nil, text); err != nil {
				return err
			}
		}
		for _, d := range rep.Check.Damage {
			if err := add("left", nil, nil, nil, d.Error()); err != nil {
				return err
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case len(rep.Check.Damage) > 0:
		return fmt.Errorf("%s left", countOf(int64(len(rep.Check.Damage)), "problem"))
	case *dry:
		sh.remark("this is what a repair would do; nothing was changed")
	default:
		sh.remark("everything that is left can be read")
	}
	return nil
}
