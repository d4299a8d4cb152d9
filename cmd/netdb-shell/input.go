package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// feed reads a source that may keep a reader waiting for ever, as pipes and terminals do, so that each read ends with the
// context of whoever reads. What arrives after that is kept for the next reader. It is used by one goroutine at a time.
type feed struct {
	r       io.Reader
	ask     chan struct{}
	got     chan piece
	waiting bool // an answer is to come
	rest    piece
}

// piece is what one read of the source gave.
type piece struct {
	data []byte
	err  error
}

const feedBytes = 64 << 10

func newFeed(r io.Reader) *feed { return &feed{r: r} }

// within returns a reader of the feed whose reads end when ctx does.
func (f *feed) within(ctx context.Context) io.Reader { return feedReader{f, ctx} }

type feedReader struct {
	f   *feed
	ctx context.Context // of the command that reads, which it does not outlive
}

// Read implements io.Reader.
func (r feedReader) Read(p []byte) (int, error) {
	f := r.f
	if len(f.rest.data) == 0 && f.rest.err == nil {
		if f.ask == nil {
			f.ask, f.got = make(chan struct{}), make(chan piece)
			go readPieces(f.r, f.ask, f.got)
		}
		if !f.waiting {
			f.ask <- struct{}{}
			f.waiting = true
		}
		select {
		case f.rest = <-f.got:
			f.waiting = false
		case <-r.ctx.Done():
			return 0, r.ctx.Err()
		}
	}
	n := copy(p, f.rest.data)
	if f.rest.data = f.rest.data[n:]; len(f.rest.data) > 0 {
		return n, nil
	}
	return n, f.rest.err
}

// readPieces answers each ask with what one read gives, until a read fails. A read that blocks ends with the process.
func readPieces(r io.Reader, ask <-chan struct{}, got chan<- piece) {
	buf := make([]byte, feedBytes)
	for range ask {
		n, err := r.Read(buf)
		got <- piece{buf[:n], err}
		if err != nil {
			return
		}
	}
}

// input is a file that is read.
type input struct {
	io.Reader
	io.Closer
	size int64 // 0 when unknown
}

// openInput opens a file to read. The other end of a pipe may never come and may never write: waiting for it ends with ctx.
func openInput(ctx context.Context, name string) (*input, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s is a directory", name)
	case info.Mode().IsRegular():
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		return &input{f, f, info.Size()}, nil
	}
	ready := make(chan opened, 1)
	go openPipe(name, ready)
	select {
	case o := <-ready:
		if o.err != nil {
			return nil, o.err
		}
		return &input{newFeed(o.f).within(ctx), o.f, 0}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type opened struct {
	f   *os.File
	err error
}

// openPipe opens a file. What blocks in it, because nobody opens the other end, ends with the process.
func openPipe(name string, ready chan<- opened) {
	f, err := os.Open(name)
	ready <- opened{f, err}
}

// readInput reads a whole file of at most most bytes.
func readInput(ctx context.Context, name string, most int64) ([]byte, error) {
	in, err := openInput(ctx, name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(in, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s is larger than %d MiB", name, most>>20)
	}
	return b, errors.Join(err, in.Close())
}
