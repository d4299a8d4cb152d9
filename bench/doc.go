// Command bench measures NetDB's logs against other embedded stores used as a log, in one run on one machine, and prints tables
// of medians with the ratios to the best of the others and to a bare loop. README.md says what is compared and how settings were
// made equal.
//
// Data in: flags. Data out: a Markdown report on standard output, progress on standard error if that is a terminal. It makes
// stores in a directory of its own under -dir and removes them. Each run has a new store and a process of its own; repeats go
// round the stores, so that a machine that changes speed changes it for all.
package main
