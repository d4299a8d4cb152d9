//go:build !windows && (!unix || solaris || aix)

package redex

import (
	"errors"
	"os"
)

// tryLock refuses: a store cannot be kept to one writer here.
func tryLock(*os.File, bool) error { return errors.ErrUnsupported }
