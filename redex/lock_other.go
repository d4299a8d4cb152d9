//go:build !windows && (!unix || solaris || aix)

package redex

import (
	"errors"
	"os"
)

// tryLock refuses: a store cannot be kept to one writer here.
func tryLock(*os.File, bool) error { return errors.ErrUnsupported }

// openDirToLock returns nil: the LOCK file is all that is locked here.
func openDirToLock(string) (*os.File, error) { return nil, nil }

// inode returns 0: the number of a file is not known here.
func inode(os.FileInfo) uint64 { return 0 }

// links returns 0: how many names a file has is not known here.
func links(os.FileInfo) uint64 { return 0 }
