package redex

import (
	"fmt"
	"strings"
	"testing"
)

// TestDamagedFileRecord damages the record of a row file in which several logs live: it is nonsense, missing, or says fewer runs
// than there are. The logs in the file, and all others, are read, trimmed, deleted and sealed as ever; the file stays, and Check
// tells why.
func TestDamagedFileRecord(t *testing.T) {
	ctx := t.Context()
	for how, value := range map[string][]byte{"nonsense": {255}, "missing": nil, "too few": (&fileRecord{bytes: 1, runs: 0}).encode()} {
		t.Run(how, func(t *testing.T) {
			dir := t.TempDir() + "/store"
			o := Options{RunEvents: 4, SealBytes: 1 << 20}
			s := mustOpen(t, dir, o)
			seal := func() {
				t.Helper()
				if err := s.Seal(ctx); err != nil {
					t.Fatal(err)
				}
			}
			for _, name := range []string{"trimmed", "deleted", "kept"} {
				mustAppend(t, mustLog(t, s, name), "0", "1", "2", "3", "4")
			}
			seal()
			_, run, ok, err := s.findRun(mustLog(t, s, "trimmed").id, 0)
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			b := s.kv.NewBatch()
			if value == nil {
				err = b.Delete(fileKey(run.file))
			} else {
				err = b.Set(fileKey(run.file), value)
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := s.kv.Apply(ctx, b); err != nil {
				t.Fatal(err)
			}
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			told := func() {
				t.Helper()
				rep, err := s.Check(ctx)
				if err != nil || len(rep.Damage) == 0 {
					t.Fatalf("check: %+v, %v", rep, err)
				}
				for _, d := range rep.Damage {
					if !named(d) || !strings.Contains(d.Error(), fmt.Sprintf("key %x", fileKey(run.file))) && !strings.Contains(d.Error(), "bytes, the catalog says") {
						t.Errorf("check: %v", d)
					}
				}
			}
			told()
			if err := mustLog(t, s, "trimmed").Trim(ctx, 5); err != nil {
				t.Fatal(err)
			}
			if err := s.Delete(ctx, "deleted"); err != nil {
				t.Fatal(err)
			}
			mustAppend(t, mustLog(t, s, "other"), "0", "1", "2", "3", "4")
			seal()
			if s.Metrics().UnsealedBytes != 0 {
				t.Error("not all is sealed")
			}
			told()
			mustClose(t, s)
			s = mustOpen(t, dir, o)
			told()
			for _, name := range []string{"kept", "other"} {
				for seq := range Seq(5) {
					if ev, err := mustLog(t, s, name).Read(ctx, seq); err != nil || string(ev.Payload) != fmt.Sprint(seq) {
						t.Errorf("log %q sequence %d: %q, %v", name, seq, ev.Payload, err)
					}
				}
			}
			mustClose(t, s)
		})
	}
}

// TestUnnamedFile has a pass cut short behind its row file: the file goes with the next open.
func TestUnnamedFile(t *testing.T) {
	dir := t.TempDir() + "/store"
	s := mustOpen(t, dir, Options{RunEvents: 4})
	mustAppend(t, mustLog(t, s, "a"), "0", "1", "2", "3", "4")
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := &pass{s: s, batch: s.kv.NewBatch(), files: map[uint64]fileChange{}}
	d := &sealedLog{log: mustLog(t, s, "a")}
	p.ev.Seq = 5
	if err := p.addRow(d, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.endRun(d); err != nil {
		t.Fatal(err)
	}
	if err := p.finishFile(); err != nil {
		t.Fatal(err)
	}
	left := p.n
	if err := p.batch.Close(); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	s = mustOpen(t, dir, Options{RunEvents: 4})
	defer mustClose(t, s)
	if _, err := s.fs.Stat(s.rows.path(left)); !isNotExist(err) {
		t.Errorf("the leftover is still there: %v", err)
	}
	if ev, err := mustLog(t, s, "a").Read(t.Context(), 4); err != nil || string(ev.Payload) != "4" {
		t.Errorf("%q, %v", ev.Payload, err)
	}
}
