package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex"
)

// shell runs statements on one open database. It is used by one goroutine.
type shell struct {
	db       *netdb.DB
	dir      string // empty: in memory
	readonly bool
	prompt   bool // a person types: go on after errors, make remarks

	in        *feed
	out       *bufio.Writer
	raw       *stickyWriter // below out
	err       io.Writer
	style     outputStyle
	timer     bool
	modeGiven bool // by a flag
	signals   *interrupts

	stdinScript bool // in is the script that runs, or a person's keyboard

	followed bool // the last command followed a log until Ctrl-C, which is how that ends

	token   fold.WriteToken // of the last write
	reading []string        // files that .read is inside of
	quit    bool
}

// placed is an error with the place of its statement in a script.
type placed struct {
	script string // empty: no script
	line   int
	before string // what stands before the statement on that line
	err    error
}

func (e *placed) Error() string { return e.err.Error() }
func (e *placed) Unwrap() error { return e.err }

// errSaid ends a command whose fault has been written already.
var errSaid = errors.New("failed")

// open opens the database the invocation names.
func (sh *shell) open(ctx context.Context, dir string) error {
	o := netdb.Options{Store: redex.Options{ReadOnly: sh.readonly}}
	if dir == "" {
		db, err := netdb.OpenMemory(ctx, o)
		sh.db = db
		return err
	}
	_, err := os.Stat(dir)
	fresh := errors.Is(err, os.ErrNotExist)
	if fresh && sh.readonly {
		return fmt.Errorf("open %s: no such store, and -readonly makes none", dir)
	}
	db, err := netdb.Open(ctx, dir, o)
	if err != nil {
		if !strings.Contains(err.Error(), dir) {
			err = fmt.Errorf("open %s: %w", dir, err)
		}
		return err
	}
	sh.db, sh.dir = db, dir
	if fresh && sh.prompt {
		sh.remark("made a new store in %s", dir)
	}
	sh.tellRecovery()
	return sh.openModels(ctx)
}

// tellRecovery says what opening found after the last writer, when a person should know.
func (sh *shell) tellRecovery() {
	r := sh.db.Store().Recovery()
	if r.MayHaveLost {
		sh.remark("the newest events may be lost, because the system stopped or its disk failed; epoch %d begins", sh.db.Store().Epoch())
	}
	for _, d := range r.Damage {
		sh.remark("damage: %v", d)
	}
}

// openModels opens the models whose logs are there, so that their tables can be queried.
func (sh *shell) openModels(ctx context.Context) error {
	for _, m := range []struct {
		log  string
		open func(context.Context) error
	}{
		{tasksLog, func(ctx context.Context) error { _, err := sh.db.Tasks(ctx); return err }},
		{memoriesLog, func(ctx context.Context) error { _, err := sh.db.Memories(ctx); return err }},
	} {
		if _, err := sh.db.Log(m.log); err != nil {
			continue
		}
		if err := m.open(ctx); err != nil {
			// The logs can still be read, and perhaps mended.
			sh.remark("the model of log %s cannot be opened: %v", m.log, err)
		}
	}
	return nil
}

// remark tells something that is no result.
func (sh *shell) remark(format string, args ...any) {
	sh.out.Flush()
	sh.say("", fmt.Sprintf(format, args...))
}

// say writes lines to the standard error so that nothing in them drives a terminal.
func (sh *shell) say(prefix, text string) {
	var b []byte
	for i, line := range strings.Split(text, "\n") {
		if i == 0 {
			b = append(b, prefix...)
		}
		for j, part := range strings.Split(line, "\t") { // the tabs of a caret line stay
			if j > 0 {
				b = append(b, '\t')
			}
			b = appendVisible(b, []byte(part))
		}
		b = append(b, '\n')
	}
	sh.err.Write(b)
}

// fail says what went wrong.
func (sh *shell) fail(err error) {
	sh.out.Flush()
	prefix := "netdb-shell: "
	if p, ok := errors.AsType[*placed](err); ok && p.script != "" {
		prefix += p.script + ": "
		if _, sql := errors.AsType[*query.Error](err); !sql {
			prefix += fmt.Sprintf("line %d: ", p.line)
		}
	}
	switch {
	case errors.Is(err, errSaid):
	case errors.Is(err, context.Canceled):
		sh.say(prefix, "interrupted")
	default:
		sh.say(prefix, describe(err))
	}
}

// describe returns an error for people: with the place in the statement if it has one.
func describe(err error) string {
	p, _ := errors.AsType[*placed](err)
	e, ok := errors.AsType[*query.Error](err)
	if !ok {
		return err.Error()
	}
	moved := *e
	if p != nil && p.line > 0 && moved.Line > 0 {
		if moved.Line == 1 {
			moved.Col += utf8.RuneCountInString(p.before)
			moved.Source = p.before + moved.Source
		}
		moved.Line += p.line - 1
	}
	return moved.Detail()
}

// exitCode is what a command that ended with err exits with.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return 2
	}
	return 1
}

// run runs one statement. On a terminal its errors are told and forgotten.
func (sh *shell) run(ctx context.Context, st statement, script string) error {
	ctx, done := sh.signals.during(ctx)
	sh.followed = false
	var err error
	if st.command {
		err = sh.command(ctx, &words{line: st.text})
	} else {
		err = sh.query(ctx, st.text)
	}
	// A script ends with a Ctrl-C that came when its statement was as good as over, too.
	if asked := done(); err == nil && asked && !sh.prompt && !sh.followed {
		err = context.Canceled
	}
	if err == nil {
		err = sh.raw.err
	}
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*placed](err); !ok { // the innermost place is the one to tell
		err = &placed{script, st.line, st.before, err}
	}
	return err
}

