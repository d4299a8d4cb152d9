//go:build !windows

package spill

import "syscall"

func fullErrnos() []error { return []error{syscall.ENOSPC, syscall.EDQUOT} }
