package redex

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed69692123/netdb/redex/journal"
)

// TestConsumerKept reopens with a window full of holes, from the journal and from the catalog, where it takes several pieces.
func TestConsumerKept(t *testing.T) {
	const events = 60_000
	dir := t.TempDir() + "/store"
	s := mustOpen(t, dir, Options{Sync: SyncPolicy{Mode: SyncNever}})
	l := mustLog(t, s, "log")
	var es []Entry
	for range 1000 {
		es = append(es, Entry{Payload: []byte("x")})
	}
	for range events / len(es) {
		_, err := l.AppendBatch(t.Context(), es, AppendOptions{})
		mustDo(t, err)
	}
	c := mustConsumer(t, l, "c", ConsumerOptions{MaxInFlight: maxInFlight, AckWait: time.Hour})
	m := mustJoin(t, c)
	for seq := range Seq(events) {
		if d := mustNext(t, m, seq, 1); seq%2 == 1 {
			mustDo(t, d.Ack())
		}
	}
	mustDo(t, m.Close())
	want := c.Stats()
	if want.Above != events/2 || want.Waiting != events/2 || want.Position != 0 {
		t.Fatalf("%+v", want)
	}
	for i := range 3 {
		mustClose(t, s)
		s = mustOpen(t, dir, Options{Sync: SyncPolicy{Mode: SyncNever}})
		l = mustLog(t, s, "log")
		c, err := l.Consumer("c")
		mustDo(t, err)
		if got := c.Stats(); got != want {
			t.Fatalf("%+v, want %+v", got, want)
		}
		mustDo(t, s.Seal(t.Context()))
		if rep, err := s.Check(t.Context()); err != nil || len(rep.Damage) > 0 {
			t.Fatal(rep.Damage, err)
		}
		if i == 1 {
			from, to := logKeys(keyCursor, l.id)
			it, err := s.kv.NewIter(from, to)
			mustDo(t, err)
			n := 0
			for ok := it.First(); ok; ok = it.Next() {
				n++
			}
			mustDo(t, it.Close())
			if n < 3 {
				t.Errorf("%d pieces", n)
			}
		}
	}
	m = mustJoin(t, mustConsumer(t, l, "c", ConsumerOptions{MaxInFlight: maxInFlight, AckWait: time.Hour}))
	for seq := Seq(0); seq < events; seq += 2 {
		mustDo(t, mustNext(t, m, seq, 2).Ack())
	}
	mustDo(t, m.Close())
	if i, err := l.Consumers(); err != nil || i[0].Position != events {
		t.Fatal(i, err)
	}
	mustDo(t, s.Delete(t.Context(), "log"))
	mustDo(t, s.Seal(t.Context()))
	if rep, err := s.Check(t.Context()); err != nil || len(rep.Damage) > 0 { // its consumers went with it
		t.Fatal(rep.Damage, err)
	}
	mustClose(t, s)
}

// TestConsumerDurable never delivers what is not durable, and has it made durable when a member waits.
func TestConsumerDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, o := range []SyncPolicy{{}, {Mode: SyncInterval, Every: time.Hour}, {Mode: SyncNever}} {
			s, err := OpenMemory(t.Context(), Options{Sync: o})
			mustDo(t, err)
			l := mustLog(t, s, "log")
			mustDo(t, s.Sync(t.Context()))
			m := mustJoin(t, mustConsumer(t, l, "c", ConsumerOptions{}))
			a, err := l.Append(t.Context(), Entry{}, AppendOptions{Durable: DurableNo})
			mustDo(t, err)
			synctest.Wait()
			if s.Durable() >= a.Ordinal {
				t.Fatalf("%v: somebody has synced", o)
			}
			mustNone(t, m)
			if o.Mode == SyncInterval {
				time.Sleep(time.Hour)
			}
			mustNext(t, m, 0, 1)
			if s.Durable() < a.Ordinal {
				t.Fatalf("%v: it was delivered and is not durable", o)
			}
			mustClose(t, s)
		}
	})
}

