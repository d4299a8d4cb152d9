package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// machine describes where the figures come from.
func machine(dir string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d CPUs, %s; %s; %s %s/%s", cpu(), runtime.NumCPU(), memory(), fileSystem(dir), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if i, ok := debug.ReadBuildInfo(); ok {
		for _, s := range i.Settings {
			if s.Key == "CGO_ENABLED" {
				b.WriteString(", CGO_ENABLED=" + s.Value)
			}
		}
		b.WriteString("; ")
		for n, d := range i.Deps {
			switch d.Path {
			case "github.com/cockroachdb/pebble/v2", "go.etcd.io/bbolt", "github.com/tidwall/wal", "modernc.org/sqlite":
				fmt.Fprintf(&b, "%s %s", d.Path[strings.IndexByte(d.Path, '/')+1:], d.Version)
				if n < len(i.Deps)-1 {
					b.WriteString(" ")
				}
			}
		}
	}
	return strings.TrimSpace(b.String())
}

func procField(file, field string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == field {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func cpu() string {
	if s := procField("/proc/cpuinfo", "model name"); s != "" {
		return s
	}
	return "unknown processor"
}

func memory() string {
	if s := procField("/proc/meminfo", "MemTotal"); s != "" {
		var kb int64
		if _, err := fmt.Sscan(s, &kb); err == nil {
			return fmt.Sprintf("%d GiB", (kb+1<<19)>>20)
		}
	}
	return "memory unknown"
}

func fileSystem(dir string) string {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return "file system unknown"
	}
	names := map[int64]string{
		unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.TMPFS_MAGIC: "tmpfs (syncs cost nothing there)",
		unix.OVERLAYFS_SUPER_MAGIC: "overlayfs", 0x2fc12fc1: "zfs",
	}
	var u unix.Utsname
	kernel := ""
	if unix.Uname(&u) == nil {
		kernel = ", Linux " + unix.ByteSliceToString(u.Release[:])
	}
	if n := names[int64(s.Type)]; n != "" {
		return n + kernel
	}
	return fmt.Sprintf("file system %#x%s", s.Type, kernel)
}
