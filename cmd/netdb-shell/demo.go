package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

// The demo's logs. A frame holds demoBatch commits and all their changes, so that both logs are in step at every moment.
const (
	demoCommitsLog = "commits"
	demoChangesLog = "changes"
	demoBatch      = 100
)

// demoQuery is a question and its SQL.
type demoQuery struct{ title, sql string }

func demoQueries() []demoQuery {
	return []demoQuery{
		{"Who wrote most?", `SELECT author, count(*) AS commits, sum(ins) AS added, sum(del) AS removed
FROM commits GROUP BY author ORDER BY commits DESC, author LIMIT 5`},
		{"Which kinds of file change most?", `SELECT ext, count(*) AS changes, count(DISTINCT path) AS files, sum(ins) // count(ins) AS added_each
FROM changes GROUP BY ext ORDER BY changes DESC, ext LIMIT 5`},
		{"How large are commits?", `SELECT CASE WHEN parents > 1 THEN 'merge' WHEN files <= 1 THEN '1 file' WHEN files <= 5 THEN '2 to 5 files' ELSE 'more' END AS size,
       count(*) AS commits, max(ins + del) AS most_lines
FROM commits GROUP BY size ORDER BY commits DESC, size`},
		{"Who works where? (a join of two logs)", `SELECT c.author, x.dir, count(*) AS changes, sum(x.ins) AS added
FROM changes x JOIN commits c ON c.sha = x.sha
GROUP BY c.author, x.dir ORDER BY changes DESC, c.author, x.dir LIMIT 5`},
		{"Which files are touched again and again?", `SELECT path, count(*) AS times, sum(ins) - sum(del) AS grown_by
FROM changes WHERE ins IS NOT NULL GROUP BY path HAVING count(*) > 1 ORDER BY times DESC, path LIMIT 5`},
		{"What came last? (reads only the end of the log)", `SELECT _seq, author, files, subject FROM commits ORDER BY _seq DESC LIMIT 5`},
	}
}

// authorRow is one author in the demo's fold.
type authorRow struct {
	Commits, Lines int64
	Last           int64 // committer time of the newest commit, seconds since 1970
}

// authorState is the state of the demo's fold: a table that SQL sees as folds.authors.
type authorState struct {
	Authors fold.Table[string, authorRow]
}

// authorsFold is the whole of a fold: how an event changes state. The rest (following the log, checkpoints, waiting,
// recovery) is the database's.
func authorsFold() fold.Definition[authorState] {
	return fold.Definition[authorState]{
		Name: "authors",
		Logs: []string{demoCommitsLog},
		Fold: fold.Func[authorState](func(s *authorState, ev redex.Event) error {
			var c demoCommit
			if err := json.Unmarshal(ev.Payload, &c); err != nil {
				return fold.Undecodable(err)
			}
			row, _ := s.Authors.Get(c.Author)
			row.Commits++
			row.Lines += c.Ins + c.Del
			row.Last = max(row.Last, c.TS)
			s.Authors.Set(c.Author, row)
			return nil
		}),
		New: func() *authorState {
			return &authorState{fold.NewTable(fold.TableOptions[string, authorRow]{Columns: []fold.Column[string, authorRow]{
				{Name: "author", Type: fold.Text, Cell: func(k string, _ *authorRow) fold.Cell { return fold.TextCell(k) }},
				{Name: "commits", Type: fold.Int, Cell: func(_ string, v *authorRow) fold.Cell { return fold.IntCell(v.Commits) }},
				{Name: "lines", Type: fold.Int, Cell: func(_ string, v *authorRow) fold.Cell { return fold.IntCell(v.Lines) }},
				{Name: "last", Type: fold.Time, Cell: func(_ string, v *authorRow) fold.Cell { return fold.IntCell(v.Last * int64(time.Second)) }},
			}})}
		},
	}
}

