package redex

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed69692123/netdb/internal/simdisk"
	"github.com/seed69692123/netdb/redex/journal"
)

// TestBackupBusy makes backups of a store in which everything goes on, restores each, and finds the store as it was at its cut.
func TestBackupBusy(t *testing.T) {
	ctx := t.Context()
	base := t.TempDir()
	s := mustOpen(t, base+"/store", busyOptions())
	b := startBusy(t, s)
	var made []BackupInfo
	for i := range 5 {
		for s.Cut().Ordinal < Ordinal(400*(i+1)) {
			if err := s.Sync(ctx); err != nil {
				t.Fatal(err)
			}
		}
		info, err := s.Backup(ctx, base+"/backups", BackupOptions{Verify: i%2 == 1})
		if err != nil {
			t.Fatal(err)
		}
		if info.Number != uint64(i+1) || info.Store != s.ID() || info.NewBytes > info.Bytes {
			t.Errorf("%+v", info)
		}
		made = append(made, info)
	}
	b.end()
	epoch := s.Epoch()
	mustClose(t, s)
	if left, err := filepath.Glob(base + "/store/" + copyPrefix + "*"); err != nil || len(left) > 0 {
		t.Errorf("left in the store: %v, %v", left, err)
	}
	all, err := Backups(base + "/backups")
	if err != nil || len(all) != len(made) {
		t.Fatalf("%v, %v", all, err)
	}
	if rep, err := VerifyBackups(ctx, base+"/backups", 0); err != nil || len(rep.Damage) > 0 || rep.Points != len(made) {
		t.Errorf("%+v, %v", rep, err)
	}
	for i, p := range all {
		if p.Err != nil || p.Cut != made[i].Cut || p.Bytes != made[i].Bytes || p.Epoch != epoch {
			t.Errorf("%+v, made was %+v", p, made[i])
		}
		dir := fmt.Sprintf("%s/restored%d", base, i)
		if _, err := RestoreBackup(ctx, base+"/backups", p.Number, dir); err != nil {
			t.Fatal(err)
		}
		r := mustOpen(t, dir, Options{})
		if r.ID() != s.ID() || r.Epoch() != epoch+1 {
			t.Errorf("store %s in epoch %d", r.ID(), r.Epoch())
		}
		verifyBusy(t, r, p.Cut)
		mustClose(t, r)
	}
}

