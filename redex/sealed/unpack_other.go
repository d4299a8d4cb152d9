//go:build !amd64

package sealed

const haveLanes = false

func unpackWide(*uint64, *byte, int, uint64, *lanes) {}

func unpackNarrow(*uint32, *byte, int, uint32, *lanes) uint32 { return 0 }
