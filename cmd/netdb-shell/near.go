package main

import "github.com/seed69692123/netdb/query"

// didYouMean returns ` (did you mean "x"?)` for the name closest to s, or nothing when none is close.
func didYouMean(s string, names []string) string {
	if best := query.Nearest(s, names); best != "" {
		return ` (did you mean "` + best + `"?)`
	}
	return ""
}
