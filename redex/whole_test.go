//go:build !race && !portable

package redex

// onePartOf: see the other one.
const onePartOf = 1