// demo shows what the database does, on real events. Without dir it works in a temporary directory and removes it.
func (sh *shell) demo(ctx context.Context, dir string) (err error) {
	ctx, done := sh.signals.during(ctx)
	defer done()
	if sh.readonly {
		return usagef("the demo writes; it cannot be -readonly")
	}
	if !sh.modeGiven {
		sh.style.mode = "box"
	}
	keep := dir != ""
	if keep {
		if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
			return fmt.Errorf("%s is not empty; the demo makes a new store", dir)
		}
	}
	// The snapshot and its restore go beside the store, and go in any case.
	temp, err := os.MkdirTemp("", "netdb-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	if !keep {
		dir = filepath.Join(temp, "store")
	}

	began := time.Now()
	sh.db, err = netdb.Open(ctx, dir, netdb.Options{})
	if err != nil {
		return err
	}
	sh.dir = dir
	defer func() { err = errors.Join(err, sh.db.Close()) }()
	steps := []func(context.Context, string) error{sh.demoFill, sh.demoAsk, sh.demoFold, sh.demoWait, sh.demoSnapshot}
	for _, step := range steps {
		if err := step(ctx, temp); err != nil {
			return err
		}
	}
	sh.tell("Done in %s: filled two logs, asked six questions, kept a fold, waited for a write of its own,", shortDuration(time.Since(began)))
	sh.tell("took a snapshot and restored it.")
	if keep {
		sh.tell("The store stays in %s: netdb-shell %s", dir, dir)
	} else {
		sh.tell("Everything was in a temporary directory that is removed now; `netdb-shell demo DIR` keeps the store.")
	}
	return sh.out.Flush()
}

// tell writes a line of the demo's own words.
func (sh *shell) tell(format string, args ...any) {
	sh.out.Write(append(appendVisible(nil, fmt.Appendf(nil, format, args...)), '\n'))
}

func (sh *shell) heading(format string, args ...any) {
	sh.tell("")
	sh.tell("== "+format, args...)
}

// demoFill appends the history around the working directory, or a generated one.
func (sh *shell) demoFill(ctx context.Context, _ string) error {
	commits, err := sh.db.OpenLog(ctx, demoCommitsLog, redex.LogOptions{})
	if err != nil {
		return err
	}
	changes, err := sh.db.OpenLog(ctx, demoChangesLog, redex.LogOptions{})
	if err != nil {
		return err
	}
	began := time.Now()
	fill := &demoFiller{db: sh.db, commits: commits, changes: changes}
	add := func(c demoCommit) error { return fill.add(ctx, c) }
	var why error
	what := "the git history of this repository"
	if gerr := gitHistory(ctx, ".", add); gerr != nil || fill.total == 0 {
		if fill.total > 0 || ctx.Err() != nil {
			return errors.Join(gerr, ctx.Err()) // part of a history is in the logs
		}
		what = "generated commits, for there is no git history here"
		why = gerr
		if err := generatedHistory(add); err != nil {
			return err
		}
	}
	if err := fill.flush(ctx); err != nil {
		return err
	}
	took := time.Since(began)
	sh.heading("Events")
	sh.tell("Two logs, filled from %s: %s and %s", what, countOf(commits.Bounds().Len(), "commit"), countOf(changes.Bounds().Len(), "file change"))
	sh.tell("in %s, reading included. A commit and its changes are appended as one: both are there or neither.", shortDuration(took))
	if why != nil {
		sh.tell("Why there is no history: %v.", why)
	}
	return nil
}

// demoFiller appends commits and their changes in batches over both logs.
type demoFiller struct {
	db               *netdb.DB
	commits, changes *redex.Log
	batch            [2]redex.Batch
	total            int
}

func (f *demoFiller) add(ctx context.Context, c demoCommit) error {
	f.total++
	f.batch[0].Entries = append(f.batch[0].Entries, netdb.MustJSON(c))
	for _, ch := range c.changes {
		f.batch[1].Entries = append(f.batch[1].Entries, netdb.MustJSON(ch))
	}
	if len(f.batch[0].Entries) < demoBatch && len(f.batch[1].Entries) < 10*demoBatch {
		return nil
	}
	return f.flush(ctx)
}

func (f *demoFiller) flush(ctx context.Context) error {
	var batches []redex.Batch
	f.batch[0].Log, f.batch[1].Log = f.commits, f.changes
	for _, b := range f.batch {
		if len(b.Entries) > 0 {
			batches = append(batches, b)
		}
	}
	if len(batches) == 0 {
		return nil
	}
	_, err := f.db.Store().Append(ctx, batches, redex.AppendOptions{Durable: redex.DurableNo})
	f.batch[0].Entries, f.batch[1].Entries = f.batch[0].Entries[:0], f.batch[1].Entries[:0]
	return err
}

// demoAsk runs the six queries.
func (sh *shell) demoAsk(ctx context.Context, _ string) error {
	if err := sh.db.Sync(ctx); err != nil {
		return err
	}
	for i, q := range demoQueries() {
		sh.heading("Query %d: %s", i+1, q.title)
		if err := sh.demoRun(ctx, q.sql); err != nil {
			return err
		}
	}
	return nil
}