// text runs a text of statements up to its first error.
func (sh *shell) text(ctx context.Context, text string) error {
	for _, st := range split(text) {
		if sh.quit {
			return nil
		}
		if err := sh.run(ctx, st, ""); err != nil {
			return err
		}
	}
	return nil
}

// script runs the statements of a reader up to the first error.
func (sh *shell) script(ctx context.Context, r io.Reader, name string) error {
	err := eachStatement(r, func(st statement) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if sh.quit {
			return io.EOF
		}
		return sh.run(ctx, st, name)
	})
	if _, ran := errors.AsType[*placed](err); err == nil || ran || errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%s: %w", name, err) // it could not be read
}

// read runs the script in a file.
func (sh *shell) read(ctx context.Context, name string) error {
	full, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	if slices.Contains(sh.reading, full) {
		return fmt.Errorf("%s reads itself", name)
	}
	f, err := openInput(ctx, name)
	if err != nil {
		return err
	}
	defer f.Close()
	sh.reading = append(sh.reading, full)
	defer func() { sh.reading = sh.reading[:len(sh.reading)-1] }()
	return ignoreEOF(sh.script(ctx, f, name))
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// query runs SQL and writes its rows as they come.
func (sh *shell) query(ctx context.Context, text string) error {
	began := time.Now()
	rows, err := sh.db.Query(ctx, text)
	if err != nil {
		return err
	}
	defer rows.Close()
	if done := rows.Result(); done.Log != "" {
		if !done.Token.IsZero() {
			sh.token = done.Token
		}
		if len(rows.Columns()) == 0 {
			return sh.inserted(done, time.Since(began))
		}
	}
	if len(rows.Columns()) == 0 { // it defined something
		for rows.Next() {
			continue
		}
		if sh.timer && rows.Err() == nil {
			sh.remark("done in %s", shortDuration(time.Since(began)))
		}
		return rows.Err()
	}
	names := make([]string, 0, len(rows.Columns()))
	for _, c := range rows.Columns() {
		names = append(names, c.Name)
	}
	res := sh.result(names...)
	var r row
	var count int64
	var first time.Duration
	for rows.Next() {
		if count++; count == 1 {
			first = time.Since(began)
		}
		r.reset()
		for _, v := range rows.Values() {
			addValue(&r, v)
		}
		if err := res.row(&r); err != nil {
			return err
		}
		if sh.raw.err != nil { // nobody reads any more
			return sh.raw.err
		}
	}
	// Rows that came before an error are shown: they tell where it is.
	if err := res.end(rows.Err()); err != nil {
		return err
	}
	took := time.Since(began)
	if sh.style.mode == "box" && sh.prompt {
		sh.remark("%s", countOf(count, "row"))
	}
	if b, ok := res.out.(*boxWriter); ok && b.cut && sh.prompt {
		sh.remark("some values are cut; .mode line shows them whole")
	}
	if sh.timer {
		sh.remark("%s in %s, the first after %s", countOf(count, "row"), shortDuration(took), shortDuration(first))
	}
	return nil
}

// inserted tells what an INSERT appended.
func (sh *shell) inserted(r netdb.Result, took time.Duration) error {
	err := sh.table([]string{"log", "events", "first", "last", "token"}, func(add func(...any) error) error {
		if r.Count == 0 {
			return add(r.Log, 0, nil, nil, nil)
		}
		return add(r.Log, r.Count, uint64(r.First), uint64(r.Last), r.Token.String())
	})
	if err == nil && (sh.prompt || sh.timer) {
		sh.remark("%s in %s", countOf(r.Count, "event"), shortDuration(took))
	}
	return err
}

// countOf writes "1 row", "2 rows".
func countOf(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(n) + " " + noun + "s"
}

// addValue adds a value to a row.
func addValue(r *row, v query.Value) {
	k := kindText
	switch v.Kind() {
	case query.KindNull:
		r.null()
		return
	case query.KindBool:
		k = kindBool
	case query.KindInt, query.KindBig, query.KindDecimal:
		k = kindNumber
	case query.KindDouble:
		if f := v.Double(); f-f == 0 { // neither NaN nor infinite
			k = kindNumber
		}
	case query.KindJSON:
		k = kindJSON
	}
	r.buf = v.AppendText(r.buf, nil)
	r.add(k)
}

// table writes rows that are no query's.
func (sh *shell) table(columns []string, each func(add func(values ...any) error) error) error {
	res := sh.result(columns...)
	var r row
	err := each(func(values ...any) error {
		r.reset()
		for _, v := range values {
			addAny(&r, v)
		}
		return res.row(&r)
	})
	return res.end(err)
}

// addAny adds one of the few Go types that the shell's own tables use.
func addAny(r *row, v any) {
	switch v := v.(type) {
	case nil:
		r.null()
	case bool:
		addValue(r, query.Bool(v))
	case int:
		addValue(r, query.Int(int64(v)))
	case int64:
		addValue(r, query.Int(v))
	case uint64:
		addValue(r, query.Int(int64(min(v, 1<<63-1))))
	case float64:
		addValue(r, query.Double(v))
	case time.Time:
		addValue(r, query.Nanos(v.UnixNano()))
	case query.Value:
		addValue(r, v)
	default:
		r.text(fmt.Sprint(v))
	}
}
