//go:build race

package planner

// fewer is by how much tests of very many rows and large values are made smaller: the race detector makes everything slow.
const fewer = 5
