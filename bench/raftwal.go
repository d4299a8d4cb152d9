package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftwal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// raftLog is hashicorp/raft-wal: entries of raft, numbered from 1.
type raftLog struct {
	mu   sync.Mutex
	l    *raftwal.WAL
	meta *metadb.BoltMetaDB // closed by nobody else, and locked until it is
	next uint64
	logs []*raft.Log
	read raft.Log
	tick *ticker
}

func openRaftWAL(_ context.Context, s settings) (engine, error) {
	var files types.VFS = fs.New()
	var tick *ticker
	if s.sync != always {
		// raft-wal knows no policy but always, so the others are in its files.
		late := &lateSync{VFS: files}
		files = late
		if s.sync == interval {
			tick = startTicker(late.sync)
		}
	}
	r := &raftLog{meta: &metadb.BoltMetaDB{}, tick: tick}
	var err error
	r.l, err = raftwal.Open(s.dir, raftwal.WithSegmentFiler(segment.NewFiler(s.dir, files)), raftwal.WithMetaStore(r.meta), raftwal.WithLogger(hclog.NewNullLogger()))
	if err != nil {
		return nil, errors.Join(err, tick.close(), r.meta.Close())
	}
	last, err := r.l.LastIndex()
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	r.next = last + 1
	return r, nil
}

func (r *raftLog) append(_ context.Context, payloads [][]byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.logs) < len(payloads) {
		r.logs = append(r.logs, &raft.Log{Term: 1, Type: raft.LogCommand})
	}
	for i, v := range payloads {
		r.logs[i].Index, r.logs[i].Data = r.next+uint64(i), v
	}
	if err := r.l.StoreLogs(r.logs[:len(payloads)]); err != nil {
		return err
	}
	r.next += uint64(len(payloads))
	return nil
}

func (r *raftLog) scan(context.Context) (events, bytes int64, err error) {
	for i := uint64(1); i < r.next; i++ {
		if err := r.l.GetLog(i, &r.read); err != nil {
			return 0, 0, err
		}
		events++
		bytes += int64(len(r.read.Data))
	}
	return events, bytes, nil
}

func (r *raftLog) at(_ context.Context, number uint64) ([]byte, error) {
	err := r.l.GetLog(number+1, &r.read)
	return r.read.Data, err
}

func (r *raftLog) last(ctx context.Context) ([]byte, error) { return r.at(ctx, r.next-2) }

func (r *raftLog) Close() error { return errors.Join(r.tick.close(), r.l.Close(), r.meta.Close()) }

// lateSync is raft-wal's file system, whose files are synced when its owner says so instead of at every append.
type lateSync struct {
	types.VFS
	mu    sync.Mutex
	files []*lateFile
}

type lateFile struct {
	types.WritableFile
	fs    *lateSync
	dirty atomic.Bool
}

func (l *lateSync) add(f types.WritableFile, err error) (types.WritableFile, error) {
	if err != nil {
		return nil, err
	}
	late := &lateFile{WritableFile: f, fs: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.files = append(l.files, late)
	return late, nil
}

func (l *lateSync) Create(dir, name string, size uint64) (types.WritableFile, error) {
	return l.add(l.VFS.Create(dir, name, size))
}

func (l *lateSync) OpenWriter(dir, name string) (types.WritableFile, error) {
	return l.add(l.VFS.OpenWriter(dir, name))
}

// sync syncs the files that were written since it was called last.
func (l *lateSync) sync() error {
	l.mu.Lock()
	files := slices.Clone(l.files)
	l.mu.Unlock()
	for _, f := range files {
		if f.dirty.Swap(false) {
			if err := f.WritableFile.Sync(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Sync only notes that there is something to sync.
func (f *lateFile) Sync() error {
	f.dirty.Store(true)
	return nil
}

func (f *lateFile) Close() error {
	f.fs.mu.Lock()
	f.fs.files = slices.DeleteFunc(f.fs.files, func(g *lateFile) bool { return g == f })
	f.fs.mu.Unlock()
	return f.WritableFile.Close()
}
