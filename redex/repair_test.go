package redex

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed69692123/netdb/redex/internal/kv"
)

// mustRepair tries a repair, sees that trying changed nothing, and repairs. Both must say the same. What is left must be a store that Check
// has nothing to say against, and that a second repair leaves alone.
func mustRepair(t *testing.T, dir string) RepairReport {
	t.Helper()
	ctx := t.Context()
	before := tree(t, dir)
	try, err := Repair(ctx, dir, RepairOptions{DryRun: true})
	if err != nil {
		t.Fatalf("try: %v", err)
	}
	sameTree(t, "a dry run", before, tree(t, dir))
	rep, err := Repair(ctx, dir, RepairOptions{})
	if err != nil {
		t.Fatalf("repair: %v", err)
	}
	if len(try.Lost) != len(rep.Lost) || len(try.Moved) != len(rep.Moved) || try.Clean != rep.Clean || fmt.Sprint(try.Recovered) != fmt.Sprint(rep.Recovered) {
		t.Errorf("the dry run says %+v, the repair %+v", try, rep)
	}
	if len(rep.Check.Damage) > 0 {
		t.Errorf("after the repair: %v", rep.Check.Damage)
	}
	again, err := Repair(ctx, dir, RepairOptions{})
	if err != nil || !again.Clean {
		t.Errorf("repaired again: %+v, %v", again, err)
	}
	if left, err := filepath.Glob(dir + ".repair-*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	return rep
}

// readRepaired reads a store after a repair: every event is right, or in a range that the report calls lost. It returns how many are
// right, and how many are lost.
func readRepaired(t *testing.T, dir string, want map[string][]string, rep RepairReport) (right, lost int) {
	t.Helper()
	ctx := t.Context()
	s := mustOpen(t, dir, Options{})
	defer mustClose(t, s)
	if len(s.Recovery().Damage) > 0 {
		t.Errorf("found at open: %v", s.Recovery().Damage)
	}
	names := map[string]string{}
	for info, err := range s.Logs("") {
		if err != nil {
			t.Fatal(err)
		}
		names[info.Name] = info.Name
		if strings.HasPrefix(info.Name, "recovered:") { // its events say whose they are
			for ev, err := range mustLogOf(t, s, info.Name).Scan(ctx, info.Bounds.Floor, info.Bounds.Next) {
				if err != nil {
					continue
				}
				name, _, _ := strings.Cut(string(ev.Payload), " ")
				names[name] = info.Name
				break
			}
		}
	}
	for name, payloads := range want {
		l, err := s.Log(names[name])
		if errors.Is(err, ErrNoLog) {
			lost += len(payloads)
			continue
		}
		if err != nil {
			t.Fatalf("log %q: %v", name, err)
		}
		b := l.Bounds()
		for seq := range Seq(len(payloads)) {
			ev, err := l.Read(ctx, seq)
			var gone *RangeLostError
			switch {
			case err == nil && string(ev.Payload) == payloads[seq]:
				right++
			case errors.As(err, &gone):
				if gone.From > seq || gone.To <= seq {
					t.Errorf("log %q sequence %d: %v", name, seq, err)
				}
				told := seq < b.Floor
				for _, r := range rep.Lost {
					told = told || r.Log == l.Name() && r.From <= seq && seq < r.To
				}
				if !told {
					t.Errorf("log %q sequence %d is lost, and the report does not tell: %v", name, seq, rep.Lost)
				}
				lost++
			case errors.Is(err, ErrNoEvent):
				lost++
			default:
				t.Fatalf("log %q sequence %d: %q, %v", name, seq, ev.Payload, err)
			}
		}
		a, err := l.Append(ctx, Entry{Payload: []byte("after")}, AppendOptions{})
		if err != nil || a.Seq != b.Next {
			t.Fatalf("append to %q: %d of %d, %v", name, a.Seq, b.Next, err)
		}
		if err := l.Trim(ctx, a.Seq); err != nil {
			t.Fatalf("trim %q: %v", name, err)
		}
	}
	if err := s.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	if rep, err := s.Check(ctx); err != nil || len(rep.Damage) > 0 || rep.Lost > 0 {
		t.Errorf("after writing and trimming: %+v, %v", rep, err)
	}
	return right, lost
}

func total(want map[string][]string) (n int) {
	for _, payloads := range want {
		n += len(payloads)
	}
	return n
}

// TestRepairAnything harms one file of a store at a time. Repaired it is whole again, but for what was harmed.
func TestRepairAnything(t *testing.T) {
	dir, want := agedStore(t)
	r := rand.New(rand.NewPCG(*byteSeed, 9))
	for i, file := range storeFiles(t, dir) {
		if file == "/"+formatName || r.IntN(onePartOf) > 0 && i > 0 {
			continue // which store it is cannot be told without
		}
		info, err := os.Stat(dir + file)
		if err != nil {
			t.Fatal(err)
		}
		harm := map[string]func(path string) error{
			"remove": os.Remove,
			"half":   func(path string) error { return os.Truncate(path, info.Size()/2) },
			"zero":   func(path string) error { return os.WriteFile(path, make([]byte, info.Size()), 0o600) },
		}
		flips := []int64{r.Int64N(max(info.Size(), 1))}
		for range *bytePoints / 10 {
			flips = append(flips, r.Int64N(max(min(info.Size(), 9000), 1)))
		}
		for _, at := range flips {
			harm[fmt.Sprintf("flip %d", at)] = func(path string) error {
				b, err := os.ReadFile(path)
				if at < 0 || at >= int64(len(b)) {
					return err
				}
				b[at] ^= 0x55
				return errors.Join(err, os.WriteFile(path, b, 0o600))
			}
		}
		for how, do := range harm {
			t.Run(strings.ReplaceAll(file[1:], "/", "_")+" "+how, func(t *testing.T) {
				bad := t.TempDir() + "/store"
				copyTree(t, dir, bad)
				if err := do(bad + file); err != nil {
					t.Fatal(err)
				}
				rep := mustRepair(t, bad)
				right, lost := readRepaired(t, bad, want, rep)
				if right+lost != total(want) || right == 0 {
					t.Errorf("%d right, %d lost of %d", right, lost, total(want))
				}
				if !rep.Clean || lost > 0 {
					t.Logf("%d lost; %+v", lost, rep)
				}
				if strings.HasPrefix(file, "/"+catalogDir) && strings.HasPrefix(how, "flip") && lost > total(want)/4 {
					t.Errorf("one byte of the catalog cost %d events", lost)
				}
			})
		}
	}
}

// TestRepairRowFile damages one block of a row file. Only its events are lost; the file is moved aside as it was, and the rest of its
// runs is in a new one.
func TestRepairRowFile(t *testing.T) {
	dir, want := agedStore(t)
	rows, err := filepath.Glob(dir + "/" + rowsDir + "/*")
	if err != nil || len(rows) == 0 {
		t.Fatal(rows, err)
	}
	b, err := os.ReadFile(rows[0])
	if err != nil {
		t.Fatal(err)
	}
	b[60] ^= 1
	if err := os.WriteFile(rows[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	rep := mustRepair(t, dir)
	if len(rep.Lost) != 1 || len(rep.Moved) != 1 || rep.Lost[0].Log != "run" {
		t.Fatalf("%+v", rep)
	}
	if kept, err := os.ReadFile(dir + "/" + rep.Moved[0]); err != nil || string(kept) != string(b) {
		t.Errorf("what was damaged is not kept as it was: %v", err)
	}
	// A scan goes on where the error says.
	s := mustOpen(t, dir, Options{ReadOnly: true})
	var gone *RangeLostError
	for _, err := range mustLogOf(t, s, "run").Scan(t.Context(), 0, 1000) {
		if err != nil && !errors.As(err, &gone) {
			t.Fatal(err)
		}
	}
	if gone == nil || gone.From != rep.Lost[0].From || gone.To != rep.Lost[0].To {
		t.Errorf("a scan ends with %v, lost is %+v", gone, rep.Lost)
	}
	mustClose(t, s)
	right, lost := readRepaired(t, dir, want, rep)
	if n := int(rep.Lost[0].To - rep.Lost[0].From); lost != n || right != total(want)-n {
		t.Errorf("%d right, %d lost: %+v", right, lost, rep.Lost)
	}
}

// changeCatalog changes a record of a closed store's catalog.
func changeCatalog(t *testing.T, dir string, change func(db *kv.DB, b *kv.Batch) error) {
	t.Helper()
	db, err := kv.Open(vfs.Default, dir+"/"+catalogDir, kv.Options{MustExist: true})
	if err != nil {
		t.Fatal(err)
	}
	b := db.NewBatch()
	ctx := context.Background()
	if err := errors.Join(change(db, b), db.Apply(ctx, b), db.Flush(ctx), b.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// firstKey returns the first key of a kind.
func firstKey(t *testing.T, db *kv.DB, kind byte) []byte {
	t.Helper()
	it, err := db.NewIter([]byte{kind}, []byte{kind + 1})
	if err != nil || !it.First() {
		t.Fatal(err)
	}
	defer it.Close()
	return append([]byte(nil), it.Key()...)
}

// TestRepairRecords spoils and removes one record of each kind. Nothing is lost but what was in that record alone.
func TestRepairRecords(t *testing.T) {
	dir, want := agedStore(t)
	for _, kind := range []byte{keyMeta, keyName, keyID, keyRun, keyRow, keyFile} {
		for how, change := range map[string]func(b *kv.Batch, k []byte) error{
			"spoil":  func(b *kv.Batch, k []byte) error { return b.Set(k, []byte{recordVersion, 0xff}) },
			"remove": func(b *kv.Batch, k []byte) error { return b.Delete(k) },
		} {
			t.Run(fmt.Sprintf("%s %c", how, kind), func(t *testing.T) {
				if how == "remove" && (kind == keyRow || kind == keyRun) {
					return // that is no damage that anybody could see: see TestRepairGap
				}
				bad := t.TempDir() + "/store"
				copyTree(t, dir, bad)
				changeCatalog(t, bad, func(db *kv.DB, b *kv.Batch) error { return change(b, firstKey(t, db, kind)) })
				rep := mustRepair(t, bad)
				if rep.Clean {
					t.Error("nobody noticed")
				}
				if len(rep.Recovered) > 0 {
					t.Errorf("lost names: %v", rep.Recovered)
				}
				right, lost := readRepaired(t, bad, want, rep)
				most := 0
				if kind == keyRow {
					most = 1
				}
				if lost > most || right != total(want)-lost {
					t.Errorf("%d right, %d lost: %+v", right, lost, rep)
				}
			})
		}
	}
}

// TestRepairStuck is what a damaged record of the catalog does to a store that goes on: a log that cannot be opened or deleted, a list of
// logs that stops, a trim that frees nothing. After a repair all of it works.
func TestRepairStuck(t *testing.T) {
	ctx := t.Context()
	dir, _ := agedStore(t)
	changeCatalog(t, dir, func(db *kv.DB, b *kv.Batch) error {
		return errors.Join(b.Set(nameKey("rows"), []byte{recordVersion}), b.Set(firstKey(t, db, keyRun), []byte{recordVersion}))
	})
	names := func(s *Store) (n int, err error) {
		for _, e := range s.Logs("") {
			if e != nil {
				return n, e
			}
			n++
		}
		return n, nil
	}
	s := mustOpen(t, dir, Options{})
	if _, err := s.Log("rows"); !errors.Is(err, ErrCorrupt) {
		t.Errorf("open: %v", err)
	}
	if n, err := names(s); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%d logs, %v", n, err)
	}
	mustClose(t, s)
	mustRepair(t, dir)
	s = mustOpen(t, dir, Options{})
	defer mustClose(t, s)
	if n, err := names(s); err != nil || n != 3 {
		t.Errorf("%d logs, %v", n, err)
	}
	if err := s.Delete(ctx, "rows"); err != nil {
		t.Error(err)
	}
	l := mustLogOf(t, s, "run")
	if err := l.Trim(ctx, l.Bounds().Next); err != nil {
		t.Error(err)
	}
	if err := errors.Join(s.Seal(ctx), s.Seal(ctx)); err != nil {
		t.Error(err)
	}
	if st := l.Stats(); st.Runs > 0 {
		t.Errorf("a trim leaves %d runs", st.Runs)
	}
}

// TestRepairNoCatalog takes away the whole catalog. Row files and journal say what there was.
func TestRepairNoCatalog(t *testing.T) {
	dir, want := agedStore(t)
	if err := os.RemoveAll(dir + "/" + catalogDir); err != nil {
		t.Fatal(err)
	}
	rep := mustRepair(t, dir)
	right, lost := readRepaired(t, dir, want, rep)
	if right < len(want["run"])*3/4 || right+lost != total(want) {
		t.Errorf("%d right, %d lost: %+v", right, lost, rep)
	}
	t.Logf("%d right, %d lost: %+v", right, lost, rep)
}

// TestRepairInterrupted goes on where a repair was cut short, around the two renames that put a new catalog in its place.
func TestRepairInterrupted(t *testing.T) {
	dir, want := agedStore(t)
	changeCatalog(t, dir, func(db *kv.DB, b *kv.Batch) error { return b.Set(firstKey(t, db, keyRun), []byte{recordVersion}) })
	mended := t.TempDir() + "/store"
	copyTree(t, dir, mended)
	r := repairer{fs: vfs.Default, dir: mended, o: Options{}.withDefaults()}
	if err := r.catalog(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, moved := range []bool{false, true} {
		bad := t.TempDir() + "/store"
		copyTree(t, dir, bad)
		copyTree(t, mended+"/"+catalogDir, bad+"/"+catalogDone)
		copyTree(t, mended+"/"+catalogDir, bad+"/"+catalogBegun)
		if moved {
			if err := os.Rename(bad+"/"+catalogDir, bad+"/gone"); err != nil {
				t.Fatal(err)
			}
		}
		rep := mustRepair(t, bad)
		for _, name := range []string{catalogBegun, catalogDone} {
			if _, err := os.Stat(bad + "/" + name); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is left: %v", name, err)
			}
		}
		if right, lost := readRepaired(t, bad, want, rep); lost > 0 || right != total(want) {
			t.Errorf("%d right, %d lost: %+v", right, lost, rep)
		}
	}
}

// TestRepairRefused calls it wrongly.
func TestRepairRefused(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir() + "/store"
	if _, err := Repair(ctx, dir, RepairOptions{}); !errors.Is(err, ErrFormat) {
		t.Errorf("nothing there: %v", err)
	}
	s := mustOpen(t, dir, Options{})
	for _, dry := range []bool{false, true} {
		if _, err := Repair(ctx, dir, RepairOptions{DryRun: dry}); !errors.Is(err, ErrLocked) {
			t.Errorf("open: %v", err)
		}
	}
	mustClose(t, s)
	if rep := mustRepair(t, dir); !rep.Clean {
		t.Errorf("%+v", rep)
	}
}

// TestRepairCompacted damages row files of a log that was compacted by key. What compaction took is no loss, what damage took is.
func TestRepairCompacted(t *testing.T) {
	ctx := t.Context()
	for at := 40; at < 4000; at += 390 {
		dir := t.TempDir() + "/store"
		s := mustOpen(t, dir, Options{RunEvents: 4, Compression: CompressNone})
		l, err := s.Create(ctx, "keyed", LogOptions{Compaction: Compaction{ByKey: true}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 300 {
			e := Entry{Key: fmt.Appendf(nil, "key %d", i%70), Payload: fmt.Appendf(nil, "%d %s", i, strings.Repeat("p", 30))}
			if _, err := l.Append(ctx, e, AppendOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Seal(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Compact(ctx); err != nil {
			t.Fatal(err)
		}
		before := map[Seq]string{}
		for ev, err := range l.Scan(ctx, 0, 300) {
			if err != nil {
				t.Fatal(err)
			}
			before[ev.Seq] = string(ev.Payload)
		}
		if len(before) != 70 {
			t.Fatalf("%d events after compaction", len(before))
		}
		mustClose(t, s)
		files, err := filepath.Glob(dir + "/" + rowsDir + "/*")
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		b, err := os.ReadFile(files[len(files)-1])
		if err != nil {
			t.Fatal(err)
		}
		b[at%len(b)] ^= 1
		if err := os.WriteFile(files[len(files)-1], b, 0o600); err != nil {
			t.Fatal(err)
		}
		rep := mustRepair(t, dir)
		s = mustOpen(t, dir, Options{ReadOnly: true})
		l = mustLogOf(t, s, "keyed")
		seen := 0
		for from := Seq(0); from < 300; {
			var gone *RangeLostError
			for ev, err := range l.Scan(ctx, from, 300) {
				if err != nil {
					if !errors.As(err, &gone) || gone.To <= from {
						t.Fatal(err)
					}
					break
				}
				if before[ev.Seq] != string(ev.Payload) {
					t.Errorf("harmed at %d: event %d is %q", at, ev.Seq, ev.Payload)
				}
				seen++
			}
			if gone == nil {
				break
			}
			from = gone.To
		}
		lost := 0
		for seq := range before {
			for _, r := range rep.Lost {
				if r.From <= seq && seq < r.To {
					lost++
				}
			}
		}
		if seen+lost != 70 || rep.Clean {
			t.Errorf("harmed at %d: %d events are there, %d lost: %+v", at, seen, lost, rep)
		}
		mustClose(t, s)
	}
}
