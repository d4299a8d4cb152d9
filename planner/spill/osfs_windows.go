package spill

import "syscall"

// fullErrnos are ENOSPC, ERROR_HANDLE_DISK_FULL and ERROR_DISK_FULL.
func fullErrnos() []error { return []error{syscall.ENOSPC, syscall.Errno(39), syscall.Errno(112)} }
