package netdb

import (
	"context"
	"errors"
	"io"
)

// RestoreOptions are the choices of a restore.
type RestoreOptions struct {
	Options // of the database that is opened when everything was restored
}

// Restore makes a database in dir from a snapshot.
func Restore(ctx context.Context, dir string, r io.Reader, o RestoreOptions) (*DB, error) {
	return nil, errors.ErrUnsupported
}
