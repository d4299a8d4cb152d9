package fold

import "slices"

// pageLogs is how many logs' places are copied together.
const pageLogs = 32

// places is where a fold is in each of its logs, as readers see it: nothing in it changes. What follows it shares the pages of
// logs in which nothing happened: a publication costs a page for each log in which something did, and the list of pages.
type places [][]logHeader

func (p places) at(log int) *logHeader { return &p[log/pageLogs][log%pageLogs] }

// all returns the places in all logs.
func (p places) all() []logHeader { return slices.Concat(p...) }

func marksOf(logs []logHeader) []Mark {
	out := make([]Mark, len(logs))
	for i := range logs {
		out[i] = logs[i].mark
	}
	return out
}

// own are the driver's places.
type own struct {
	logs    []logHeader
	touched []int // logs whose places are not as in the last places made
	isNew   []bool
}

func newOwn(logs []foldLog) own {
	o := own{logs: make([]logHeader, len(logs)), isNew: make([]bool, len(logs))}
	for i, l := range logs {
		o.logs[i].mark = Mark{Log: l.id, Name: l.name}
	}
	return o
}

// touch returns a log's place, for changes.
func (o *own) touch(log int) *logHeader {
	if !o.isNew[log] {
		o.isNew[log] = true
		o.touched = append(o.touched, log)
	}
	return &o.logs[log]
}

// publish returns the places of now. Those before must be the last that publish returned, or nil.
func (o *own) publish(before places) places {
	now := slices.Clone(before)
	if before == nil {
		for from := range slices.Chunk(o.logs, pageLogs) {
			now = append(now, sharePage(from))
		}
	}
	for _, log := range o.touched {
		at := log / pageLogs
		if before != nil && &now[at][0] == &before[at][0] {
			now[at] = sharePage(o.logs[at*pageLogs : min((at+1)*pageLogs, len(o.logs))])
		}
	}
	return now
}

// settle forgets which logs were touched.
func (o *own) settle() {
	for _, log := range o.touched {
		o.isNew[log] = false
	}
	o.touched = o.touched[:0]
}

func sharePage(from []logHeader) []logHeader {
	page := slices.Clone(from)
	for i := range from {
		page[i].skips = from[i].skips.share()
	}
	return page
}