// TestDeadLetter looks at what is kept of a dead letter, and at what stands in its way.
func TestDeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := OpenMemory(t.Context(), Options{SegmentBytes: 1 << 20, JournalBytes: 64 << 20})
		mustDo(t, err)
		defer func() { mustDo(t, s.Close()) }()
		l := mustLog(t, s, "log")
		ctx := t.Context()
		put := func(e Entry) {
			_, err := l.Append(ctx, e, AppendOptions{})
			mustDo(t, err)
		}
		put(Entry{Kind: 7, Origin: 9, Idempotency: 3, Encoding: JSON, Tombstone: true, SchemaVersion: 2, Key: []byte("k"), Payload: []byte("{}"), Headers: []Header{{"h", []byte("v")}}})
		put(Entry{Payload: []byte("x"), Headers: []Header{{"h", bytes.Repeat([]byte("v"), MaxHeaderBytes-1)}}})
		put(Entry{Payload: bytes.Repeat([]byte("x"), s.j.MaxBodyBytes()-200)})
		put(Entry{Payload: []byte("last")})
		put(Entry{Encoding: JSON, Payload: []byte("no JSON")})
		c := mustConsumer(t, l, "c", ConsumerOptions{DeadLetter: "dead"})
		m := mustJoin(t, c)
		for seq := range Seq(3) {
			mustDo(t, mustNext(t, m, seq, 1).Reject(ctx, "because "+strings.Repeat("y", 2000)))
		}
		dead, err := s.Log("dead")
		mustDo(t, err)
		var got []Event
		for ev, err := range dead.Scan(ctx, 0, maxSeq) {
			mustDo(t, err)
			got = append(got, ev.Clone())
		}
		if e := got[0]; len(got) != 3 || e.Kind != 7 || e.Origin != 9 || e.Idempotency != 0 || e.Encoding != JSON || !e.Tombstone || e.SchemaVersion != 2 ||
			string(e.Key) != "k" || string(e.Payload) != "{}" || e.Headers[0].Name != "h" {
			t.Errorf("%+v", got)
		}
		for i, omitted := range []string{"", "headers", "headers payload"} {
			if d, ok := got[i].DeadLetter(); !ok || d.Omitted != omitted || d.Seq != Seq(i) || len(d.Reason) != 1024 || d.Attempts != 1 {
				t.Errorf("%+v", d)
			}
		}
		if string(got[1].Payload) != "x" || len(got[2].Payload) != 0 {
			t.Error("payloads of dead letters")
		}
		if _, ok := new(Event).DeadLetter(); ok {
			t.Error("an event that is no dead letter")
		}

		// One that cannot be moved is tried again, and held until then.
		mustDo(t, s.SetOptions(ctx, "dead", LogOptions{Quota: Quota{Events: 3}, CheckJSON: true}))
		d := mustNext(t, m, 3, 1)
		if err := d.Reject(ctx, "full"); !errors.Is(err, ErrQuota) {
			t.Fatal(err)
		}
		synctest.Wait()
		if st := c.Stats(); !errors.Is(st.Err, ErrQuota) || st.Position != 3 {
			t.Fatalf("%+v", st)
		}
		mustDo(t, s.SetOptions(ctx, "dead", LogOptions{CheckJSON: true}))
		time.Sleep(2 * troubleWait)
		synctest.Wait()
		if st := c.Stats(); st.Err != nil || st.Position != 4 || st.DeadLettered != 4 {
			t.Fatalf("%+v", st)
		}
		mustDo(t, mustNext(t, m, 4, 1).Reject(ctx, "no JSON"))
		if ev, err := dead.Read(ctx, 4); err != nil || ev.Encoding != Raw || string(ev.Payload) != "no JSON" {
			t.Fatal(ev, err)
		}
		// The log is made again, and what was a dead letter once can be one again.
		mustDo(t, s.Delete(ctx, "dead"))
		put(Entry{Headers: got[0].Headers})
		mustDo(t, mustNext(t, m, 5, 1).Reject(ctx, "again"))
		dead, err = s.Log("dead")
		mustDo(t, err)
		ev, err := dead.Read(ctx, 0)
		mustDo(t, err)
		if d, ok := ev.DeadLetter(); !ok || d.Seq != 5 || d.Reason != "again" || len(ev.Headers) != 8 {
			t.Fatalf("%+v", ev.Headers)
		}
		put(Entry{})
		m2 := mustJoin(t, mustConsumer(t, l, "without", ConsumerOptions{From: FromSeq(6)}))
		d = mustNext(t, m2, 6, 1)
		if err := d.Reject(ctx, "x"); !errors.Is(err, ErrNoDeadLetter) {
			t.Fatal(err)
		}
		mustDo(t, d.Ack())
	})
}

