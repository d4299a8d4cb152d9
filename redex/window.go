package redex

import (
	"slices"
	"sort"
)

// windowNumbers is how many idempotency numbers are remembered for each log and origin: the greatest ones. A number that is
// not among them and not above the greatest one forgotten is too old to tell.
const windowNumbers = 1024

// remembered is where the event with an idempotency number is.
type remembered struct {
	number  uint64
	seq     Seq
	ordinal Ordinal
	time    int64
}

// window remembers the idempotency numbers of one origin in one log. The store's append lock guards it.
type window struct {
	forgotten uint64       // the greatest number that was forgotten
	list      []remembered // ascending by number, at most windowNumbers
	last      Ordinal      // of the newest frame in it
}

// find returns what is remembered of a number. tooOld is true when it cannot be told whether the number was used.
func (w *window) find(number uint64) (r remembered, found, tooOld bool) {
	if n := len(w.list); n > 0 && number <= w.list[n-1].number {
		i := sort.Search(n, func(i int) bool { return w.list[i].number >= number })
		if w.list[i].number == number {
			return w.list[i], true, false
		}
	}
	return remembered{}, false, number <= w.forgotten
}

// add remembers a number that find did not find, and forgets the smallest when there are too many.
func (w *window) add(r remembered) {
	w.last = max(w.last, r.ordinal)
	if n := len(w.list); n == 0 || r.number > w.list[n-1].number {
		w.list = append(w.list, r)
	} else {
		i := sort.Search(n, func(i int) bool { return w.list[i].number >= r.number })
		if w.list[i].number == r.number {
			w.list[i] = r
			return
		}
		w.list = slices.Insert(w.list, i, r)
	}
	if len(w.list) > windowNumbers {
		w.forgotten = max(w.forgotten, w.list[0].number)
		w.list = w.list[1:]
	}
}
