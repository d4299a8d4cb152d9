package netdb

import (
	"context"

	"github.com/seed69692123/netdb/redex"
)

// Checkpoint makes a copy of the database in dir, which must not exist or be empty: all logs, and the folds' state, at one moment. See
// (*redex.Store).Checkpoint. With Options.Store.ReadOnly any number of processes can open it: they query the logs, and fold what came after the
// folds' checkpoints in memory.
func (db *DB) Checkpoint(ctx context.Context, dir string) (redex.CheckpointInfo, error) {
	if err := db.prepareCopy(ctx); err != nil {
		return redex.CheckpointInfo{}, err
	}
	return db.store.Checkpoint(ctx, dir)
}

// Backup adds the database as it is now to a directory of backups. See (*redex.Store).Backup, redex.Backups, redex.RestoreBackup,
// redex.PruneBackups and redex.VerifyBackups.
func (db *DB) Backup(ctx context.Context, dest string, o redex.BackupOptions) (redex.BackupInfo, error) {
	if err := db.prepareCopy(ctx); err != nil {
		return redex.BackupInfo{}, err
	}
	return db.store.Backup(ctx, dest, o)
}

// prepareCopy writes the folds' checkpoints, so that who opens the copy has little to fold. One that cannot be written is no fault of
// the copy, which has the logs.
func (db *DB) prepareCopy(ctx context.Context) error {
	if err := db.check(ctx); err != nil {
		return err
	}
	if db.o.Store.ReadOnly {
		return nil
	}
	for _, f := range db.Folds() {
		if err := f.Checkpoint(ctx); err != nil && ctx.Err() != nil {
			return err
		}
	}
	return nil
}
