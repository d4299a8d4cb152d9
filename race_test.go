//go:build race

package netdb_test

import "time"

// soon is how fast a cancelled query returns; the race detector makes everything several times slower.
const soon = 500 * time.Millisecond

// oneThread: queries of one goroutine have no races, and run in the tests without the detector; so do those in batches of one row, which
// take long.
const oneThread = false

// randomPart: a fourth of the random statements run, the detector makes each several times slower.
const randomPart = 4
