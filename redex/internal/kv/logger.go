package kv

import "fmt"

// logger is Pebble's logger. Pebble calls Fatalf where it cannot go on: when it does not know what the manifest on disk holds
// (which guardFS does not let it see), or when an invariant is broken. It expects not to come back. Here Fatalf poisons the DB
// and returns. What is on disk is safe then: the file system refuses every write, sync, removal and rename in the directory from
// that moment on, and every write of this package asks for the failure before it reports success. A flush that Pebble starts
// again waits in beforeFlush until Close, and no compaction is started.
//
// Ending the goroutine instead would leave Pebble's flush marked as running, and Close waiting for it for ever; blocking it
// would hold Pebble's mutex and stop reads.
type logger struct{ s *state }

// Infof drops what Pebble tells about its normal work.
func (l logger) Infof(string, ...any) {}

// Errorf logs an error that Pebble goes on after.
func (l logger) Errorf(format string, args ...any) {
	l.s.log.Error("key-value map", "err", fmt.Sprintf(format, args...))
}

// Fatalf poisons the DB and returns.
func (l logger) Fatalf(format string, args ...any) {
	_ = l.s.poison("pebble", fmt.Errorf(format, args...)) // kept in the state
}
