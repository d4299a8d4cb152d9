//go:build !race

package planner

// fewer is by how much tests of very many rows and large values are made smaller.
const fewer = 1