// TestBackupIncremental measures what backups copy. One of a store that has not changed copies nothing of it but what opening it wrote.
func TestBackupIncremental(t *testing.T) {
	ctx := t.Context()
	base := t.TempDir()
	s := mustOpen(t, base+"/store", Options{RunEvents: 20, SegmentBytes: 64 << 10, Compression: CompressNone, Sync: SyncPolicy{Mode: SyncNever}})
	defer mustClose(t, s)
	l := mustLog(t, s, "a")
	fill := func(n int) {
		t.Helper()
		for range n {
			mustAppend(t, l, fmt.Sprintf("%d %s", l.Bounds().Next, strings.Repeat("z", 1000)))
		}
		if err := s.Seal(ctx); err != nil {
			t.Fatal(err)
		}
	}
	backup := func() BackupInfo {
		t.Helper()
		info, err := s.Backup(ctx, base+"/backups", BackupOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	fill(2000)
	first := backup()
	if first.NewBytes < 2_000_000 || first.NewFiles == 0 {
		t.Errorf("the first backup of 2 MB copied %d bytes", first.NewBytes)
	}
	reads := countReads(s)
	second := backup()
	if second.NewBytes > 64<<10 || second.Bytes < first.Bytes {
		t.Errorf("of a store that is the same %d bytes are copied: %+v", second.NewBytes, second)
	}
	if n := reads(); n > 1<<20 {
		t.Errorf("%d bytes of row files are read again", n)
	}
	fill(100)
	third := backup()
	if third.NewBytes < 100_000 || third.NewBytes > 400_000 {
		t.Errorf("100 KB are new, %d bytes are copied", third.NewBytes)
	}
	t.Logf("bytes copied: %d, then %d of the same, then %d after 100 KB", first.NewBytes, second.NewBytes, third.NewBytes)

	pruned, err := PruneBackups(ctx, base+"/backups", 1)
	if err != nil || len(pruned.Points) != 2 || pruned.Bytes > 400_000 {
		t.Errorf("%+v, %v", pruned, err)
	}
	if all, err := Backups(base + "/backups"); err != nil || len(all) != 1 || all[0].Number != 3 {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := RestoreBackup(ctx, base+"/backups", 1, base+"/one"); !errors.Is(err, ErrNoBackup) {
		t.Errorf("restore of a point that was removed: %v", err)
	}
	if p, err := RestoreBackup(ctx, base+"/backups", 0, base+"/newest"); err != nil || p.Number != 3 {
		t.Errorf("%+v, %v", p, err)
	}
	r := mustOpen(t, base+"/newest", Options{ReadOnly: true})
	if n := mustLogOf(t, r, "a").Bounds().Next; n != 2100 {
		t.Errorf("%d events", n)
	}
	mustClose(t, r)
	if info := backup(); info.Number != 4 {
		t.Errorf("%+v", info)
	}
}

// countReads counts the bytes that are read of row files from now on.
func countReads(s *Store) func() int64 {
	c := &readCounter{FS: s.fs}
	before := s.fs
	s.fs = c
	return func() int64 {
		s.fs = before
		return c.n
	}
}

type readCounter struct {
	vfs.FS
	n int64
}

func (c *readCounter) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	f, err := c.FS.Open(name, o...)
	if err == nil && strings.HasSuffix(name, rowSuffix) {
		f = &countedFile{f, c}
	}
	return f, err
}

type countedFile struct {
	vfs.File
	c *readCounter
}

func (f *countedFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	f.c.n += int64(n)
	return n, err
}

// twoBackups makes two points, of which the second has all files of the first and more.
func twoBackups(t *testing.T) (base string) {
	t.Helper()
	ctx := t.Context()
	base = t.TempDir()
	s := mustOpen(t, base+"/store", Options{RunEvents: 4})
	defer mustClose(t, s)
	l := mustLog(t, s, "a")
	for i := range 40 {
		mustAppend(t, l, fmt.Sprint(i))
		if i%20 == 19 {
			if err := s.Seal(ctx); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Backup(ctx, base+"/backups", BackupOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return base
}

// TestBackupDamaged damages each file of a backup directory in turn. Points that need it cannot be restored, with an error that names it;
// all others can. A backup that verifies mends it while the store still has it.
func TestBackupDamaged(t *testing.T) {
	ctx := t.Context()
	base := twoBackups(t)
	var files []string
	err := filepath.WalkDir(base+"/backups", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != lockName {
			files = append(files, strings.TrimPrefix(path, base+"/backups/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	both := 0
	for _, file := range files {
		for how, harm := range map[string]func(string) error{
			"remove": os.Remove,
			"cut":    func(path string) error { return os.Truncate(path, 3) },
			"flip": func(path string) error {
				b, err := os.ReadFile(path)
				if len(b) == 0 {
					return err
				}
				b[len(b)/2] ^= 1
				return errors.Join(err, os.WriteFile(path, b, 0o600))
			},
		} {
			dest := t.TempDir() + "/backups"
			copyTree(t, base+"/backups", dest)
			if info, err := os.Stat(dest + "/" + file); err != nil || info.Size() == 0 && how != "remove" {
				continue
			}
			if err := harm(dest + "/" + file); err != nil {
				t.Fatal(err)
			}
			good := 0
			for n := uint64(1); n <= 2; n++ {
				dir := fmt.Sprintf("%s/restored%d", filepath.Dir(dest), n)
				_, err := RestoreBackup(ctx, dest, n, dir)
				if err == nil {
					good++
					r := mustOpen(t, dir, Options{})
					if next := mustLogOf(t, r, "a").Bounds().Next; next != Seq(20*n) {
						t.Errorf("%s %s: point %d has %d events", how, file, n, next)
					}
					if rep, err := r.Check(ctx); err != nil || len(rep.Damage) > 0 {
						t.Errorf("%s %s: %v, %v", how, file, rep.Damage, err)
					}
					mustClose(t, r)
					continue
				}
				c, ok := errors.AsType[*CorruptionError](err)
				if !(ok && c.File == dest+"/"+file) && !(how == "remove" && (errors.Is(err, ErrNoBackup) || file == backupName && errors.Is(err, ErrFormat))) {
					t.Errorf("%s %s: point %d: %v", how, file, n, err)
				}
				if left, err := os.ReadDir(filepath.Dir(dest)); err != nil || len(left) != 1+good {
					t.Errorf("%s %s: left behind %v, %v", how, file, left, err)
				}
			}
			if good == 2 {
				t.Errorf("%s %s: nobody noticed", how, file)
			}
			if file == backupName {
				continue
			}
			rep, err := VerifyBackups(ctx, dest, 0)
			if err != nil || len(rep.Damage) != 1 && how != "remove" || strings.HasPrefix(file, backupFiles) && len(rep.Damage) != 1 {
				t.Errorf("%s %s: verify: %+v, %v", how, file, rep, err)
				continue
			}
			if strings.HasPrefix(file, backupFiles) && good == 0 {
				both++
				if len(rep.Damage[0].Points) != 2 {
					t.Errorf("%s %s: %+v", how, file, rep.Damage)
				}
				s := mustOpen(t, base+"/store", Options{ReadOnly: true})
				if _, err := s.Backup(ctx, dest, BackupOptions{Verify: true}); err != nil {
					t.Errorf("%s %s: backup: %v", how, file, err)
				}
				mustClose(t, s)
				if rep, err := VerifyBackups(ctx, dest, 3); err != nil || len(rep.Damage) > 0 {
					t.Errorf("%s %s: a new backup does not have what is damaged: %+v, %v", how, file, rep, err)
				}
			}
			if strings.HasPrefix(file, backupPoints) && how != "remove" {
				if _, err := PruneBackups(ctx, dest, 2); !errors.Is(err, ErrCorrupt) {
					t.Errorf("%s %s: prune: %v", how, file, err)
				}
				if all, err := Backups(dest); err != nil || len(all) != 2 || (all[0].Err == nil) == (all[1].Err == nil) {
					t.Errorf("%s %s: list: %+v, %v", how, file, all, err)
				}
			}
		}
	}
	if both == 0 {
		t.Error("the two points share no file")
	}
}

// TestBackupRefused calls it wrongly.
func TestBackupRefused(t *testing.T) {
	ctx := t.Context()
	base := twoBackups(t)
	other := mustOpen(t, base+"/other", Options{})
	if _, err := other.Backup(ctx, base+"/backups", BackupOptions{}); !errors.Is(err, ErrForeign) {
		t.Errorf("of another store: %v", err)
	}
	if _, err := other.Backup(ctx, base+"/store", BackupOptions{}); !errors.Is(err, ErrFormat) {
		t.Errorf("to a store: %v", err)
	}
	if _, err := other.Backup(ctx, base+"/other/backups", BackupOptions{}); !errors.Is(err, ErrOptions) {
		t.Errorf("to the store's own directory: %v", err)
	}
	lock, err := lockBackup(vfs.Default, base+"/backups/"+lockName, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := PruneBackups(ctx, base+"/backups", 1); !errors.Is(err, ErrLocked) {
		t.Errorf("prune while it is read: %v", err)
	}
	if _, err := Backups(base + "/backups"); err != nil {
		t.Errorf("list while it is read: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := PruneBackups(ctx, base+"/backups", 0); !errors.Is(err, ErrOptions) {
		t.Errorf("keep nothing: %v", err)
	}
	if _, err := RestoreBackup(ctx, base+"/backups", 0, base+"/store"); !errors.Is(err, os.ErrExist) {
		t.Errorf("restore over a store: %v", err)
	}
	if _, err := Backups(base + "/nothing"); !errors.Is(err, ErrFormat) {
		t.Errorf("no backups: %v", err)
	}
	mustClose(t, other)
	if _, err := other.Backup(ctx, base+"/more", BackupOptions{}); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// simJournal reads the segments that a restore put on a simulated disk.
func simJournal(t *testing.T, files vfs.FS, dir string) journal.FS {
	t.Helper()
	mem := journal.MemFS()
	names, err := files.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		f, err := files.Open(dir + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		m, err := mem.Create(name, info.Size())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.ReadAt(m.Map(), 0); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Close(), m.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return mem
}

// verifySimBackups restores every point that is listed, and compares it with what was acknowledged.
func verifySimBackups(t *testing.T, what string, d *simdisk.Disk, atLeast int) {
	t.Helper()
	ctx := context.Background()
	files := d.VFS()
	all, err := backups(files, "/backups")
	if errors.Is(err, ErrFormat) && atLeast == 0 {
		return // there is none yet
	}
	if c, ok := errors.AsType[*CorruptionError](err); ok && c.File == "/backups/"+backupName && atLeast == 0 {
		return
	}
	if err != nil || len(all) < atLeast {
		t.Fatalf("%s: %d points, there were %d: %v", what, len(all), atLeast, err)
	}
	if rep, err := verifyBackups(ctx, files, "/backups", 0); err != nil || len(rep.Damage) > 0 {
		t.Fatalf("%s: %+v, %v", what, rep.Damage, err)
	}
	for _, p := range all {
		dir := fmt.Sprintf("/restored%d", p.Number)
		if _, err := restoreBackup(ctx, files, "/backups", p.Number, dir); err != nil {
			t.Fatalf("%s: point %d: %v", what, p.Number, err)
		}
		o := crashOptions(d)
		o.ReadOnly = true
		o.Disk.Journal = func(dir string) (journal.FS, error) { return simJournal(t, files, dir), nil }
		s, err := Open(ctx, dir, o)
		if err != nil {
			t.Fatalf("%s: point %d: %v", what, p.Number, err)
		}
		l := mustLogOf(t, s, "a")
		if want := Seq(10 * p.Number); l.Bounds().Next != want || s.Cut() != p.Cut {
			t.Errorf("%s: point %d has %d events up to %+v, not %d up to %+v", what, p.Number, l.Bounds().Next, s.Cut(), want, p.Cut)
		}
		for ev, err := range l.Scan(ctx, 0, l.Bounds().Next) {
			if err != nil || string(ev.Payload) != string(busyPayload("a", ev.Seq)) {
				t.Fatalf("%s: point %d: event %d is %q, %v", what, p.Number, ev.Seq, ev.Payload, err)
			}
		}
		mustClose(t, s)
		if err := files.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBackupCut cuts the power, kills the process or has an operation fail at each operation of the disk while backups are made and
// removed. Every point that is listed then can be restored, and none is missing that was acknowledged; the next backup works.
func TestBackupCut(t *testing.T) {
	ctx := context.Background()
	// run makes three backups and prunes, after arm, until the disk fails.
	run := func(t *testing.T, arm func(*simdisk.Disk)) (d *simdisk.Disk, acked int, pruned bool) {
		d = simdisk.New(7)
		s := mustOpen(t, "/store", crashOptions(d))
		l := mustLog(t, s, "a")
		begun := false
		defer func() { _ = s.Close() }() // its disk may be gone
		for range 3 {
			for range 10 {
				if _, err := l.Append(ctx, Entry{Payload: busyPayload("a", l.Bounds().Next)}, AppendOptions{}); err != nil {
					return d, acked, false
				}
			}
			if !begun {
				begun = true
				arm(d)
			}
			if acked != 1 {
				if err := s.Seal(ctx); err != nil {
					return d, acked, false
				}
			}
			if _, err := s.Backup(ctx, "/backups", BackupOptions{}); err != nil {
				return d, acked, false
			}
			acked++
		}
		if _, err := pruneBackups(ctx, d.VFS(), "/backups", 2); err != nil {
			return d, acked, false
		}
		return d, acked, true
	}
	var first, last int64
	d, acked, pruned := run(t, func(d *simdisk.Disk) { first = d.Ops() })
	last = d.Ops()
	if acked != 3 || !pruned {
		t.Fatalf("%d backups without a fault, pruned: %t", acked, pruned)
	}
	t.Logf("%d operations", last-first)
	step := int64(1) // all of them, with -redex.crashpoints=0
	if *crashPoints > 0 {
		step = max(1, (last-first)/int64(*crashPoints))
	}
	for op := first + 1; op < last; op += step {
		for how, arm := range map[string]func(*simdisk.Disk){
			"cut":  func(d *simdisk.Disk) { d.CutAt(op) },
			"kill": func(d *simdisk.Disk) { d.KillAt(op) },
			"fail": func(d *simdisk.Disk) { d.FailAt(op, simdisk.DiskFull) },
		} {
			what := fmt.Sprintf("%s at %d", how, op)
			d, acked, _ := run(t, arm)
			switch how {
			case "cut":
				d = d.Restart(uint64(op))
			case "kill":
				d = d.Kill(uint64(op))
			default:
				d.Mend() // a run may take fewer operations
			}
			atLeast := acked
			if acked == 3 {
				atLeast = 2 // it was being pruned
			}
			verifySimBackups(t, what, d, atLeast)
			if how == "fail" || t.Failed() {
				continue
			}
			// Whoever comes next is not hindered by what is left.
			o := crashOptions(d)
			s := mustOpen(t, "/store", o)
			l := mustLog(t, s, "a")
			all, err := backups(d.VFS(), "/backups")
			next := uint64(1)
			if err == nil && len(all) > 0 {
				next = all[len(all)-1].Number + 1
			}
			for l.Bounds().Next < Seq(10*next) {
				if _, err := l.Append(ctx, Entry{Payload: busyPayload("a", l.Bounds().Next)}, AppendOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			if l.Bounds().Next == Seq(10*next) {
				if info, err := s.Backup(ctx, "/backups", BackupOptions{}); err != nil || info.Number != next {
					t.Fatalf("%s: the next backup: %+v, %v", what, info, err)
				}
				d.Cut()
				_ = s.Close() // its disk is gone
				verifySimBackups(t, what+", and the next backup", d.Restart(1), int(min(next, 2)))
				continue
			}
			mustClose(t, s)
		}
		if t.Failed() {
			return
		}
	}
}

// FuzzPoint reads point files of anybody. None makes a restore write outside of its directory.
func FuzzPoint(f *testing.F) {
	p := &backupPoint{number: 3, epoch: 1, cut: Cut{7, 8}, list: []backupFile{{path: "catalog/x", size: 5}, {path: "rows/000000000001.rows", size: 9, head: "ab"}}}
	f.Add(p.encode())
	f.Add([]byte("netdb backup point\nformat 1\nend x\n"))
	bad := &backupPoint{number: 3, list: []backupFile{{path: "rows/../../x"}}}
	f.Add(bad.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodePoint(b)
		if err != nil {
			return
		}
		for _, file := range p.list {
			if dir, name, ok := strings.Cut(file.path, "/"); !ok || filepath.Join(dir, name) != file.path || strings.Contains(name, "/") || name == ".." {
				t.Errorf("path %q", file.path)
			}
		}
		if string(p.encode()) != string(b) && len(p.list) > 0 {
			q, err := decodePoint(p.encode())
			if err != nil || len(q.list) != len(p.list) || q.cut != p.cut {
				t.Errorf("%+v, %v", q, err)
			}
		}
	})
}

// TestPointPaths refuses a point that names files elsewhere, though its hash is right.
func TestPointPaths(t *testing.T) {
	for _, path := range []string{"rows/../x", "rows/..", "../x", "/etc/passwd", "rows/a/b", "blobs/x", "FORMAT", "rows/", `rows\x`, "rows/.x"} {
		p := &backupPoint{number: 1, list: []backupFile{{path: path}}}
		if _, err := decodePoint(p.encode()); err == nil {
			t.Errorf("%q is taken", path)
		}
	}
}

// TestBackupSpecification compares docs/format/backup.md with what is written.
func TestBackupSpecification(t *testing.T) {
	b, err := os.ReadFile("../docs/format/backup.md")
	if err != nil {
		t.Fatal(err)
	}
	words := func(text []byte) (out []string) {
		for line := range strings.Lines(string(text)) {
			first, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			out = append(out, "    "+first)
		}
		return out
	}
	p := &backupPoint{list: []backupFile{{path: "rows/x"}}}
	want := []string{
		fmt.Sprintf("format %d", backupVersion), fmt.Sprint(rowHeaderBytes, " bytes"), backupName, backupPoints + "/" + pointName(1), backupFiles + "/ab/ab12", backupNew + "/", checkpointName,
	}
	for _, w := range append(append(want, words(p.encode())...), words(encodeBackupName(StoreID{}))...) {
		if !strings.Contains(string(b), w) {
			t.Errorf("backup.md does not say %q", w)
		}
	}
}
