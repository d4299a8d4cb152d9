package netdb

import (
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// defaultQueryBytes is min(1 GiB, a quarter of GOMEMLIMIT, else of the cgroup's limit, else of the machine's memory).
func defaultQueryBytes() int64 {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		limit = machineBytes()
	}
	return min(1<<30, limit/4)
}

func machineBytes() int64 {
	if n := readBytes("/sys/fs/cgroup/memory.max"); n > 0 {
		return n
	}
	if n := readBytes("/sys/fs/cgroup/memory/memory.limit_in_bytes"); n > 0 && n < math.MaxInt64/2 {
		return n
	}
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 4 << 30 // platforms without /proc
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemTotal:" {
			if kib, err := strconv.ParseInt(f[1], 10, 64); err == nil {
				return kib << 10
			}
		}
	}
	return 4 << 30
}

// readBytes returns the number in a file, 0 when there is none.
func readBytes(path string) int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
