// Command bench measures NetDB's logs against other embedded stores used as a log, in one run on one machine, and prints tables
// of medians with the ratio to the best of the others. README.md says what is compared and how settings were made equal.
//
// Data in: flags. Data out: a Markdown report on standard output, progress on standard error. It makes stores in a directory of
// its own under -dir and removes them. Each measured run has its store to itself; repeats go round the stores, so that a machine
// that changes speed changes it for all.
package main
