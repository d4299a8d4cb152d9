// Package leaktest looks, when all tests of a package are done, for what they left behind: goroutines of this module or of Pebble,
// open files and mappings of the directories that tests made. It is called from TestMain.
//
// # Data in, data out
//
// In: a testing.M. Out: the exit code for os.Exit, 1 when something is left, with what it is on standard error.
//
// # Concurrency
//
// Goroutines that end by themselves get ten seconds to do so. Files and mappings are looked at on Linux only.
package leaktest
