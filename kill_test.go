package netdb_test

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/internal/leaktest"
	"github.com/seed69692123/netdb/redex"
)

var kills = flag.Int("kills", 8, "how often TestKilledAtRandom kills its child; 2000 for the long run")

// killChildEnv names the directory in which the test binary is to write until it is killed.
const killChildEnv = "NETDB_TEST_KILL_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killChildEnv); dir != "" {
		if err := writeUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(leaktest.Main(m)) // no goroutine, open file or mapping is left behind
}

var killLogs = []string{"left", "right", "many/a", "many/b"}

type killEvent struct {
	Key   string `json:"key"`
	N     int64  `json:"n"`
	Batch string `json:"batch,omitempty"` // names an append to left and right with one event each
}

type killTotals struct {
	Totals fold.Table[string, killTotal]
}

type killTotal struct{ Sum, Events int64 }

func killFold() fold.Definition[killTotals] {
	return fold.Definition[killTotals]{
		Name: "totals",
		Logs: killLogs,
		Fold: fold.Func[killTotals](func(s *killTotals, ev redex.Event) error {
			var e killEvent
			if err := json.Unmarshal(ev.Payload, &e); err != nil {
				return fold.Undecodable(err)
			}
			t, _ := s.Totals.Get(e.Key)
			t.Sum += e.N
			t.Events++
			s.Totals.Set(e.Key, t)
			return nil
		}),
		Options: fold.Options{Checkpoint: fold.Checkpoint{Events: 200, Every: time.Millisecond}},
	}
}

// writeUntilKilled appends from several goroutines, with a fold, seals and checkpoints beside them, and prints a line for
// every append that was acknowledged.
func writeUntilKilled(dir string) error {
	ctx := context.Background()
	db, err := netdb.Open(ctx, dir, netdb.Options{Store: redex.Options{Sync: redex.SyncPolicy{Mode: redex.SyncMode(os.Getpid() % 3)}}})
	if err != nil {
		return err
	}
	logs := make([]*redex.Log, len(killLogs))
	for i, name := range killLogs {
		if logs[i], err = db.OpenLog(ctx, name, redex.LogOptions{}); err != nil {
			return err
		}
	}
	if _, err := netdb.OpenFold(ctx, db, killFold()); err != nil {
		return err
	}
	fmt.Println("ready")
	errs := make(chan error)
	for g := range 3 {
		go func() {
			rng := rand.New(rand.NewPCG(uint64(os.Getpid()), uint64(g)))
			for i := 0; ; i++ {
				ev := killEvent{Key: fmt.Sprintf("k%d", rng.IntN(50)), N: rng.Int64N(1000)}
				var got []redex.Appended
				var at []int
				var err error
				switch rng.IntN(4) {
				case 0:
					ev.Batch = fmt.Sprintf("%d.%d.%d", os.Getpid(), g, i)
					e := []redex.Entry{netdb.MustJSON(ev)}
					at = []int{0, 1}
					got, err = db.Store().Append(ctx, []redex.Batch{{Log: logs[0], Entries: e}, {Log: logs[1], Entries: e}}, redex.AppendOptions{})
				default:
					at = []int{rng.IntN(len(logs))}
					var a redex.Appended
					a, err = logs[at[0]].Append(ctx, netdb.MustJSON(ev), redex.AppendOptions{})
					got = []redex.Appended{a}
				}
				if err != nil {
					errs <- err
					return
				}
				payload, _ := json.Marshal(ev)
				for j, a := range got {
					fmt.Printf("%s\t%d\t%s\n", killLogs[at[j]], a.Seq, payload)
				}
			}
		}()
	}
	go func() {
		for {
			if err := db.Store().Seal(ctx); err != nil {
				errs <- err
				return
			}
		}
	}()
	return <-errs
}

// killsOfOne is how often the processes of one directory are killed: all that was ever acknowledged is looked for after each.
const killsOfOne = 100

func acknowledged(acked map[string]map[redex.Seq]string) (n int) {
	for _, m := range acked {
		n += len(m)
	}
	return n
}

