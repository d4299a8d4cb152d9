package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"
)

// isTerminal reports whether f is a terminal that a person looks at.
func isTerminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// terminalWidth returns the columns of the terminal f; 0 when it cannot be told.
func terminalWidth(f any) int {
	if file, ok := f.(*os.File); ok {
		if w, _, err := term.GetSize(int(file.Fd())); err == nil {
			return w
		}
	}
	return 0
}

// progress shows on one line of a terminal how far a long command is. Off a terminal it shows nothing.
type progress struct {
	w     io.Writer
	on    bool
	began time.Time
	last  time.Time
	shown bool
}

func newProgress(w io.Writer, now time.Time) *progress {
	return &progress{w: w, on: isTerminal(w), began: now, last: now}
}

// update says that events are done and what part of the whole that is (below 0: unknown). It draws a few times a second.
func (p *progress) update(now time.Time, events int64, part float64) {
	if !p.on || now.Sub(p.last) < 200*time.Millisecond {
		return
	}
	p.last, p.shown = now, true
	line := grouped(events) + " events"
	if part >= 0 {
		line += fmt.Sprintf(", %.0f %%", 100*min(part, 1))
	}
	if s := now.Sub(p.began).Seconds(); s > 0 {
		line += ", " + grouped(int64(float64(events)/s)) + "/s"
	}
	fmt.Fprintf(p.w, "\r%s\x1b[K", line)
}

// done clears the line.
func (p *progress) done() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}

// grouped writes n with commas between thousands.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	var b strings.Builder
	b.WriteString(sign)
	for i := range len(s) {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// shortDuration rounds a time to what a person reads.
func shortDuration(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}

// byteSize writes n bytes in a unit that keeps it short.
func byteSize(n int64) string {
	if n < 1<<10 {
		return strconv.FormatInt(n, 10) + " B"
	}
	f, unit := float64(n)/1024, 0
	for f >= 1024 && unit < 3 {
		f /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", f, "KMGT"[unit])
}
