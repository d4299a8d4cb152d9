// Command queries measures NetDB's answers to queries against DuckDB over typed columns and SQLite, on two logs of real events, in
// one run on one machine. README.md in the directory above says how to run it and what was measured.
//
// Data in: flags, and the two logs as JSON lines (-data), or generated ones (-generate). Data out: a Markdown report on standard
// output, progress on standard error if that is a terminal. Answers of all systems are compared before anything is timed; times
// are medians, and the runs of all systems take turns, so that a machine that changes speed changes it for all.
package main