// TestKilledAtRandom kills a process at random moments while it appends, folds and seals, again and again in one directory. A
// process death may lose nothing that was acknowledged whatever the policy: the page cache holds it.
func TestKilledAtRandom(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var dir string
	var acked map[string]map[redex.Seq]string
	total := 0
	for round := range *kills {
		if round%killsOfOne == 0 {
			dir, acked = t.TempDir(), map[string]map[redex.Seq]string{}
			for _, name := range killLogs {
				acked[name] = map[redex.Seq]string{}
			}
		}
		before := acknowledged(acked)
		runAndKill(t, dir, time.Duration(rng.IntN(120))*time.Millisecond, acked)
		afterKill(t, dir, acked)
		if t.Failed() {
			t.Fatalf("after kill %d", round+1)
		}
		total += acknowledged(acked) - before
	}
	if total == 0 {
		t.Fatal("no append was ever acknowledged: the test showed nothing")
	}
	t.Logf("%d kills, %d acknowledged events", *kills, total)
}

func runAndKill(t *testing.T, dir string, after time.Duration, acked map[string]map[redex.Seq]string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killChildEnv+"="+dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	if line, err := r.ReadString('\n'); line != "ready\n" {
		_ = cmd.Wait()
		t.Fatalf("child did not start: %v\n%s", err, stderr.String())
	}
	var once sync.Once
	kill := func() { once.Do(func() { _ = cmd.Process.Kill() }) }
	timer := time.AfterFunc(after, kill)
	defer timer.Stop()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			if err != io.EOF {
				t.Fatal(err)
			}
			break // a line without its end was not printed whole: not acknowledged
		}
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 3)
		var seq redex.Seq
		if _, err := fmt.Sscan(f[1], &seq); err != nil {
			t.Fatal(err)
		}
		if old, ok := acked[f[0]][seq]; ok {
			t.Fatalf("log %s sequence %d was given twice: %s and %s", f[0], seq, old, f[2])
		}
		acked[f[0]][seq] = f[2]
	}
	kill()
	if _ = cmd.Wait(); stderr.Len() > 0 {
		t.Fatalf("child failed: %s", stderr.String())
	}
}

// afterKill opens the directory and holds it against what was acknowledged.
func afterKill(t *testing.T, dir string, acked map[string]map[redex.Seq]string) {
	t.Helper()
	ctx := t.Context()
	db, err := netdb.Open(ctx, dir, netdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	if e := db.Store().Epoch(); e != 1 {
		t.Errorf("epoch %d: a process death loses nothing and begins no epoch", e)
	}
	if report, err := db.Check(ctx); err != nil || len(report.Problems) > 0 {
		t.Errorf("check: %v %v", report.Problems, err)
	}
	h, err := netdb.OpenFold(ctx, db, killFold())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.CatchUp(ctx); err != nil {
		t.Fatal(err)
	}
	want, batches := map[string]killTotal{}, map[string]int{}
	for _, name := range killLogs {
		log, err := db.Log(name)
		if err != nil {
			t.Fatal(err)
		}
		next, found := redex.Seq(0), 0
		for ev, err := range log.Scan(ctx, 0, log.Bounds().Next) {
			if err != nil {
				t.Fatal(err)
			}
			if ev.Seq != next {
				t.Fatalf("log %s: sequence %d after %d", name, ev.Seq, next)
			}
			next++
			if payload, ok := acked[name][ev.Seq]; ok {
				found++
				if payload != string(ev.Payload) {
					t.Fatalf("log %s sequence %d: acknowledged %s, found %s", name, ev.Seq, payload, ev.Payload)
				}
			}
			var e killEvent
			if err := json.Unmarshal(ev.Payload, &e); err != nil {
				t.Fatal(err)
			}
			w := want[e.Key]
			want[e.Key] = killTotal{w.Sum + e.N, w.Events + 1}
			if e.Batch != "" {
				batches[e.Batch]++
			}
		}
		if found != len(acked[name]) {
			t.Errorf("log %s: %d events acknowledged, %d of them found below %d", name, len(acked[name]), found, next)
		}
	}
	for id, n := range batches {
		if n != 2 {
			t.Errorf("batch %s: %d of its 2 events", id, n)
		}
	}
	got := maps.Collect(h.Snapshot().State.Totals.All())
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fold is not what the logs say: %s", diff)
	}
}
