// Package wallclock finds the moment at which clocks show a time, whatever is done to them. In: a zone and a time of its wall clock.
// Out: a moment. Everything that makes moments of wall times uses it, so that they agree. It keeps nothing and is safe for
// concurrent use.
package wallclock
