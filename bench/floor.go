package main

import (
	"context"
	"hash/crc32"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// floorBytes is how long the buffer is: longer than a processor's caches, as a log always goes on to memory it has not touched.
const floorBytes = 256 << 20

// floorLog is no store but the least that a log in memory does: it copies payloads into a buffer that is already mapped and
// populated, round and round, and sums crc32c over what it copied. Nothing is framed, numbered, published or kept.
type floorLog struct {
	buf   []byte
	alone bool         // one goroutine appends
	pos   int64        // its place
	end   atomic.Int64 // the place of several
	table *crc32.Table
	woken chan []byte // of a reader, or nil
}

func openFloor(_ context.Context, s settings) (engine, error) {
	if s.sync == always {
		return nil, errNone
	}
	b, err := unix.Mmap(-1, 0, floorBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_POPULATE)
	if err != nil {
		return nil, err
	}
	return &floorLog{buf: b, table: crc32.MakeTable(crc32.Castagnoli), alone: s.together <= 1}, nil
}

func (f *floorLog) append(_ context.Context, payloads [][]byte) error {
	for _, p := range payloads {
		to := f.place(int64(len(p)))
		copy(to, p)
		crc32.Update(0, f.table, to)
		if f.woken != nil {
			f.woken <- to
		}
	}
	return nil
}

// place returns the next n bytes of the buffer.
func (f *floorLog) place(n int64) []byte {
	if f.alone {
		if f.pos+n > floorBytes {
			f.pos = 0
		}
		f.pos += n
		return f.buf[f.pos-n : f.pos]
	}
	for {
		// Where the buffer ends in the middle of a payload the place is given up.
		if at := (f.end.Add(n) - n) % floorBytes; at+n <= floorBytes {
			return f.buf[at : at+n]
		}
	}
}

func (f *floorLog) scan(context.Context) (events, bytes int64, err error) { return 0, 0, errNone }
func (f *floorLog) at(context.Context, uint64) ([]byte, error)            { return nil, errNone }
func (f *floorLog) last(context.Context) ([]byte, error)                  { return nil, errNone }
func (f *floorLog) Close() error                                          { return unix.Munmap(f.buf) }

// tail is a channel: what waking a goroutine costs at least.
func (f *floorLog) tail(context.Context) (tail, error) {
	f.woken = make(chan []byte, 1024)
	return (*floorTail)(f), nil
}

type floorTail floorLog

func (f *floorTail) next(ctx context.Context) ([]byte, error) {
	select {
	case v := <-f.woken:
		return v, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *floorTail) try(context.Context) ([]byte, bool, error) {
	select {
	case v := <-f.woken:
		return v, true, nil
	default:
		return nil, false, nil
	}
}

func (f *floorTail) Close() error { return nil }
