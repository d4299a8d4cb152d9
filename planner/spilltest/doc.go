// Package spilltest is a file system in memory for tests of spilling: it fails when it is told to, and knows what is left.
package spilltest
