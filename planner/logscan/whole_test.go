//go:build !race && !portable

package logscan

// onePartOf: see the other one.
const onePartOf = 1
