//go:build race

package sealed

// raceEnabled: the race detector makes sync.Pool forget at random, which the zstd decoder uses.
const raceEnabled = true
