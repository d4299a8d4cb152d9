//go:build !linux || portable

package journal

import (
	"errors"
	"os"
)

var errNoMap = errors.New("journal: not mapped on this system")

// Segments are written with WriteAt and synced as whole files. The build tag portable chooses this on Linux too, so that the tests can
// be run on it.

func mapsSafely(string) bool                        { return false }
func allocate(f *os.File, size int64) error         { return f.Truncate(size) }
func mapFile(*os.File, int64, bool) ([]byte, error) { return nil, errNoMap }
func unmapFile([]byte) error                        { return errNoMap }
func populate([]byte) error                         { return errNoMap }
func syncMapped([]byte) error                       { return errNoMap }
func noReadAhead([]byte) error                      { return nil }
func forgetMapped([]byte) error                     { return errNoMap }
func syncData(f *os.File) error                     { return f.Sync() }

// onlyName is not asked for where files are not mapped.
func onlyName(*os.File) (bool, error) { return false, nil }
