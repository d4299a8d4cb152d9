//go:build unix

package journal

import (
	"errors"
	"os"
	"syscall"
)

func fullErrnos() []error { return []error{syscall.ENOSPC, syscall.EDQUOT} }

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
