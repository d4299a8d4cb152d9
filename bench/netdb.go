package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
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
	logs    []*redex.Log
	batches []redex.Batch
}

func openNetDB(v variant) func(ctx context.Context, s settings) (engine, error) {
	return func(ctx context.Context, s settings) (engine, error) {
		o := redex.Options{Compression: redex.CompressS2} // and nothing is compressed anew while it is read
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

func (n *netDB) prepare(ctx context.Context, logs int) error {
	for i := range logs {
		l, err := n.s.OpenLog(ctx, "logs/"+strconv.Itoa(i), redex.LogOptions{})
		if err != nil {
			return err
		}
		n.logs = append(n.logs, l)
	}
	return nil
}

func (n *netDB) spread(ctx context.Context, first int, payloads [][]byte) error {
	for len(n.batches) < len(payloads) {
		n.batches = append(n.batches, redex.Batch{Entries: make([]redex.Entry, 1)})
	}
	for i, p := range payloads {
		n.batches[i].Log = n.logs[(first+i)%len(n.logs)]
		n.batches[i].Entries[0] = redex.Entry{Encoding: redex.JSON, Payload: p}
	}
	_, err := n.s.Append(ctx, n.batches[:len(payloads)], redex.AppendOptions{})
	return err
}

// to appends to one of the logs made by prepare.
func (n *netDB) to(ctx context.Context, log int, payload []byte) error {
	_, err := n.logs[log].Append(ctx, redex.Entry{Encoding: redex.JSON, Payload: payload}, redex.AppendOptions{})
	return err
}

func (n *netDB) create(ctx context.Context, log int, payloads [][]byte) error {
	l, err := n.s.OpenLog(ctx, fmt.Sprintf("small/%07d", log), redex.LogOptions{})
	if err != nil {
		return err
	}
	for _, p := range payloads {
		if _, err := l.Append(ctx, redex.Entry{Encoding: redex.JSON, Payload: p}, redex.AppendOptions{}); err != nil {
			return err
		}
	}
	return nil
}

func (n *netDB) list(_ context.Context, log, digits int) (count int, err error) {
	for _, err := range n.s.Logs(fmt.Sprintf("small/%07d", log)[:len("small/")+digits]) {
		if err != nil {
			return count, err
		}
		count++
	}
	return count, nil
}

// finish seals what sealing has put off.
func (n *netDB) finish(ctx context.Context) error { return n.s.Seal(ctx) }

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

func (n *netDB) at(ctx context.Context, number uint64) ([]byte, error) {
	e, err := n.l.Read(ctx, redex.Seq(number))
	return e.Payload, err
}

func (n *netDB) last(ctx context.Context) ([]byte, error) {
	e, err := n.l.Latest(ctx)
	return e.Payload, err
}

// tail returns a reader of the log; TryNext looks without waiting.
func (n *netDB) tail(context.Context) (tail, error) {
	return &netDBTail{n.l.Tail(n.l.Bounds().Next, redex.TailOptions{})}, nil
}

type netDBTail struct{ *redex.Tail }

func (t *netDBTail) next(ctx context.Context) ([]byte, error) {
	if !t.Next(ctx) {
		return nil, t.Err()
	}
	return t.Event().Payload, nil
}

func (t *netDBTail) try(ctx context.Context) ([]byte, bool, error) {
	if !t.TryNext(ctx) {
		return nil, false, t.Err()
	}
	return t.Event().Payload, true, nil
}

func (n *netDB) Close() error { return n.s.Close() }
