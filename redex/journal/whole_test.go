//go:build !race && !portable

package journal_test

// onePartOf: see the other one.
const onePartOf = 1