// TestConsumerDamage loses frames: one that made a consumer, and events that a consumer had settled, whose sequences are given again.
func TestConsumerDamage(t *testing.T) {
	ctx := t.Context()
	for _, what := range []string{"consumer", "events"} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir() + "/store"
			s := mustOpen(t, dir, Options{})
			l := mustLog(t, s, "log")
			mustAppend(t, l, "a", "b")
			if what == "events" { // in the catalog, so that only the frame of c and d is lost
				mustConsumer(t, l, "c", ConsumerOptions{})
				mustDo(t, s.Seal(ctx))
			}
			harm := s.Cut().Ordinal + 1
			if what == "events" {
				mustAppend(t, l, "c", "d")
			}
			m := mustJoin(t, mustConsumer(t, l, "c", ConsumerOptions{}))
			for seq := range l.Bounds().Next {
				mustDo(t, mustNext(t, m, seq, 1).AckSync(ctx))
			}
			mustClose(t, s)
			harmFrame(t, dir, s, journal.Ordinal(harm))
			for i := range 3 {
				s = mustOpen(t, dir, Options{})
				l, err := s.Log("log")
				mustDo(t, err)
				c, err := l.Consumer("c")
				if what == "consumer" {
					if !errors.Is(err, ErrNoConsumer) {
						t.Fatal(err)
					}
					mustClose(t, s)
					continue
				}
				mustDo(t, err)
				if i == 0 {
					if st := c.Stats(); st.Position != 2 || l.Bounds().Next != 2 {
						t.Fatalf("%+v of %+v", st, l.Bounds())
					}
					mustAppend(t, l, "e")
					mustClose(t, s)
					continue
				}
				m := mustJoin(t, c)
				d := mustNext(t, m, 2, i) // an attempt more each time
				if string(d.Event.Payload) != "e" {
					t.Fatal(d.Event)
				}
				if i == 2 {
					mustDo(t, d.Ack())
				}
				mustDo(t, s.Seal(ctx))
				if rep, err := s.Check(ctx); err != nil || len(rep.Damage) > 0 && i == 2 {
					t.Fatal(rep.Damage, err)
				}
				mustClose(t, s)
			}
		})
	}
}

// TestConsumerRecordDamage: a consumer whose record cannot be read is told and can be deleted; the others go on.
func TestConsumerRecordDamage(t *testing.T) {
	s, err := OpenMemory(t.Context(), Options{})
	mustDo(t, err)
	defer s.Close()
	l := mustLog(t, s, "log")
	mustConsumer(t, l, "a", ConsumerOptions{})
	mustConsumer(t, l, "b", ConsumerOptions{})
	mustDo(t, s.Seal(t.Context()))
	s.consumers.remove(consumerKey{l.id, "a"})
	b := s.kv.NewBatch()
	mustDo(t, errors.Join(b.Set(cursorKey(l.id, "a", 0), []byte{1, 2, 3}), s.kv.Apply(t.Context(), b), b.Close()))
	if _, err := l.OpenConsumer(t.Context(), "a", ConsumerOptions{}); !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
	if rep, err := s.Check(t.Context()); err != nil || len(rep.Damage) != 1 {
		t.Fatal(rep.Damage, err)
	}
	if _, err := l.Consumers(); !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
	mustDo(t, l.DeleteConsumer(t.Context(), "a"))
	mustDo(t, s.Seal(t.Context()))
	list, err := l.Consumers()
	if names := fmt.Sprint(slices.Collect(func(yield func(string) bool) {
		for _, i := range list {
			yield(i.Name)
		}
	})); err != nil || names != "[b]" {
		t.Fatal(names, err)
	}
}

