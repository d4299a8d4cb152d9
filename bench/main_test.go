package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain lets the test binary be the child that measures or fills a store.
func TestMain(m *testing.M) {
	if what := os.Getenv(childVariable); what != "" {
		if err := runChild(context.Background(), what, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestReport measures a little of every kind of point and checks that each table has a figure for each contender in each row.
func TestReport(t *testing.T) {
	var out, progress bytes.Buffer
	args := []string{
		"-time", "2ms", "-bytes", "100000", "-warm", "1ms", "-warmbytes", "1000", "-events", "3000", "-sustained", "5ms", "-sustainedbytes", "500000", "-repeat", "1", "-dir", t.TempDir(),
		"-points", "never: x1, 256 B|interval: x1000, 32 B|always: x64, 1024 B|settling|8 goroutines.*(never|always)|latency.*never|of appends|read|reopen|delivery|logs of 5",
	}
	if err := run(t.Context(), args, &out, &progress); err != nil {
		t.Fatal(err)
	}
	if progress.Len() > 0 {
		t.Errorf("progress is no terminal, and was given %q", &progress)
	}
	tables := strings.Split(out.String(), "\n## ")
	if want := "# Measurements"; !strings.HasPrefix(tables[0], want) {
		t.Errorf("no %q in %q", want, tables[0])
	}
	if left := strings.Contains(tables[0], "Not measured: sqlite, cgo."); left != (cgoDriver == "") {
		t.Errorf("driver %q, but the report says %q", cgoDriver, tables[0])
	}
	for i, want := range []struct {
		table string
		among []contender
		rows  int
		none  string // rows that the floor has no figure in
	}{
		{"append, sync never", contenders(), 2, "^$"},
		{"append, sync interval", contenders(), 1, "^$"},
		{"append, sync always", stores(), 1, "^$"},
		{"settling, appends", contenders(), 6, "^$"},
		{"append, 8 goroutines", contenders(), 4, "^"},
		{"latency of one append", contenders(), 3, "^$"},
		{"5ms of appends, x64, 256 B, sync never\n", contenders(), 3, "written"},
		{"5ms of appends, x64, 256 B, sync never, 8000 logs", spreaders(), 3, "^$"},
		{"append to logs in turn", named(contenders(), "netdb", "pebble"), 2, "^$"},
		{"3 k logs of 5 events", named(contenders(), "netdb"), 5, "^$"},
		{"read 3 k", readers(), 6, "^$"},
		{"reopen with 3 k", stores(), 6, "^$"},
		{"delivery", tailers(), 4, "^$"},
	} {
		if i+1 >= len(tables) || !strings.HasPrefix(tables[i+1], want.table) {
			t.Errorf("no table %q in place %d", want.table, i)
			continue
		}
		checkTable(t, tables[i+1], want.among, want.rows, regexp.MustCompile(want.none))
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// checkTable checks that a table has its columns, and a figure of each store in every row. Excused are a floor in rows that none
// matches, a device in its row, as there may be none, and stages of settling after the first, which a slow machine does not reach.
func checkTable(t *testing.T, table string, among []contender, rows int, none *regexp.Regexp) {
	t.Helper()
	var names []string
	for _, c := range among {
		if !c.cgo || cgoDriver != "" {
			names = append(names, c.name)
		}
	}
	lines := strings.Split(strings.TrimSpace(table), "\n")[2:]
	if want := "| | | " + strings.Join(names, " | ") + " | ours"; !strings.HasPrefix(lines[0], want) {
		t.Errorf("head %q, want %q", lines[0], want)
	}
	for _, line := range lines[2:] {
		cells := strings.Split(line, " |")
		for i, name := range names {
			late := strings.HasSuffix(cells[0], "MiB") && !strings.HasPrefix(cells[0], "| 0 to ")
			excused := late || name == "copy+crc" && none.MatchString(cells[0][2:]) || strings.HasSuffix(cells[0], "device")
			if !strings.Contains(cells[2+i], "±") && !excused {
				t.Errorf("no figure of %s in %q", name, line)
			}
		}
	}
	if len(lines)-2 != rows {
		t.Errorf("%d rows, want %d, in\n%s", len(lines)-2, rows, table)
	}
}

// TestProgress checks that a terminal is told of progress. What is none gets nothing: TestReport checks that.
func TestProgress(t *testing.T) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err = errors.Join(err, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-time", "1ms", "-warm", "1ms", "-repeat", "1", "-dir", t.TempDir(), "-points", "never: x1, 32 B", "-stores", "copy"}
	// With nobody at the other end, a read that finds nothing fails instead of waiting.
	if err := errors.Join(run(t.Context(), args, io.Discard, slave), slave.Close()); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 1000)
	n, err := master.Read(got)
	if err != nil || !strings.Contains(string(got[:n]), "x1, 32 B · copy+crc · round 1 of 1") {
		t.Errorf("%q, %v", got[:n], err)
	}
	if file, err := os.Create(t.TempDir() + "/file"); err != nil || terminal(file) != io.Discard {
		t.Errorf("a file is taken for a terminal: %v", err)
	}
}

// TestChildFails checks that what went wrong in a child is said.
func TestChildFails(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		task task
		want string
	}{
		{task{Contender: "nobody"}, `no contender "nobody"`},
		{task{Contender: "netdb", Point: "nothing"}, `no point "nothing"`},
		{task{Contender: "netdb", Dir: "/dev/null"}, "/dev/null"},
	} {
		if m, err := runTask(t.Context(), self, c.task); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, %v", c.task, m, err)
		}
	}
}

// TestFailures checks that what fails is named and does not end the rest.
func TestFailures(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b := budget{Time: time.Millisecond, Bytes: 1000, Dir: t.TempDir()}
	one := func() []contender { return contenders()[1:2] }
	p := plan{
		points: append([]point{{table: "missing", rows: []row{{name: "point"}}, among: one}}, appendPoints(b)[0]),
		wanted: func(name string) bool { return name == "copy+crc" }, repeat: 1, budget: b, self: self,
	}
	var out strings.Builder
	err = p.measure(t.Context(), &out, io.Discard)
	if want := "missing: point, copy+crc, round 1"; err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(out.String(), "Failed: "+want) {
		t.Errorf("%v\n%s", err, &out)
	}
	if !strings.Contains(out.String(), "| x1, 32 B | ns/event |") {
		t.Errorf("nothing more was measured:\n%s", &out)
	}
}

func TestPayloads(t *testing.T) {
	for _, size := range []int{32, 256, 1024} {
		for _, p := range payloads(50, size) {
			if len(p) != size {
				t.Errorf("%d bytes, want %d", len(p), size)
			}
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in          []measurement
		mid, spread float64
	}{
		{[]measurement{{5}}, 5, 0},
		{[]measurement{{3}, {1}, {2}}, 2, 1},
		{[]measurement{{1}, {3}}, 2, 1},
		{[]measurement{{0}, {0}}, 0, 0},
		{[]measurement{{math.NaN()}, {4}}, 4, 0},
	} {
		if mid, spread := median(c.in, 0); mid != c.mid || spread != c.spread {
			t.Errorf("%v: %v %v", c.in, mid, spread)
		}
	}
	for in, want := range map[float64]string{0: "0.00", 1.234: "1.23", 57.26: "57.3", 123: "123", 1234: "1,234", 1234567: "1,234,567"} {
		if got := figure(in); got != want {
			t.Errorf("%v: %s, want %s", in, got, want)
		}
	}
}

// TestTable checks which way ratios go, and what is left out.
func TestTable(t *testing.T) {
	among := []contender{{name: "a", role: ours}, {name: "b", role: ours}, {name: "f", role: floor}, {name: "c"}, {name: "d"}, {name: "absent"}}
	all := []point{{table: "T", rows: []row{{name: "less", unit: "ns"}, {name: "more", unit: "k/s", more: true}, {name: "nothing", unit: "MiB"}}}}
	results := []samples{{
		"a": {{20, 5, 0}}, "b": {{10, 4, 0}}, "f": {{2, 40}}, "c": {{30, 2, 7}}, "d": {{40, 10, 0}},
	}}
	var out strings.Builder
	if err := writeTable(&out, all, results, among); err != nil {
		t.Fatal(err)
	}
	want := `
## T

| | | a | b | f | c | d | ours to best other | ours to floor |
|---|---|---:|---:|---:|---:|---:|---:|---:|
| less | ns | 20.0 ±0 % | 10.0 ±0 % | 2.00 ±0 % | 30.0 ±0 % | 40.0 ±0 % | **3.00** | 0.20 |
| more | k/s | 5.00 ±0 % | 4.00 ±0 % | 40.0 ±0 % | 2.00 ±0 % | 10.0 ±0 % | **0.50** | 0.12 |
| nothing | MiB | 0.00 ±0 % | 0.00 ±0 % | – | 7.00 ±0 % | 0.00 ±0 % | **–** | – |
`
	if got := out.String(); got != want {
		t.Errorf("got%s\nwant%s", got, want)
	}
}

func TestHistogram(t *testing.T) {
	last := -1
	for _, v := range []uint64{0, 1, 127, 128, 255, 256, 257, 1000, 123456, 1 << 32, math.MaxUint64} {
		class := histogramClass(v)
		low := histogramValue(class)
		if class < last || low > v || v-low > v/128 {
			t.Errorf("%d is in class %d after %d, which begins with %d", v, class, last, low)
		}
		last = class
	}
	var h, more histogram
	if h.quantile(0.5) != 0 {
		t.Error("a quantile of nothing")
	}
	for d := range 5 {
		h.add(time.Duration(d + 1))
		more.add(time.Duration(d + 6))
	}
	h.merge(&more)
	if a, b, c := h.quantile(0.5), h.quantile(0.999), h.quantile(0); a != 6 || b != 10 || c != 1 {
		t.Error(a, b, c)
	}
}

func TestCounters(t *testing.T) {
	file := t.TempDir() + "/status"
	if err := os.WriteFile(file, []byte("Name:\tx\nVmRSS:\t   1234 kB\nodd: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := procNumber(file, "VmRSS"); n != 1234 || err != nil {
		t.Error(n, err)
	}
	for _, field := range []string{"odd", "missing"} {
		if n, err := procNumber(file, field); err == nil {
			t.Errorf("%s is %v", field, n)
		}
	}
	hole := t.TempDir() + "/below"
	if err := errors.Join(os.Mkdir(hole, 0o700), os.WriteFile(hole+"/five", []byte("12345"), 0o600), os.WriteFile(hole+"/hole", nil, 0o600), os.Truncate(hole+"/hole", 1<<30)); err != nil {
		t.Fatal(err)
	}
	if n, err := dirBytes(hole + "/.."); n != 5 || err != nil {
		t.Error(n, err)
	}
	if w, err := writtenNow(hole); err != nil || w.process < 0 || w.device < 0 {
		t.Error(w, err)
	}
	if r, err := residentBytes(); err != nil || r < 1<<20 {
		t.Error(r, err)
	}
}

func TestFlags(t *testing.T) {
	var out, progress bytes.Buffer
	if err := run(t.Context(), []string{"-list"}, &out, &progress); err != nil || !strings.Contains(out.String(), "append, sync never: x1, 256 B\n") {
		t.Errorf("%v\n%s", err, out.String())
	}
	names := map[string]bool{}
	for line := range strings.Lines(out.String()) {
		if names[line] {
			t.Errorf("two points are named %s", line)
		}
		names[line] = true
	}
	if err := run(t.Context(), []string{"-nonsense"}, &out, &progress); !errors.Is(err, errUsage) {
		t.Error(err)
	}
	if err := run(t.Context(), []string{"-h"}, &out, &progress); !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
	for _, bad := range [][]string{{"-points", "("}, {"-stores", "("}, {"-points", "no such point"}, {"-repeat", "0"}, {"-cgo", "/dev/null"}} {
		if err := run(t.Context(), bad, &out, &progress); err == nil {
			t.Errorf("%v accepted", bad)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := checkBuild(self); (err == nil) != (cgoDriver != "") {
		t.Errorf("driver %q, but as one built with cgo this program is: %v", cgoDriver, err)
	}
}
