package netdb_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/redex"
)

type commit struct {
	Seq    int64  `json:"seq"`
	Repo   string `json:"repo"`
	Sha    string `json:"sha"`
	TopDir any    `json:"top_dir"`
	Files  int64  `json:"files"`
	Ins    int64  `json:"ins"`
}

type change struct {
	Sha  string  `json:"sha"`
	Path string  `json:"path"`
	Ext  *string `json:"ext"`
	Ins  *int64  `json:"ins"`
}

// sampleLines returns the lines of a file of the sample data set, which lies beside the repository and is not part of it. Where
// it is missing, generated events of the same form take its place.
func sampleLines(t *testing.T, name string) [][]byte {
	t.Helper()
	path := filepath.Join("..", "shared", "data", "sample", name)
	f, err := os.Open(path)
	if err != nil {
		t.Logf("MISSING: the sample of real events (%v); generated events take its place", err)
		return generatedLines(name)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var lines [][]byte
	sc := bufio.NewScanner(z)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		lines = append(lines, slices.Clone(sc.Bytes()))
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// generatedLines returns 1,000 commits, every fifth a merge without changes, or the 0 to 9 changes of each.
func generatedLines(name string) [][]byte {
	exts := []string{`"go"`, `"md"`, `"py"`, "null"}
	var lines [][]byte
	for i := range 1000 {
		sha := fmt.Sprintf("%040x", i)
		files := (i % 5) * (i % 3)
		if name == "commits.jsonl.gz" {
			lines = append(lines, fmt.Appendf(nil, `{"seq":%d,"repo":"r%d","sha":"%s","files":%d,"ins":%d,"top_dir":null}`, i, i%4, sha, files, i))
			continue
		}
		for k := range files {
			ins := fmt.Sprint(i * k)
			if k == 7 {
				ins = "null"
			}
			lines = append(lines, fmt.Appendf(nil, `{"seq":%d,"sha":"%s","path":"p%d","ext":%s,"ins":%s}`, len(lines), sha, k, exts[(i+k)%4], ins))
		}
	}
	return lines
}

func importLines(t *testing.T, db *netdb.DB, name string, lines [][]byte) *redex.Log {
	t.Helper()
	ctx := t.Context()
	log, err := db.OpenLog(ctx, name, redex.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for chunk := range slices.Chunk(lines, 500) {
		batch := make([]redex.Entry, len(chunk))
		for i, line := range chunk {
			batch[i] = redex.Entry{Encoding: redex.JSON, Payload: line}
		}
		if _, err := log.AppendBatch(ctx, batch, redex.AppendOptions{Durable: redex.DurableNo}); err != nil {
			t.Fatal(err)
		}
	}
	return log
}

func decodeLines[T any](t *testing.T, lines [][]byte) []T {
	t.Helper()
	out := make([]T, len(lines))
	for i, line := range lines {
		if err := json.Unmarshal(line, &out[i]); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func collect[T any](t *testing.T, db *netdb.DB, sql string, args ...any) []T {
	t.Helper()
	var out []T
	for v, err := range netdb.Select[T](t.Context(), db, sql, args...) {
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		out = append(out, v)
	}
	return out
}

// TestSampleOfRealEvents imports real events and compares answers with what plain Go computes from the same lines, while the
// events are in the journal and after they were sealed.
func TestSampleOfRealEvents(t *testing.T) {
	commitLines, changeLines := sampleLines(t, "commits.jsonl.gz"), sampleLines(t, "changes.jsonl.gz")
	commits, changes := decodeLines[commit](t, commitLines), decodeLines[change](t, changeLines)
	db, err := netdb.Open(t.Context(), t.TempDir(), netdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	importLines(t, db, "commits", commitLines)
	importLines(t, db, "changes", changeLines)
	compareSample(t, db, commits, changes)
	if err := db.Store().Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	compareSample(t, db, commits, changes)
}

func compareSample(t *testing.T, db *netdb.DB, commits []commit, changes []change) {
	t.Helper()
	if diff := cmp.Diff([]int{len(commits)}, collect[int](t, db, `SELECT count(*) FROM commits`)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{len(changes)}, collect[int](t, db, `SELECT count(*) FROM changes`)); diff != "" {
		t.Error(diff)
	}

	type extRow struct {
		Ext      *string
		N, Total int64
	}
	sums := map[string]*extRow{}
	for _, c := range changes {
		k := "NULL"
		if c.Ext != nil {
			k = "." + *c.Ext
		}
		if sums[k] == nil {
			sums[k] = &extRow{Ext: c.Ext}
		}
		sums[k].N++
		if c.Ins != nil {
			sums[k].Total += *c.Ins
		}
	}
	var want []extRow
	for _, r := range sums {
		want = append(want, *r)
	}
	sort.Slice(want, func(i, j int) bool {
		a, b := want[i], want[j]
		switch {
		case a.N != b.N:
			return a.N > b.N
		case a.Ext == nil || b.Ext == nil:
			return b.Ext == nil && a.Ext != nil
		}
		return *a.Ext < *b.Ext
	})
	got := collect[extRow](t, db, `SELECT ext, count(*) AS n, coalesce(sum(ins), 0) AS total FROM changes GROUP BY ext ORDER BY n DESC, ext`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("grouped sum:", diff)
	}

	type repoRow struct {
		Repo string
		N    int64
		Ins  int64
	}
	repoOf := map[string]string{}
	for _, c := range commits {
		repoOf[c.Sha] = c.Repo
	}
	byRepo := map[string]*repoRow{}
	for _, c := range changes {
		repo, ok := repoOf[c.Sha]
		if !ok {
			t.Fatalf("change of unknown commit %s", c.Sha)
		}
		if byRepo[repo] == nil {
			byRepo[repo] = &repoRow{Repo: repo}
		}
		byRepo[repo].N++
		if c.Ins != nil {
			byRepo[repo].Ins += *c.Ins
		}
	}
	var wantRepos []repoRow
	for _, r := range byRepo {
		wantRepos = append(wantRepos, *r)
	}
	sort.Slice(wantRepos, func(i, j int) bool { return wantRepos[i].Repo < wantRepos[j].Repo })
	gotRepos := collect[repoRow](t, db, `SELECT c.repo, count(*) AS n, sum(x.ins) AS ins
		FROM changes x JOIN commits c ON x.sha = c.sha GROUP BY c.repo ORDER BY c.repo`)
	if diff := cmp.Diff(wantRepos, gotRepos); diff != "" {
		t.Error("join:", diff)
	}

	unmatched := 0
	changed := map[string]bool{}
	for _, c := range changes {
		changed[c.Sha] = true
	}
	for _, c := range commits {
		if !changed[c.Sha] {
			unmatched++
		}
	}
	gotUnmatched := collect[int](t, db, `SELECT count(*) FROM commits c LEFT JOIN changes x ON c.sha = x.sha WHERE x.sha IS NULL`)
	if diff := cmp.Diff([]int{unmatched}, gotUnmatched); diff != "" {
		t.Error("left join:", diff)
	}

	type latestRow struct {
		Seq int64 `netdb:"_seq"`
		Sha string
	}
	var latest []latestRow
	for i := len(commits) - 1; i >= len(commits)-10; i-- {
		latest = append(latest, latestRow{int64(i), commits[i].Sha})
	}
	if diff := cmp.Diff(latest, collect[latestRow](t, db, `SELECT _seq, sha FROM commits ORDER BY _seq DESC LIMIT 10`)); diff != "" {
		t.Error("latest ten:", diff)
	}
}
