// Package simdisk is a disk in memory whose power can be cut, for crash tests.
package simdisk
