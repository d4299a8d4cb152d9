package kv

import (
	"errors"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const ballastName = "ballast"

// ballast is a file that takes room on the disk, to be given up when there is no other for the manifest. While it is not whole no
// table is written, so that the room it gave is not used up by those. A goroutine makes it again when there is room.
//
// What it gives up is free for everybody on the disk: somebody else may be quicker. Then the manifest waits for room.
type ballast struct {
	fs   vfs.FS
	dir  string
	size int64
	s    *state

	need   chan struct{} // holds a value while the keeper is to look
	keeper sync.WaitGroup

	mu    sync.Mutex
	is    ballastState
	given bool // it was, once
}

type ballastState uint8

const (
	ballastNone  ballastState = iota // not wanted
	ballastGone                      // to be made
	ballastBusy                      // somebody makes or removes it, without the lock
	ballastWhole                     // there
)

func newBallast(fs vfs.FS, dir string, size int64, s *state) *ballast {
	b := &ballast{fs: fs, dir: dir, size: size, s: s, need: make(chan struct{}, 1)}
	switch {
	case size <= 0:
	case b.found():
		b.is = ballastWhole
	default:
		b.is = ballastGone
	}
	return b
}

func (b *ballast) path() string { return b.fs.PathJoin(b.dir, ballastName) }

// found reports whether the file is there in full.
func (b *ballast) found() bool {
	i, err := b.fs.Stat(b.path())
	return err == nil && i.Size() == b.size
}

// whole reports whether the ballast is there, or not wanted.
func (b *ballast) whole() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.is == ballastWhole || b.is == ballastNone
}

func (b *ballast) wanted() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.is != ballastNone
}

// turn changes the state and reports whether it was from.
func (b *ballast) turn(from, to ballastState) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.is != from {
		return false
	}
	b.is = to
	return true
}

// give removes the file, and reports whether that made room.
func (b *ballast) give() bool {
	if !b.turn(ballastWhole, ballastBusy) {
		return false
	}
	err := b.fs.Remove(b.path())
	b.mu.Lock()
	b.given = true
	if b.is = ballastGone; err != nil {
		b.is = ballastWhole
	}
	b.mu.Unlock()
	if err != nil {
		b.s.log.Error("key-value map: ballast cannot be given up", "err", err)
		return false
	}
	b.s.log.Warn("key-value map: disk full, ballast given up")
	b.wake()
	return true
}

// make makes the file unless it is there, and reports whether it is afterwards, or is not wanted.
func (b *ballast) make() bool {
	if b.whole() {
		return true
	}
	if writing, _ := b.s.manifest(); writing || b.s.ended() {
		return false // the room is for the manifest
	}
	if !b.turn(ballastGone, ballastBusy) {
		return false
	}
	err := b.write()
	if err != nil && b.s.failure() == nil {
		_ = b.fs.Remove(b.path()) // a part of it is of no use and takes room
	}
	is := ballastWhole
	switch {
	case err == nil:
	case noRoom(err):
		is = ballastGone
		b.s.setFull(true)
	case b.s.ended():
		is = ballastGone
	default: // it is of no use to refuse writes for that
		is = ballastNone
		b.s.log.Error("key-value map: no ballast, a full disk will be noticed late", "err", err)
	}
	b.turn(ballastBusy, is)
	return is != ballastGone
}

func (b *ballast) write() error {
	b.mu.Lock()
	given := b.given
	b.given = true
	b.mu.Unlock()
	// To try would take the last room from others for a moment, each time.
	if u, err := b.fs.GetDiskUsage(b.dir); given && err == nil && u.AvailBytes < uint64(b.size) {
		return syscall.ENOSPC
	}
	f, err := b.fs.Create(b.path(), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	// Bytes that neither compress nor repeat, so that the file takes the room it claims.
	block := make([]byte, 64<<10)
	x := uint64(0x9e3779b97f4a7c15)
	for at := int64(0); at < b.size && err == nil; at += int64(len(block)) {
		if b.s.ended() {
			err = ErrClosed
			break
		}
		block = block[:min(int64(len(block)), b.size-at)]
		for i := range block {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			block[i] = byte(x)
		}
		_, err = f.Write(block)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// start makes the ballast, now or when there is room, and again whenever it was given up. Closing the state ends it.
func (b *ballast) start() {
	if !b.wanted() {
		return
	}
	if !b.make() {
		b.wake()
	}
	b.keeper.Add(1)
	go b.keep()
}

// wait returns when nothing of start goes on.
func (b *ballast) wait() { b.keeper.Wait() }

func (b *ballast) wake() {
	select {
	case b.need <- struct{}{}:
	default:
	}
}

// keep makes the ballast again after it was given up, until the DB is closed or failed.
func (b *ballast) keep() {
	defer b.keeper.Done()
	for {
		select {
		case <-b.need:
		case <-b.s.closing:
			return
		}
		for n := 1; ; n++ {
			a := b.s.begin()
			if n > 1 && b.make() { // who gave it up needs the room first
				break
			}
			if b.s.ended() {
				return
			}
			b.s.rest(backoff(n, mostRest), a.kick)
		}
		b.s.setFull(false)
		b.s.changed()
	}
}
