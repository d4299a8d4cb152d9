package redex

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestConsumerMembers has eight members come and go while events are appended and sealed: every event is settled once, and events
// of one key are never with two members, and in order.
func TestConsumerMembers(t *testing.T) {
	const events, keys = 4000, 37
	before := runtime.NumGoroutine()
	s := mustOpen(t, t.TempDir()+"/store", Options{SealBytes: 64 << 10, RunEvents: 50, SegmentBytes: 256 << 10, Sync: SyncPolicy{Mode: SyncNever}})
	l := mustLog(t, s, "log")
	c := mustConsumer(t, l, "c", ConsumerOptions{Order: OrderByKey, MaxAttempts: 1000, DeadLetter: "dead", MaxInFlight: 32, Lookahead: 500})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var settled atomic.Int64
	var mu sync.Mutex
	last, busy := map[string]Seq{}, map[string]bool{}
	done := map[Seq]bool{}
	member := func(r *rand.Rand) error {
		m, err := c.Join(ctx)
		if err != nil {
			return err
		}
		defer m.Close()
		for range 1 + r.IntN(200) {
			d, err := m.Next(ctx)
			if err != nil {
				return err
			}
			key := string(d.Event.Key)
			mu.Lock()
			if busy[key] || done[d.Event.Seq] || last[key] > d.Event.Seq {
				t.Errorf("sequence %d of key %q: busy %v, settled %v, after %d", d.Event.Seq, key, busy[key], done[d.Event.Seq], last[key])
			}
			busy[key] = true
			mu.Unlock()
			runtime.Gosched()
			mu.Lock()
			busy[key] = false
			what := r.IntN(20)
			if what > 2 {
				last[key], done[d.Event.Seq] = d.Event.Seq, true
			}
			mu.Unlock()
			switch what {
			case 0:
				err = d.Nack(0)
			case 1: // it is given back when the member leaves
				return nil
			case 2:
				err = d.Nack(time.Millisecond)
			case 3:
				err = d.Reject(ctx, "no")
			case 4:
				err = d.AckSync(ctx)
			default:
				err = d.Ack()
			}
			if err != nil {
				return err
			}
			if what > 2 && settled.Add(1) == events {
				cancel()
			}
		}
		return nil
	}
	var wg sync.WaitGroup
	for i := range uint64(8) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(i, 1))
			for ctx.Err() == nil {
				if err := member(r); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := 0; i < events; i += 4 {
		var es []Entry
		for k := range 4 {
			es = append(es, Entry{Key: fmt.Appendf(nil, "k%d", (i*i+k)%keys), Payload: []byte(strings.Repeat("x", 50))})
		}
		if _, err := l.AppendBatch(t.Context(), es, AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	if n := settled.Load(); n != events {
		t.Fatalf("%d of %d settled: %+v", n, events, c.Stats())
	}
	st := c.Stats()
	dead, err := s.Log("dead")
	mustDo(t, err)
	if st.Position != events || st.Pending != 0 || st.Acked+st.DeadLettered != events || uint64(dead.Bounds().Next) != st.DeadLettered {
		t.Fatalf("%+v, %d dead letters", st, dead.Bounds().Next)
	}
	mustClose(t, s)
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		runtime.Gosched()
	}
	buf := make([]byte, 1<<20)
	if n := runtime.NumGoroutine(); n > before && bytes.Contains(buf[:runtime.Stack(buf, true)], []byte("Consumer")) {
		t.Errorf("%d goroutines, before %d\n%s", n, before, buf)
	}
}

// TestConsumerKill kills a child whose members work, and looks at what was acknowledged. One event kills the child by itself: it is
// delivered MaxAttempts times and then moved.
func TestConsumerKill(t *testing.T) {
	if dir := os.Getenv("REDEX_CONSUMER_DIR"); dir != "" {
		consumerChild(t, dir)
		return
	}
	dir := t.TempDir() + "/store"
	kept := map[Seq]bool{} // acknowledged with AckSync
	acked, poison := map[Seq]bool{}, 0
	for i := range 12 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestConsumerKill$", "-test.v")
		cmd.Env = append(os.Environ(), "REDEX_CONSUMER_DIR="+dir)
		out, err := cmd.StdoutPipe()
		mustDo(t, err)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		mustDo(t, cmd.Start())
		want := 50 + (i*7919)%900 // lines before the kill
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var seq Seq
			var how string
			if lines.Text() == "poison" {
				poison++
				want = 0
			}
			if k, _ := fmt.Sscanf(lines.Text(), "%s %d", &how, &seq); k != 2 || how != "got" && how != "ack" && how != "sync" {
				continue
			}
			switch {
			case how == "got" && kept[seq]:
				t.Errorf("sequence %d was acknowledged durably and delivered again", seq)
			case how == "sync":
				kept[seq] = true
				fallthrough
			case how == "ack":
				acked[seq] = true
			}
			if want--; want == 0 {
				mustDo(t, cmd.Process.Kill())
			}
		}
		if err := cmd.Wait(); want > 0 {
			t.Fatalf("child ended by itself: %v\n%s", err, &stderr)
		}
	}
	if poison != 3 {
		t.Errorf("the event that kills was delivered %d times, want 3", poison)
	}
	s := mustOpen(t, dir, Options{})
	l := mustLog(t, s, "log")
	dead, err := s.Log("dead")
	mustDo(t, err)
	for ev, err := range dead.Scan(t.Context(), 0, maxSeq) {
		mustDo(t, err)
		d, ok := ev.DeadLetter()
		if !ok || d.Reason != "attempts" || acked[d.Seq] {
			t.Errorf("%+v", d)
		}
		acked[d.Seq] = true
	}
	c, err := l.Consumer("c")
	mustDo(t, err)
	st := c.Stats()
	for seq := range st.Position {
		if !acked[seq] {
			t.Errorf("sequence %d is settled and was never acknowledged", seq)
		}
	}
	if rep, err := s.Check(t.Context()); err != nil || len(rep.Damage) > 0 || st.Position < 40 || dead.Bounds().Next == 0 {
		t.Errorf("%v, %v, %+v", rep.Damage, err, st)
	}
	mustClose(t, s)
}

