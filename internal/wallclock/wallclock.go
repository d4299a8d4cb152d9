package wallclock

import "time"

// First returns the first moment, in Unix seconds, at which the clock of a zone shows a time or a later one. The time is in seconds
// from midnight of 1970-01-01 on that clock. shown is false when the clock skips it: the moment is then the one behind the gap. So
// moments never descend while times ascend.
func First(zone *time.Location, wall int64) (unix int64, shown bool) {
	if zone == time.UTC || zone == nil {
		return wall, true
	}
	at := time.Unix(wall-16*3600, 0).In(zone) // no zone is further from UTC, so this is before
	for {
		_, offset := at.Zone()
		start, end := at.ZoneBounds()
		unix, shown = wall-int64(offset), true
		if s := start.Unix(); !start.IsZero() && unix < s {
			unix, shown = s, false
		}
		if !end.IsZero() && !end.After(at) {
			// Where a rule goes on for ever, ZoneBounds counts 365 days also in leap years, and has no end for their last day.
			end = at.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour).In(zone)
		}
		if end.IsZero() || unix < end.Unix() {
			return unix, shown
		}
		at = end
	}
}

// Date is First of a date and time of day, as time.Date takes them: parts that are out of their range are carried over.
func Date(zone *time.Location, year int, month time.Month, day, hour, minute, second, nanos int) time.Time {
	wall := time.Date(year, month, day, hour, minute, second, nanos, time.UTC)
	if zone == time.UTC || zone == nil {
		return wall
	}
	unix, shown := First(zone, wall.Unix())
	if !shown {
		return time.Unix(unix, 0).In(zone)
	}
	return time.Unix(unix, int64(wall.Nanosecond())).In(zone)
}
