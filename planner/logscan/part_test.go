//go:build race || portable

package logscan

// onePartOf: the race detector and the path without mappings are slower, and are run beside a run that looks at every point; they look at
// one of so many.
const onePartOf = 4
