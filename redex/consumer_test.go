package redex

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func mustConsumer(t testing.TB, l *Log, name string, o ConsumerOptions) *Consumer {
	t.Helper()
	c, err := l.OpenConsumer(context.Background(), name, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustJoin(t testing.TB, c *Consumer) *Member {
	t.Helper()
	m, err := c.Join(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// mustNext wants a sequence and an attempt from a member.
func mustNext(t testing.TB, m *Member, seq Seq, attempt int) *Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	d, err := m.Next(ctx)
	if err != nil {
		t.Fatalf("instead of sequence %d: %v", seq, err)
	}
	if d.Event.Seq != seq || d.Attempt != attempt {
		t.Fatalf("sequence %d, attempt %d; want %d, %d", d.Event.Seq, d.Attempt, seq, attempt)
	}
	return d
}

// mustNone wants that there is nothing for a member now. It is for a bubble of synctest.
func mustNone(t testing.TB, m *Member) {
	t.Helper()
	synctest.Wait()
	if d, err := m.TryNext(context.Background()); d != nil || err != nil {
		t.Fatalf("there should be nothing: %+v, %v", d, err)
	}
}

func mustDo(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// inMemory runs a test on a store in memory with a fake clock.
func inMemory(t *testing.T, f func(t *testing.T, s *Store, l *Log)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := OpenMemory(t.Context(), Options{})
		mustDo(t, err)
		defer func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}()
		f(t, s, mustLog(t, s, "log"))
	})
}

func appendKeys(t testing.TB, l *Log, keys ...string) {
	t.Helper()
	var es []Entry
	for i, k := range keys {
		es = append(es, Entry{Key: []byte(k), Payload: fmt.Appendf(nil, "%s%d", k, i)})
	}
	_, err := l.AppendBatch(context.Background(), es, AppendOptions{})
	mustDo(t, err)
}

// TestConsumer acknowledges, lets time pass, gives back and joins again.
func TestConsumer(t *testing.T) {
	inMemory(t, func(t *testing.T, s *Store, l *Log) {
		mustAppend(t, l, "a", "b", "c", "d")
		c := mustConsumer(t, l, "c", ConsumerOptions{AckWait: time.Minute})
		m := mustJoin(t, c)
		a, b := mustNext(t, m, 0, 1), mustNext(t, m, 1, 1)
		if string(a.Event.Payload) != "a" || string(b.Event.Payload) != "b" || a.Event.Log != l.ID() {
			t.Fatal(a.Event, b.Event)
		}
		mustDo(t, b.Ack())
		if st := c.Stats(); st.Position != 0 || st.Above != 1 || st.Pending != 3 || st.InFlight != 1 || st.Acked != 1 || st.Members != 1 {
			t.Fatalf("%+v", st)
		}
		time.Sleep(time.Minute - time.Second)
		mustDo(t, a.InProgress())
		time.Sleep(time.Minute - time.Second)
		third, fourth := mustNext(t, m, 2, 1), mustNext(t, m, 3, 1)
		mustNone(t, m)
		time.Sleep(time.Second)
		again := mustNext(t, m, 0, 2)
		for _, err := range []error{a.Ack(), a.Nack(0), a.InProgress(), a.Reject(t.Context(), "x"), b.Ack()} {
			if !errors.Is(err, ErrDeliveryEnded) {
				t.Fatal("a delivery that is over:", err)
			}
		}
		mustDo(t, again.AckSync(t.Context()))
		mustDo(t, third.Nack(time.Hour))
		if !errors.Is(third.Ack(), ErrDeliveryEnded) {
			t.Fatal("it was given back")
		}
		mustDo(t, fourth.Nack(0))
		mustDo(t, mustNext(t, m, 3, 2).Ack())
		mustNone(t, m)
		time.Sleep(time.Hour)
		held := mustNext(t, m, 2, 2)
		if st := c.Stats(); st.Position != 2 || st.Above != 1 || st.Redelivered != 3 || st.InFlight != 1 {
			t.Fatalf("%+v", st)
		}
		other := mustJoin(t, c)
		mustNone(t, other)
		mustDo(t, m.Close())
		mustDo(t, mustNext(t, other, 2, 3).Ack())
		if _, err := m.Next(t.Context()); !errors.Is(err, ErrMemberLeft) {
			t.Fatal(err)
		}
		if err := held.Ack(); !errors.Is(err, ErrDeliveryEnded) {
			t.Fatal(err)
		}
		mustAppend(t, l, "e")
		mustNext(t, other, 4, 1)
		mustDo(t, other.Close())
		if st := c.Stats(); st.Position != 4 || st.Members != 0 || st.Waiting != 1 || st.Acked != 4 {
			t.Fatalf("%+v", st)
		}
		m = mustJoin(t, c)
		mustDo(t, mustNext(t, m, 4, 2).Ack())
	})
}

// TestLateAck: until an event is delivered again it can be settled, also after its time.
func TestLateAck(t *testing.T) {
	inMemory(t, func(t *testing.T, s *Store, l *Log) {
		mustAppend(t, l, "a")
		c := mustConsumer(t, l, "c", ConsumerOptions{AckWait: time.Second, Backoff: []time.Duration{time.Minute}})
		m := mustJoin(t, c)
		d := mustNext(t, m, 0, 1)
		time.Sleep(2 * time.Second)
		mustNone(t, m)
		mustDo(t, d.Ack())
		time.Sleep(time.Hour)
		mustNone(t, m)
		if st := c.Stats(); st.Position != 1 || st.Redelivered != 0 {
			t.Fatalf("%+v", st)
		}
	})
}

// TestBackoff waits as the options say, from attempt to attempt.
func TestBackoff(t *testing.T) {
	inMemory(t, func(t *testing.T, s *Store, l *Log) {
		mustAppend(t, l, "a")
		o := ConsumerOptions{AckWait: time.Second, Backoff: []time.Duration{time.Minute, time.Hour}, MaxAttempts: 5, DeadLetter: "dead"}
		m := mustJoin(t, mustConsumer(t, l, "c", o))
		d := mustNext(t, m, 0, 1)
		for i, wait := range []time.Duration{time.Minute, time.Hour, time.Hour} {
			if i == 1 {
				mustDo(t, d.Nack(0))
			} else {
				time.Sleep(time.Second)
			}
			time.Sleep(wait - time.Second/2)
			mustNone(t, m)
			time.Sleep(time.Second / 2)
			d = mustNext(t, m, 0, i+2)
		}
		mustDo(t, d.Nack(time.Millisecond))
		time.Sleep(time.Millisecond)
		mustDo(t, mustNext(t, m, 0, 5).Nack(time.Hour))
		synctest.Wait()
		dead, err := s.Log("dead")
		mustDo(t, err)
		ev, err := dead.Read(t.Context(), 0)
		mustDo(t, err)
		src, err := l.Read(t.Context(), 0)
		mustDo(t, err)
		want := DeadLetter{Log: "log", LogID: l.ID(), Consumer: "c", Seq: 0, Time: src.Time, Attempts: 5, Reason: "attempts"}
		if dl, ok := ev.DeadLetter(); !ok || dl != want || string(ev.Payload) != "a" {
			t.Fatalf("%+v, want %+v", dl, want)
		}
	})
}

// TestByKey blocks a key and lets the others go on, as far as the options let it read.
func TestByKey(t *testing.T) {
	inMemory(t, func(t *testing.T, s *Store, l *Log) {
		appendKeys(t, l, "a", "a", "b", "a", "b", "c")
		c := mustConsumer(t, l, "c", ConsumerOptions{Order: OrderByKey, AckWait: time.Hour})
		m, n := mustJoin(t, c), mustJoin(t, c)
		a, b := mustNext(t, m, 0, 1), mustNext(t, n, 2, 1)
		mustNext(t, m, 5, 1)
		mustNone(t, n)
		mustDo(t, b.Ack())
		mustNext(t, n, 4, 1)
		mustDo(t, a.Nack(time.Minute))
		mustNone(t, n)
		time.Sleep(time.Minute)
		a = mustNext(t, n, 0, 2)
		mustNone(t, m)
		mustDo(t, a.Ack())
		mustNext(t, m, 1, 1)
		mustDo(t, m.Close()) // holds 1 and 5
		again := mustNext(t, n, 1, 2)
		mustNext(t, n, 5, 2)
		mustNone(t, n)
		mustDo(t, again.Ack())
		mustNext(t, n, 3, 1)
	})
}

// TestHotKey has far more events of one key than are read ahead. The others go on up to that bound, in bounded memory.
func TestHotKey(t *testing.T) {
	inMemory(t, func(t *testing.T, s *Store, l *Log) {
		var keys []string
		for i := range 3000 {
			keys = append(keys, "hot")
			if i%100 == 0 {
				keys = append(keys, fmt.Sprint("cold", i))
			}
		}
		appendKeys(t, l, keys...)
		c := mustConsumer(t, l, "c", ConsumerOptions{Order: OrderByKey, Lookahead: 1024})
		m := mustJoin(t, c)
		hot := mustNext(t, m, 0, 1)
		for seq, k := range keys[:1024] {
			if k != "hot" {
				mustDo(t, mustNext(t, m, Seq(seq), 1).Ack())
			}
		}
		mustNone(t, m)
		if st := c.Stats(); !st.Full || st.Above != 11 || st.InFlight != 1 {
			t.Fatalf("%+v", st)
		}
		mustDo(t, hot.Ack())
		seen := 1
		for seq, k := range keys { // the lowest that can be delivered comes first
			if k == "hot" && seq > 0 || seq >= 1024 {
				d, err := m.Next(t.Context())
				mustDo(t, err)
				if string(d.Event.Payload) != fmt.Sprint(keys[d.Event.Seq], d.Event.Seq) {
					t.Fatal(d.Event)
				}
				mustDo(t, d.Ack())
				seen++
			}
		}
		if st := c.Stats(); int(st.Position) != len(keys) || st.Pending != 0 {
			t.Fatalf("%+v", st)
		}
	})
}

// TestStrict has one event in flight.
func TestStrict(t *testing.T) {
	inMemory(t, func(t *testing.T, s *Store, l *Log) {
		for range 1000 {
			mustAppend(t, l, "x")
		}
		c := mustConsumer(t, l, "c", ConsumerOptions{Order: OrderStrict, DeadLetter: "dead", MaxAttempts: 3})
		m, n := mustJoin(t, c), mustJoin(t, c)
		for seq := range Seq(1000) {
			d := mustNext(t, m, seq, 1)
			mustNone(t, n)
			if seq%100 == 50 {
				mustDo(t, d.Reject(t.Context(), "bad"))
				continue
			}
			mustDo(t, d.Ack())
		}
		if st := c.Stats(); st.DeadLettered != 10 || st.Acked != 990 || st.Position != 1000 {
			t.Fatalf("%+v", st)
		}
	})
}

// TestInFlight is back pressure: what was delivered and not settled is bounded.
func TestInFlight(t *testing.T) {
	inMemory(t, func(t *testing.T, s *Store, l *Log) {
		mustAppend(t, l, "a", "b", "c", "d")
		c := mustConsumer(t, l, "c", ConsumerOptions{MaxInFlight: 2, Lookahead: 2, AckWait: time.Hour})
		m := mustJoin(t, c)
		a, b := mustNext(t, m, 0, 1), mustNext(t, m, 1, 1)
		mustNone(t, m)
		mustDo(t, b.Nack(time.Minute))
		mustNone(t, m) // it still counts
		mustDo(t, a.Ack())
		mustNext(t, m, 2, 1)
		mustNone(t, m)
		time.Sleep(time.Minute)
		mustNext(t, m, 1, 2)
		mustNone(t, m)
		ended := make(chan error)
		go func() {
			_, err := m.Next(t.Context())
			ended <- err
		}()
		synctest.Wait()
		mustDo(t, s.Delete(t.Context(), "log")) // it is told, though the consumer does not read
		synctest.Wait()
		select {
		case err := <-ended:
			if !errors.Is(err, ErrLogDeleted) {
				t.Fatal(err)
			}
		default:
			t.Fatal("it waits for a log that is gone")
		}
	})
}

// TestMemberContext: the end of Join's context is the end of the member; waits of all kinds end as they should.
func TestMemberContext(t *testing.T) {
	inMemory(t, func(t *testing.T, s *Store, l *Log) {
		mustAppend(t, l, "a")
		c := mustConsumer(t, l, "c", ConsumerOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		m, err := c.Join(ctx)
		mustDo(t, err)
		n := mustJoin(t, c)
		mustNext(t, m, 0, 1)
		ended := make(chan error, 1)
		wait := func(m *Member, ctx context.Context) {
			go func() {
				_, err := m.Next(ctx)
				ended <- err
			}()
			synctest.Wait()
		}
		wait(m, t.Context())
		cancel()
		if err := <-ended; !errors.Is(err, ErrMemberLeft) {
			t.Fatal(err)
		}
		mustDo(t, mustNext(t, n, 0, 2).Ack())
		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		wait(n, short)
		if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		wait(n, t.Context())
		mustDo(t, l.DeleteConsumer(t.Context(), "c"))
		if err := <-ended; !errors.Is(err, ErrConsumerDeleted) {
			t.Fatal(err)
		}
		if _, err := c.Join(t.Context()); !errors.Is(err, ErrConsumerDeleted) {
			t.Fatal(err)
		}
		if err := c.Seek(t.Context(), 0); !errors.Is(err, ErrConsumerDeleted) {
			t.Fatal(err)
		}
		c = mustConsumer(t, l, "c", ConsumerOptions{})
		m = mustJoin(t, c)
		mustDo(t, mustNext(t, m, 0, 1).Ack()) // another one
		wait(m, t.Context())
		mustDo(t, s.Rename(t.Context(), "log", "renamed"))
		mustAppend(t, l, "b")
		mustDo(t, <-ended)
		wait(m, t.Context())
		mustDo(t, s.Delete(t.Context(), "renamed"))
		if err := <-ended; !errors.Is(err, ErrLogDeleted) {
			t.Fatal(err)
		}
		mustDo(t, m.Close())
		other := mustLog(t, s, "log")
		if list, err := other.Consumers(); len(list) != 0 || err != nil {
			t.Fatal(list, err)
		}
		m = mustJoin(t, mustConsumer(t, other, "c", ConsumerOptions{}))
		wait(m, t.Context())
		go s.Close()
		if err := <-ended; !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
	})
}

// TestConsumerOptions: other options are refused, or made with UpdateConsumer; all faults are told.
func TestConsumerOptions(t *testing.T) {
	inMemory(t, func(t *testing.T, s *Store, l *Log) {
		ctx := t.Context()
		for _, o := range []ConsumerOptions{
			{Order: 3},
			{AckWait: -1},
			{MaxAttempts: 1},
			{MaxAttempts: -1},
			{Backoff: []time.Duration{-1}},
			{DeadLetter: "/"},
			{DeadLetter: "log"},
			{MaxInFlight: -1},
			{MaxInFlight: 1 << 20},
			{Lookahead: 5},
			{Backoff: make([]time.Duration, 65)},
		} {
			if _, err := l.OpenConsumer(ctx, "c", o); !errors.Is(err, ErrOptions) {
				t.Errorf("%+v: %v", o, err)
			}
		}
		if _, err := l.OpenConsumer(ctx, "", ConsumerOptions{}); !errors.Is(err, ErrName) {
			t.Error(err)
		}
		if _, err := l.Consumer("c"); !errors.Is(err, ErrNoConsumer) {
			t.Error(err)
		}
		o := ConsumerOptions{
			Order: OrderByKey, AckWait: time.Second, MaxAttempts: 3, Backoff: []time.Duration{1, 2}, DeadLetter: "dead", MaxInFlight: 7,
			Lookahead: 70, HoldRetention: true,
		}
		c := mustConsumer(t, l, "c", o)
		if again := mustConsumer(t, l, "c", o); again != c {
			t.Error("two handles of one consumer")
		}
		o.From = FromEnd()
		mustConsumer(t, l, "c", o)
		for field, change := range map[string]func(*ConsumerOptions){
			"Order": func(o *ConsumerOptions) { o.Order = OrderFree }, "AckWait": func(o *ConsumerOptions) { o.AckWait++ },
			"MaxAttempts": func(o *ConsumerOptions) { o.MaxAttempts++ }, "Backoff": func(o *ConsumerOptions) { o.Backoff = nil },
			"DeadLetter": func(o *ConsumerOptions) { o.DeadLetter = "d" }, "MaxInFlight": func(o *ConsumerOptions) { o.MaxInFlight++ },
			"Lookahead": func(o *ConsumerOptions) { o.Lookahead++ }, "HoldRetention": func(o *ConsumerOptions) { o.HoldRetention = false },
		} {
			other := o
			change(&other)
			_, err := l.OpenConsumer(ctx, "c", other)
			if d, ok := errors.AsType[*ConsumerDiffersError](err); !ok || d.Field != field || d.Stored.MaxInFlight != 7 || !errors.Is(err, ErrConsumerDiffers) {
				t.Errorf("%s: %v", field, err)
			}
		}
		m := mustJoin(t, c)
		o.MaxInFlight, o.MaxAttempts = 9, 1
		mustDo(t, l.UpdateConsumer(ctx, "c", o))
		mustConsumer(t, l, "c", o)
		o.Order = OrderStrict
		if err := l.UpdateConsumer(ctx, "c", o); !errors.Is(err, ErrConsumerBusy) {
			t.Error(err)
		}
		mustDo(t, m.Close())
		mustDo(t, l.UpdateConsumer(ctx, "c", o))
		if d := c.Options(); d.Order != OrderStrict || d.MaxInFlight != 9 {
			t.Errorf("%+v", d)
		}
		mustAppend(t, l, "x", "y")
		at := map[string]Seq{}
		ev, err := l.Read(ctx, 1)
		mustDo(t, err)
		mustConsumer(t, l, "end", ConsumerOptions{From: FromEnd()})
		mustConsumer(t, l, "seq", ConsumerOptions{From: FromSeq(1)})
		mustConsumer(t, l, "time", ConsumerOptions{From: FromTime(ev.Arrival().Add(1))})
		mustDo(t, s.Seal(ctx))
		mustConsumer(t, l, "b", ConsumerOptions{})
		if _, err := l.OpenConsumer(ctx, "d", ConsumerOptions{From: FromSeq(3)}); !errors.Is(err, ErrNoEvent) {
			t.Error(err)
		}
		list, err := l.Consumers()
		mustDo(t, err)
		var names []string
		for _, i := range list {
			names, at[i.Name] = append(names, i.Name), i.Position
		}
		if !slices.Equal(names, []string{"b", "c", "end", "seq", "time"}) || at["end"] != 2 || at["seq"] != 1 || at["time"] != 2 || at["b"] != 0 {
			t.Error(names, at)
		}
	})
}

// TestSeek goes back and forth.
func TestConsumerSeek(t *testing.T) {
	inMemory(t, func(t *testing.T, s *Store, l *Log) {
		mustAppend(t, l, "a", "b", "c", "d")
		c := mustConsumer(t, l, "c", ConsumerOptions{})
		m := mustJoin(t, c)
		a := mustNext(t, m, 0, 1)
		mustDo(t, mustNext(t, m, 1, 1).Ack())
		mustDo(t, c.Seek(t.Context(), 3))
		if err := a.Ack(); !errors.Is(err, ErrDeliveryEnded) {
			t.Fatal(err)
		}
		mustDo(t, mustNext(t, m, 3, 1).Ack())
		mustDo(t, c.Seek(t.Context(), 0))
		for seq := range Seq(4) {
			mustDo(t, mustNext(t, m, seq, 1).Ack())
		}
		if err := c.Seek(t.Context(), 5); !errors.Is(err, ErrNoEvent) {
			t.Fatal(err)
		}
		mustDo(t, m.Close())
		mustDo(t, l.Trim(t.Context(), 2))
		mustDo(t, c.Seek(t.Context(), 1))
		if st := c.Stats(); st.Position != 2 || st.Acked != 6 || st.Pending != 2 {
			t.Fatalf("%+v", st)
		}
		m = mustJoin(t, c)
		mustNext(t, m, 2, 1)
	})
}

// TestGap: what retention takes is told, counted and passed over. HoldRetention keeps it from that.
func TestGap(t *testing.T) {
	inMemory(t, func(t *testing.T, s *Store, l *Log) {
		for range 600 {
			mustAppend(t, l, "x")
		}
		c := mustConsumer(t, l, "c", ConsumerOptions{AckWait: time.Hour})
		m := mustJoin(t, c)
		mustNext(t, m, 0, 1)
		mustDo(t, mustNext(t, m, 1, 1).Ack())
		mustDo(t, m.Close())
		mustDo(t, l.Trim(t.Context(), 500))
		m = mustJoin(t, c)
		gap := func(from, to Seq, events int64) {
			t.Helper()
			d, err := m.Next(t.Context())
			gap, ok := errors.AsType[*GapError](err)
			if !ok || !errors.Is(err, ErrRangeLost) || gap.Log != "log" || gap.Consumer != "c" || gap.From != from || gap.To != to || gap.Events != events {
				t.Fatalf("%+v, %+v, want %d to %d, %d events", d, err, from, to, events)
			}
		}
		gap(0, 500, 499)
		d := mustNext(t, m, 500, 1)
		mustDo(t, mustNext(t, m, 501, 1).Nack(time.Minute))
		mustDo(t, l.Trim(t.Context(), 505))
		time.Sleep(time.Minute)
		synctest.Wait()
		gap(501, 502, 1) // it is no more when it is to be delivered again
		mustDo(t, d.Ack())
		for seq := Seq(502); seq < 600; seq++ { // they were read before
			mustDo(t, mustNext(t, m, seq, 1).Ack())
		}
		if st := c.Stats(); st.Position != 600 || st.Lost != 500 || st.Acked != 100 {
			t.Fatalf("%+v", st)
		}
		mustDo(t, m.Close())

		mustAppend(t, l, "x", "y", "z")
		mustConsumer(t, l, "held", ConsumerOptions{HoldRetention: true, From: FromSeq(601)})
		mustDo(t, s.SetOptions(t.Context(), "log", LogOptions{Retention: Retention{Events: 1}}))
		for i := range 2 {
			if _, err := s.Retain(t.Context(), ""); err != nil || l.Bounds().Floor != 601 {
				t.Fatal(l.Bounds(), err)
			}
			if i == 0 {
				mustDo(t, s.Seal(t.Context()))
			}
		}
		m = mustJoin(t, c)
		gap(600, 601, 1)
		mustNext(t, m, 601, 1)
		mustDo(t, l.DeleteConsumer(t.Context(), "held"))
		_, err := s.Retain(t.Context(), "")
		if mustDo(t, err); l.Bounds().Floor != 602 {
			t.Fatal(l.Bounds())
		}
	})
}
