package main

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// machine describes where the figures come from.
func machine(dir string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d CPUs, %s; %s; %s %s/%s", cpu(), runtime.NumCPU(), memory(), fileSystem(dir), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if i, ok := debug.ReadBuildInfo(); ok {
		fmt.Fprintf(&b, ", CGO_ENABLED=%s; %s", setting(i, "CGO_ENABLED"), versions(i, measured()))
	}
	return b.String()
}

func setting(i *debug.BuildInfo, key string) string {
	for _, s := range i.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return "?"
}

// versions writes the versions of those modules.
func versions(i *debug.BuildInfo, modules []string) string {
	var out []string
	for _, d := range i.Deps {
		if slices.Contains(modules, d.Path) {
			out = append(out, d.Path[strings.IndexByte(d.Path, '/')+1:]+" "+d.Version)
		}
	}
	return strings.Join(out, ", ")
}

// checkBuild returns how a program was built, which must be this one built with cgo.
func checkBuild(path string) (*debug.BuildInfo, error) {
	i, err := buildinfo.ReadFile(path)
	if err != nil {
		return nil, err
	}
	self, ok := debug.ReadBuildInfo()
	if !ok || i.Path != self.Path || setting(i, "CGO_ENABLED") != "1" {
		return nil, fmt.Errorf("%s is not this program built with CGO_ENABLED=1", path)
	}
	return i, nil
}

// measured are the modules of the other stores.
func measured() []string {
	return []string{
		"github.com/cockroachdb/pebble/v2", "github.com/dgraph-io/badger/v4", "go.etcd.io/bbolt", "github.com/tidwall/wal", "github.com/hashicorp/raft-wal",
		"github.com/nats-io/nats-server/v2", "modernc.org/sqlite", "github.com/mattn/go-sqlite3",
	}
}

// cgoModules are those that are there with cgo only.
func cgoModules() []string { return []string{"github.com/mattn/go-sqlite3"} }

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
