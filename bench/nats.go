package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// natsLog is a stream in the file store of a NATS server that is embedded and reached through its in-process connection.
type natsLog struct {
	srv      *server.Server
	nc       *nats.Conn
	js       jetstream.JetStream
	stream   jetstream.Stream
	subjects []string // of many logs
}

const natsSubject = "events"

func openNATS(ctx context.Context, s settings) (_ engine, err error) {
	o := &server.Options{
		ServerName: "bench", DontListen: true, NoLog: true, NoSigs: true, JetStream: true, StoreDir: s.dir, JetStreamMaxStore: 1 << 40,
	}
	switch s.sync {
	case always:
		o.SyncAlways = true
	case interval:
		o.SyncInterval = every
	}
	n := &natsLog{}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	if n.srv, err = server.NewServer(o); err != nil {
		return nil, err
	}
	n.srv.Start()
	if !n.srv.ReadyForConnections(time.Minute) {
		return nil, errors.New("the server does not start")
	}
	if n.nc, err = nats.Connect("", nats.InProcessServer(n.srv)); err != nil {
		return nil, err
	}
	if n.js, err = jetstream.New(n.nc, jetstream.WithPublishAsyncMaxPending(1<<16)); err != nil {
		return nil, err
	}
	n.stream, err = n.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: "events", Subjects: []string{natsSubject, natsSubject + ".*"}, Storage: jetstream.FileStorage, AllowDirect: true,
	})
	return n, err
}

func (n *natsLog) append(ctx context.Context, payloads [][]byte) error {
	if len(payloads) == 1 {
		_, err := n.js.Publish(ctx, natsSubject, payloads[0])
		return err
	}
	return n.publish(ctx, payloads, func(int) string { return natsSubject })
}

// publish sends all and then waits for every acknowledgement.
func (n *natsLog) publish(ctx context.Context, payloads [][]byte, subject func(i int) string) error {
	acks := make([]jetstream.PubAckFuture, len(payloads))
	var err error
	for i, p := range payloads {
		if acks[i], err = n.js.PublishAsync(subject(i), p); err != nil {
			return err
		}
	}
	for _, a := range acks {
		select {
		case <-a.Ok():
		case err := <-a.Err():
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (n *natsLog) prepare(_ context.Context, logs int) error {
	n.subjects = make([]string, logs)
	for i := range n.subjects {
		n.subjects[i] = natsSubject + "." + strconv.Itoa(i)
	}
	return nil
}

func (n *natsLog) spread(ctx context.Context, first int, payloads [][]byte) error {
	return n.publish(ctx, payloads, func(i int) string { return n.subjects[(first+i)%len(n.subjects)] })
}

func (n *natsLog) scan(ctx context.Context) (events, bytes int64, err error) {
	info, err := n.stream.Info(ctx)
	if err != nil {
		return 0, 0, err
	}
	c, err := n.stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		return 0, 0, err
	}
	it, err := c.Messages(jetstream.PullMaxMessages(5000))
	if err != nil {
		return 0, 0, err
	}
	defer it.Stop()
	for uint64(events) < info.State.Msgs {
		m, err := it.Next(jetstream.NextContext(ctx))
		if err != nil {
			return 0, 0, err
		}
		events++
		bytes += int64(len(m.Data()))
	}
	return events, bytes, nil
}

func (n *natsLog) at(ctx context.Context, number uint64) ([]byte, error) {
	m, err := n.stream.GetMsg(ctx, number+1)
	if err != nil {
		return nil, fmt.Errorf("message %d: %w", number+1, err)
	}
	return m.Data, nil
}

func (n *natsLog) last(ctx context.Context) ([]byte, error) {
	m, err := n.stream.GetLastMsgForSubject(ctx, natsSubject)
	if err != nil {
		return nil, err
	}
	return m.Data, nil
}

func (n *natsLog) Close() error {
	if n.nc != nil {
		n.nc.Close()
	}
	if n.srv != nil {
		n.srv.Shutdown()
		n.srv.WaitForShutdown()
	}
	return nil
}

// tail is an ordered consumer that pushes into a channel, so that a reader may also look without waiting.
func (n *natsLog) tail(ctx context.Context) (tail, error) {
	info, err := n.stream.Info(ctx)
	if err != nil {
		return nil, err
	}
	c, err := n.stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: info.State.LastSeq + 1,
	})
	if err != nil {
		return nil, err
	}
	t := &natsTail{got: make(chan jetstream.Msg, 1024)}
	t.stop, err = c.Consume(func(m jetstream.Msg) { t.got <- m })
	return t, err
}

type natsTail struct {
	got  chan jetstream.Msg
	stop jetstream.ConsumeContext
}

func (t *natsTail) next(ctx context.Context) ([]byte, error) {
	select {
	case m := <-t.got:
		return m.Data(), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (t *natsTail) try(context.Context) ([]byte, bool, error) {
	select {
	case m := <-t.got:
		return m.Data(), true, nil
	default:
		return nil, false, nil
	}
}

func (t *natsTail) Close() error {
	t.stop.Stop()
	return nil
}