// TestDeadLetterOrder: what was acknowledged before a dead letter is kept before it. Else a crash could bring back an event of a key
// after one that came later has gone.
func TestDeadLetterOrder(t *testing.T) {
	inMemory(t, func(t *testing.T, s *Store, l *Log) {
		appendKeys(t, l, "a", "a", "a")
		c := mustConsumer(t, l, "c", ConsumerOptions{Order: OrderByKey, DeadLetter: "dead"})
		m := mustJoin(t, c)
		mustDo(t, mustNext(t, m, 0, 1).Ack())
		d := mustNext(t, m, 1, 1)
		mustDo(t, d.Reject(t.Context(), "no"))
		l.mu.Lock()
		defer l.mu.Unlock()
		if kept := c.cur.kept(); kept.position != 2 {
			t.Fatalf("%+v", kept)
		}
	})
}

// TestConsumerCompacted passes over what compaction by key took, wherever it was for the consumer: not read, waiting, or settled by an
// earlier run.
func TestConsumerCompacted(t *testing.T) {
	inMemory(t, func(t *testing.T, s *Store, _ *Log) {
		ctx := t.Context()
		l, err := s.OpenLog(ctx, "compacted", LogOptions{Compaction: Compaction{ByKey: true}})
		mustDo(t, err)
		var keys []string
		for i := range 3000 {
			keys = append(keys, fmt.Sprint("k", i%10))
		}
		appendKeys(t, l, keys...)
		for _, lookahead := range []int{40, 5000} {
			o := ConsumerOptions{MaxInFlight: 30, Lookahead: lookahead, DeadLetter: "dead", AckWait: time.Hour}
			c := mustConsumer(t, l, fmt.Sprint("c", lookahead), o)
			m := mustJoin(t, c)
			for seq := range Seq(20) {
				d := mustNext(t, m, seq, 1)
				switch {
				case seq%2 == 1:
					mustDo(t, d.Ack())
				case seq%4 == 0:
					mustDo(t, d.Nack(time.Minute))
				}
			}
			mustDo(t, m.Close())
		}
		n, err := l.Compact(ctx)
		mustDo(t, err)
		appendKeys(t, l, "x", "y")
		if n != 2990 {
			t.Fatal(n, "went")
		}
		for _, lookahead := range []int{40, 5000} {
			c, err := l.Consumer(fmt.Sprint("c", lookahead))
			mustDo(t, err)
			m := mustJoin(t, c)
			for seq := Seq(2990); seq < 3002; seq++ {
				mustDo(t, mustNext(t, m, seq, 1).Ack())
			}
			if st := c.Stats(); st.Position != 3002 || st.Pending != 0 || st.Lost != 0 || st.Waiting != 0 || st.Acked != 22 {
				t.Fatalf("%+v", st)
			}
			mustDo(t, m.Close())
		}

		// Those that wait for another attempt, and for the dead-letter log, go too.
		c := mustConsumer(t, l, "late", ConsumerOptions{From: FromSeq(3000), DeadLetter: "dead", AckWait: time.Hour})
		m := mustJoin(t, c)
		x, y := mustNext(t, m, 3000, 1), mustNext(t, m, 3001, 1)
		mustDo(t, x.Nack(time.Minute))
		appendKeys(t, l, "x", "y", "z")
		_, err = l.Compact(ctx)
		mustDo(t, err)
		if err := y.Reject(ctx, "no"); !errors.Is(err, ErrDeliveryEnded) {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		for seq := Seq(3002); seq < 3005; seq++ {
			mustDo(t, mustNext(t, m, seq, 1).Ack())
		}
		mustNone(t, m)
		if st := c.Stats(); st.Position != 3005 || st.Lost != 0 || st.Acked != 3 || st.DeadLettered != 0 {
			t.Fatalf("%+v", st)
		}
	})
}