func (sh *shell) demoRun(ctx context.Context, sql string) error {
	for line := range strings.SplitSeq(sql, "\n") {
		sh.tell("   %s", line)
	}
	began := time.Now()
	if err := sh.query(ctx, sql); err != nil {
		return err
	}
	sh.tell("(%s)", shortDuration(time.Since(began)))
	return nil
}

// demoFold opens a fold over a log that is full already, and asks its table.
func (sh *shell) demoFold(ctx context.Context, _ string) error {
	began := time.Now()
	h, err := netdb.OpenFold(ctx, sh.db, authorsFold())
	if err != nil {
		return err
	}
	if err := h.CatchUp(ctx); err != nil {
		return err
	}
	sh.heading("A fold: state that follows a log")
	sh.tell("The fold `authors` keeps a row per author, changed by each event as it comes. It has read the log in %s.", shortDuration(time.Since(began)))
	sh.tell("Its table is queried like a log, and is there at once: nothing is scanned.")
	return sh.demoRun(ctx, "SELECT author, commits, lines, last FROM folds.authors ORDER BY lines DESC, author LIMIT 3")
}

// demoWait writes through a model and reads the write back.
func (sh *shell) demoWait(ctx context.Context, _ string) error {
	tasks, err := sh.db.Tasks(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	token, err := tasks.Create(ctx, 1, "read ARCHITECTURE.md", began.UnixNano())
	if err != nil {
		return err
	}
	written := time.Since(began)
	if err := sh.db.Wait(ctx, token); err != nil {
		return err
	}
	seen := time.Since(began)
	task, ok := tasks.FindUnique(1)
	if !ok {
		return errors.New("the task is not there after the wait")
	}
	sh.heading("A token: wait for a write of one's own")
	sh.tell("Created task %d %q: durable after %s, in the fold after %s.", task.ID, task.Title, shortDuration(written), shortDuration(seen))
	sh.tell("Its token is %s; whoever has it can wait for that write.", token)
	return nil
}

// demoSnapshot takes a snapshot of everything, restores it beside, and asks both the same.
func (sh *shell) demoSnapshot(ctx context.Context, temp string) error {
	file, dir := filepath.Join(temp, "demo.snapshot"), filepath.Join(temp, "restored")
	began := time.Now()
	info, size, err := writeSnapshot(ctx, sh.db, file, netdb.SnapshotOptions{Logs: []string{"**"}})
	if err != nil {
		return err
	}
	took := time.Since(began)
	began = time.Now()
	logs, events, err := restoreSnapshot(ctx, file, dir)
	if err != nil {
		return err
	}
	sh.heading("A snapshot and its restore")
	sh.tell("The snapshot holds %s, %s and %s at one moment: %s in %s.", countOf(int64(info.Logs), "log"), countOf(info.Events, "event"), countOf(int64(info.Folds), "fold"), byteSize(size), shortDuration(took))
	sh.tell("Restored into a new directory and verified in %s: %s with %s.", shortDuration(time.Since(began)), countOf(int64(logs), "log"), countOf(events, "event"))
	if events != info.Events {
		return fmt.Errorf("the restored store has %d events, the snapshot %d", events, info.Events)
	}
	copied, err := netdb.Open(ctx, dir, netdb.Options{Store: redex.Options{ReadOnly: true}})
	if err != nil {
		return err
	}
	return errors.Join(sh.demoCompare(ctx, copied), copied.Close())
}

// demoCompare asks the store and its copy the same question.
func (sh *shell) demoCompare(ctx context.Context, copied *netdb.DB) error {
	const sql = "SELECT count(*) AS changes, sum(ins) AS added FROM changes"
	type answer struct {
		Count int64  `netdb:"changes"`
		Sum   *int64 `netdb:"added"`
	}
	var answers [2]answer
	for i, db := range []*netdb.DB{sh.db, copied} {
		for a, err := range netdb.Select[answer](ctx, db, sql) {
			if err != nil {
				return err
			}
			answers[i] = a
		}
	}
	a, b := answers[0], answers[1]
	if a.Count != b.Count || (a.Sum == nil) != (b.Sum == nil) || a.Sum != nil && *a.Sum != *b.Sum {
		return fmt.Errorf("%s: the store answers %v, its copy %v", sql, a, b)
	}
	sh.tell("Both answer %q with the same.", sql)
	return nil
}
