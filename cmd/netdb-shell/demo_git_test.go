package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseGitLog(t *testing.T) {
	text := "\x1eaa\x1f\x1f100\x1f101\x1fAda\x1ffirst: add\n" +
		"\n1\t0\tREADME.md\n10\t2\tcmd/x/main.GO\n-\t-\t\"caf\\303\\251 \\\"x\\\".png\"\n" +
		"\x1ebb\x1faa cc\x1f200\x1f201\x1fBob \xff\x1fmerge\x1fwith a separator\n" +
		"\x1ecc\x1faa\x1f300\x1f301\x1fAda\x1f\n\n0\t0\tdocs/.hidden\n"
	var got []demoCommit
	if err := parseGitLog(strings.NewReader(text), func(c demoCommit) error { got = append(got, c); return nil }); err != nil {
		t.Fatal(err)
	}
	p := func(n int64) *int64 { return &n }
	s := func(s string) *string { return &s }
	want := []demoCommit{
		{SHA: "aa", Author: "Ada", AuthorTS: 100, TS: 101, Files: 3, Ins: 11, Del: 2, Subject: "first: add", changes: []demoChange{
			{SHA: "aa", TS: 101, Path: "README.md", Dir: ".", Ext: s("md"), Ins: p(1), Del: p(0)},
			{SHA: "aa", TS: 101, Path: "cmd/x/main.GO", Dir: "cmd", Ext: s("go"), Ins: p(10), Del: p(2)},
			{SHA: "aa", TS: 101, Path: `café "x".png`, Dir: ".", Ext: s("png")},
		}},
		{SHA: "bb", Author: "Bob \ufffd", AuthorTS: 200, TS: 201, Parents: 2, Subject: "merge\x1fwith a separator"},
		{SHA: "cc", Author: "Ada", AuthorTS: 300, TS: 301, Parents: 1, Files: 1, changes: []demoChange{
			{SHA: "cc", TS: 301, Path: "docs/.hidden", Dir: "docs", Ext: s("hidden"), Ins: p(0), Del: p(0)},
		}},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(demoCommit{})); d != "" {
		t.Error(d)
	}
	stop := errors.New("stop")
	if err := parseGitLog(strings.NewReader(text), func(demoCommit) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of the caller: %v", err)
	}
	if err := parseGitLog(strings.NewReader("\x1ehalf a line"), func(demoCommit) error { return nil }); err == nil {
		t.Error("a malformed head is accepted")
	}
}

func TestGitHistoryWithoutRepository(t *testing.T) {
	t.Setenv("GIT_CEILING_DIRECTORIES", "/")
	if err := gitHistory(t.Context(), t.TempDir(), func(demoCommit) error { return nil }); err == nil {
		t.Error("a directory without a repository has a history")
	}
}

func TestGeneratedHistoryIsTheSameEachTime(t *testing.T) {
	var runs [2][]demoCommit
	for i := range runs {
		if err := generatedHistory(func(c demoCommit) error { runs[i] = append(runs[i], c); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if len(runs[0]) != 2000 || !cmp.Equal(runs[0], runs[1], cmp.AllowUnexported(demoCommit{})) {
		t.Errorf("%d commits, and not the same again", len(runs[0]))
	}
	seen := map[string]bool{}
	for _, c := range runs[0] {
		if seen[c.SHA] || len(c.SHA) != 40 || c.Files != len(c.changes) {
			t.Fatalf("commit %+v", c)
		}
		seen[c.SHA] = true
	}
}
