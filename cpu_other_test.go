//go:build !unix

package netdb_test

import "time"

var started = time.Now()

// processorTime is the wall clock where the system does not say more.
func processorTime() time.Duration { return time.Since(started) }
