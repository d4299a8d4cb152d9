// Command netdb-shell opens a NetDB store and runs SQL and dot-commands on it: from its arguments, from a script on its
// standard input, or from a prompt.
//
//	netdb-shell [flags] [DIR] [SQL or dot-command]
//	netdb-shell [flags] demo [DIR]
//
// Without DIR it works on a store in memory. Data in: SQL, dot-commands, JSON lines to import. Data out: results on the
// standard output in one of seven modes, everything else (errors, progress, remarks) on the standard error. It exits with 0,
// with 1 after an error in SQL or data, with 2 when it was called wrongly. What it appends is durable when the command
// returns. Ctrl-C ends the running command, not the shell.
package main
