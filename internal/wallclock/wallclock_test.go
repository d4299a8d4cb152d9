package wallclock

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestWallClock compares with a search through all moments around.
func TestWallClock(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Paris", "America/Sao_Paulo", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Havana", "Pacific/Apia", "Africa/Casablanca"} {
		z, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(9, 9))
		var days []time.Time
		for range 20 {
			days = append(days, time.Unix(rng.Int64N(1<<31), 0))
		}
		for y := 2040; y < 2200; y += 28 {
			days = append(days, time.Date(y, 12, 31, 12, 0, 0, 0, time.UTC), time.Date(y, 6, 1, 0, 0, 0, 0, time.UTC))
		}
		// The days on which the clock is changed.
		at := time.Date(2005, 1, 1, 0, 0, 0, 0, z)
		for range 20 {
			_, end := at.ZoneBounds()
			if end.IsZero() {
				break
			}
			days = append(days, end)
			at = end
		}
		for _, d := range days {
			for minutes := -36 * 60; minutes < 36*60; minutes += 15 {
				w := d.Add(time.Duration(minutes) * time.Minute).In(time.UTC)
				y, m, day := w.Date()
				got := Date(z, y, m, day, w.Hour(), w.Minute(), 7, 5)
				want := searchClock(z, y, m, day, w.Hour(), w.Minute(), 7)
				if !got.Equal(want.Add(5)) && !got.Equal(want) {
					t.Fatalf("%s %v: %v, want %v", name, w, got, want)
				}
			}
		}
	}
}

// searchClock finds the first moment at which the clock shows a time, or, if it is skipped, the first at which it shows a later one.
func searchClock(z *time.Location, y int, m time.Month, d, h, mi, s int) time.Time {
	want := time.Date(y, m, d, h, mi, s, 0, time.UTC).Unix()
	shown := func(u int64) int64 {
		_, offset := time.Unix(u, 0).In(z).Zone()
		return u + int64(offset)
	}
	for u := (want - 26*3600) / 900 * 900; ; u += 900 { // clocks are changed at quarters of an hour
		if v := want - (shown(u) - u); v >= u && v < u+900 {
			return time.Unix(v, 0)
		}
		if shown(u+899) < want && shown(u+900) > want {
			return time.Unix(u+900, 0)
		}
	}
}
