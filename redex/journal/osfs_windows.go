package journal

import "golang.org/x/sys/windows"

func fullErrnos() []error {
	return []error{windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL, windows.ERROR_DISK_QUOTA_EXCEEDED}
}

// syncDir does nothing: NTFS journals directory entries, and a directory cannot be flushed without special rights.
func syncDir(string) error { return nil }
