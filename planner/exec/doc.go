// Package exec holds the operators that run a plan: they pull batches of vectors from each other.
package exec
