package netdb_test

import (
	"testing"
	"time"

	"github.com/seed69692123/netdb"
)

// TestDatesInZones: a date is the same day in Go, whichever side of UTC the session's zone is on, and a time is in that zone.
func TestDatesInZones(t *testing.T) {
	for _, name := range []string{"America/Los_Angeles", "UTC", "Pacific/Auckland"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		db := openDir(t, t.TempDir(), netdb.Options{Zone: zone})
		rows, err := db.Query(t.Context(), `SELECT DATE '2024-05-01' AS d, DATE '2024-05-01' AS a, TIMESTAMP '2024-05-01 10:00' AS t`)
		if err != nil {
			t.Fatal(err)
		}
		var d, at time.Time
		var a any
		if !rows.Next() {
			t.Fatal(rows.Err())
		}
		if err := rows.Scan(&d, &a, &at); err != nil {
			t.Fatal(err)
		}
		want := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
		if d != want || a != any(want) {
			t.Errorf("%s: %v and %v", name, d, a)
		}
		if want := time.Date(2024, 5, 1, 10, 0, 0, 0, zone); !at.Equal(want) || at.Hour() != 10 {
			t.Errorf("%s: %v", name, at)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