// consumerChild works until it is killed.
func consumerChild(t *testing.T, dir string) {
	s := mustOpen(t, dir, Options{SealBytes: 16 << 10, RunEvents: 20, SegmentBytes: 128 << 10, Sync: SyncPolicy{Mode: SyncNever}})
	l := mustLog(t, s, "log")
	c := mustConsumer(t, l, "c", ConsumerOptions{Order: OrderByKey, MaxAttempts: 3, DeadLetter: "dead", MaxInFlight: 20})
	m := mustJoin(t, c)
	out := bufio.NewWriter(os.Stdout)
	say := func(format string, args ...any) {
		fmt.Fprintf(out, format, args...)
		mustDo(t, out.Flush())
	}
	for i := 0; ; i++ {
		appendKeys(t, l, fmt.Sprint("k", i%5))
		d, err := m.Next(t.Context())
		mustDo(t, err)
		if d.Event.Seq == 40 {
			say("poison\n")
			if err := errors.Join(s.Sync(t.Context()), killSelf()); err != nil {
				t.Fatal(err)
			}
		}
		say("got %d\n", d.Event.Seq)
		say("ack %d\n", d.Event.Seq) // said first: nobody can say it at the same instant
		mustDo(t, d.Ack())
		if i%7 == 0 {
			mustDo(t, c.Sync(t.Context()))
			say("sync %d\n", d.Event.Seq)
		}
	}
}

// killSelf ends the process without a chance for it to do anything more.
func killSelf() error {
	p, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = p.Kill()
	}
	if err == nil {
		select {}
	}
	return err
}
