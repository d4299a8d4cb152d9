package planner

import (
	"path"
	"strings"

	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// lineageFunc binds lineage(log, seq …).
func (b *binder) lineageFunc(s *scope, ref *query.TableFunc) (node, error) {
	const name = "lineage"
	args, err := funcArgs(ref.Call, name, []string{"log", "seq", "direction", "depth", "parents", "within", "cycles"}, 2, nil)
	if err != nil {
		return nil, err
	}
	logName, base, err := b.lineageLog(args[0])
	if err != nil {
		return nil, err
	}
	l := &lineageSource{cat: b.cat, start: Link{Log: logName}, depth: -1, names: []string{logName}, sources: []Source{base}}
	seq, err := b.constant(args[1], "the sequence of lineage")
	if err != nil {
		return nil, err
	}
	switch {
	case seq.IsNull() && b.opts.Unbound:
	case seq.Kind() == query.KindInt && seq.Int() >= 0:
		l.start.Seq = seq.Int()
	case seq.Kind() == query.KindInt, seq.Kind() == query.KindBig:
		return nil, query.Errorf(args[1], query.CodeOutOfRange, "a sequence is from 0 to 2^63-1")
	default:
		return nil, query.Errorf(args[1], query.CodeType, "the sequence of lineage must be a BIGINT, not %s", seq.Kind().Type())
	}
	if args[3] != nil {
		if l.depth, err = b.count(args[3], "depth", -1); err != nil {
			return nil, err
		}
	}
	direction, err := b.oneOf(args[2], "direction", "back", "forward")
	if err != nil {
		return nil, err
	}
	cycles, err := b.oneOf(args[6], "cycles", "error", "stop")
	if err != nil {
		return nil, err
	}
	l.forward, l.stop = direction == "forward", cycles == "stop"
	if err := b.lineageParents(l, args[4], ref.Call); err != nil {
		return nil, err
	}
	if err := b.lineageWithin(l, args[5]); err != nil {
		return nil, err
	}
	// The past of the log is that of what is found, too.
	past := &scanNode{source: base, columns: base.Columns()}
	if err := b.restrict(past, ref); err != nil {
		return nil, err
	}
	if l.rng = past.rng; b.asof.set && b.asof.kind == query.AsOfSeq {
		if l.alone = true; len(l.names) > 1 {
			return nil, query.Errorf(args[5], query.CodeUnsupported, "AS OF SEQ reads one log only").WithHint("use AS OF TIMESTAMP")
		}
	}
	alias := ref.Alias
	saved := b.asof
	b.asof.set = false // it has been applied
	n, err := b.scan(s, ref, l, name, "", alias)
	b.asof = saved
	return n, err
}

// lineageLog finds the log that lineage starts in.
func (b *binder) lineageLog(e query.Expr) (string, Source, error) {
	ref, ok := b.tableArg(e).(*query.TableName)
	if !ok {
		return "", nil, query.Errorf(e, query.CodeSyntax, "lineage wants a log here").WithHint("%s", tableCall("lineage"))
	}
	t, err := b.lookup(ref)
	if err != nil {
		return "", nil, err
	}
	if b.rec != nil {
		b.rec.tables[ref] = t
	}
	if t.Kind != KindLog {
		return "", nil, query.Errorf(e, query.CodeType, "lineage wants a log, and %q is none", t.Name)
	}
	src, err := b.cat.Table(b.ctx, t)
	if err == nil && src == nil {
		err = query.Errorf(e, query.CodeUnknownTable, "table %q is gone", t.Name)
	}
	return t.Name, src, err
}

// lineageParents decides where the parents of an event are written.
func (b *binder) lineageParents(l *lineageSource, e query.Expr, call *query.Call) error {
	if e == nil {
		if _, ok := l.sources[0].(ParentSource); !ok {
			return query.Errorf(call, query.CodeSyntax, "lineage must be told where the parents of an event are").
				WithHint("parents => 'a.field' with sequences, or Options.Lineage")
		}
		return nil
	}
	v, err := b.constant(e, "parents")
	if err != nil {
		return err
	}
	if v.Kind() != query.KindText || v.Text() == "" {
		return query.Errorf(e, query.CodeType, "parents is the path of a field, such as 'cause.seq'")
	}
	l.path = strings.Split(v.Text(), ".")
	return nil
}

// lineageWithin adds the logs of a pattern to those that are looked through for children, and whose fields have names.
func (b *binder) lineageWithin(l *lineageSource, e query.Expr) error {
	if e == nil {
		return nil
	}
	v, err := b.constant(e, "within")
	if err != nil {
		return err
	}
	if v.Kind() != query.KindText {
		return query.Errorf(e, query.CodeType, "within is a pattern of logs, of type TEXT")
	}
	if _, err := path.Match(v.Text(), ""); err != nil {
		return query.Errorf(e, query.CodeBadValue, "pattern %q is not well-formed", v.Text())
	}
	all, err := b.allTables()
	if err != nil {
		return err
	}
	for _, t := range all {
		if t.Kind != KindLog || t.Name == l.start.Log || !MatchLog(v.Text(), t.Name) {
			continue
		}
		src, err := b.cat.Table(b.ctx, t)
		if err != nil {
			return err
		}
		if src != nil {
			l.names, l.sources = append(l.names, t.Name), append(l.sources, src)
		}
	}
	return nil
}

// oneOf evaluates an argument that is one of two words, the first if it is left out.
func (b *binder) oneOf(e query.Expr, what string, words ...string) (string, error) {
	if e == nil {
		return words[0], nil
	}
	v, err := b.constant(e, what)
	if err != nil {
		return "", err
	}
	for _, w := range words {
		if v.Kind() == query.KindText && strings.EqualFold(v.Text(), w) {
			return w, nil
		}
	}
	return "", query.Errorf(e, query.CodeBadValue, "%s is '%s' or '%s'", what, words[0], words[1])
}

// lineageColumns are the columns of lineage before those of the events.
var lineageColumns = [...]Column{
	{Name: "_log", Type: vector.Text, InStar: true},
	{Name: "_seq", Type: vector.Int, InStar: true},
	{Name: "depth", Type: vector.Int, InStar: true},
	{Name: "path", Type: vector.JSON, InStar: true},
	{Name: "found", Type: vector.Bool, InStar: true},
}

// The places of lineageColumns.
const (
	lineageLog = iota
	lineageSeq
	lineageDepth
	lineagePath
	lineageFound
)
