package main

import (
	"context"
	"errors"
	"sync"

	"github.com/seed69692123/netdb/redex"
)

// variant is how the reading points keep their events.
type variant struct {
	journal bool // nothing is sealed
	seal    bool // everything is sealed before it is read
	zstd    bool
}

type netDB struct {
	s       *redex.Store
	l       *redex.Log
	v       variant
	entries sync.Pool // *[]redex.Entry
}

func openNetDB(v variant) func(ctx context.Context, s settings) (engine, error) {
	return func(ctx context.Context, s settings) (engine, error) {
		o := redex.Options{}
		switch s.sync {
		case interval:
			o.Sync = redex.SyncPolicy{Mode: redex.SyncInterval, Every: every, Bytes: 1 << 30}
		case never:
			o.Sync.Mode = redex.SyncNever
		}
		if v.journal {
			o.SealBytes, o.HotBytes, o.JournalBytes = 2<<30, 1<<30, 4<<30
		}
		if v.zstd {
			o.Compression = redex.CompressZstd
		}
		store, err := redex.Open(ctx, s.dir, o)
		if err != nil {
			return nil, err
		}
		l, err := store.OpenLog(ctx, "events", redex.LogOptions{})
		if err != nil {
			return nil, errors.Join(err, store.Close())
		}
		return &netDB{s: store, l: l, v: v}, nil
	}
}

func (n *netDB) append(ctx context.Context, payloads [][]byte) error {
	if len(payloads) == 1 {
		_, err := n.l.Append(ctx, redex.Entry{Encoding: redex.JSON, Payload: payloads[0]}, redex.AppendOptions{})
		return err
	}
	entries, ok := n.entries.Get().(*[]redex.Entry)
	if !ok {
		entries = new([]redex.Entry)
	}
	defer n.entries.Put(entries)
	*entries = (*entries)[:0]
	for _, p := range payloads {
		*entries = append(*entries, redex.Entry{Encoding: redex.JSON, Payload: p})
	}
	_, err := n.l.AppendBatch(ctx, *entries, redex.AppendOptions{})
	return err
}

// settle seals everything when the variant wants it.
func (n *netDB) settle(ctx context.Context) error {
	if n.v.seal {
		return n.s.Seal(ctx)
	}
	return nil
}

func (n *netDB) scan(ctx context.Context) (events, bytes int64, err error) {
	c := n.l.Cursor(0, n.l.Bounds().Next)
	for c.Next(ctx) {
		events++
		bytes += int64(len(c.Event().Payload))
	}
	return events, bytes, errors.Join(c.Err(), c.Close())
}

func (n *netDB) last(ctx context.Context) ([]byte, error) {
	e, err := n.l.Latest(ctx)
	return e.Payload, err
}

func (n *netDB) Close() error { return n.s.Close() }
