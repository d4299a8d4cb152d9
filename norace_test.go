//go:build !race

package netdb_test

import "time"

// soon is how fast a cancelled query returns.
const soon = 50 * time.Millisecond

// oneThread: queries run with one goroutine, too.
const oneThread = true

// randomPart divides the number of random statements.
const randomPart = 1
