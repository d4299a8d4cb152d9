// Package archtest holds the rules of the source tree that a compiler does not: which package may import which, how long a
// file may be, that every package says what it is for, and a few refusals (init functions, package variables that change,
// skipped tests, sleeping tests, notes to self).
//
// It has no code of its own: its tests parse the tree of the module they are in. A new package is added to the table in
// rules_test.go together with what it may import.
package archtest
