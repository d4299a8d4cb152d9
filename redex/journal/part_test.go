//go:build race || portable

package journal_test

// onePartOf: the race detector and the path without mappings are slower, and are run beside a run that looks at every point; the longest
// tests look at one of so many.
const onePartOf = 4
