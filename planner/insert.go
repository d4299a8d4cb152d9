package planner

import (
	"errors"
	"strings"

	"github.com/seed69692123/netdb/internal/payload"
	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// TargetRole says what of an event a column of an INSERT becomes.
type TargetRole uint8

// The roles of a target.
const (
	TargetField   TargetRole = iota // a member of the payload
	TargetPayload                   // the whole payload
	TargetKind
	TargetOrigin
	TargetKey
)

// Target is what one column of an INSERT's rows becomes.
type Target struct {
	query.Span // of the name in the statement
	Role       TargetRole
	Path       []string // of a TargetField: the names from the payload's top down
}

// String returns the target as SQL names it.
func (t Target) String() string {
	switch t.Role {
	case TargetPayload:
		return "_payload"
	case TargetKind:
		return "_kind"
	case TargetOrigin:
		return "_origin"
	case TargetKey:
		return "_key"
	}
	if strings.HasPrefix(t.Path[0], "_") {
		return "_payload." + PathText(t.Path)
	}
	return PathText(t.Path)
}

// Insert is what a plan's rows are for: to become events of a log. The planner does not append.
type Insert struct {
	Log     string
	New     bool     // there was no log of that name at the catalog's cut
	Targets []Target // one for each column of the plan
}

// Insert returns what the plan's rows are to become, nil where they are the answer to a query or to EXPLAIN.
func (p *Plan) Insert() *Insert {
	if p.explain != nil {
		return nil
	}
	return p.insert
}

// detail says into what and which fields, for EXPLAIN.
func (ins *Insert) detail() string {
	names := make([]string, len(ins.Targets))
	for i, t := range ins.Targets {
		names[i] = t.String()
	}
	return query.QuoteIdent(ins.Log) + " (" + strings.Join(names, ", ") + ")"
}

// allLines are the lines of EXPLAIN: the plan, below what becomes of its rows.
func (p *Plan) allLines() []line {
	if p.insert == nil {
		return p.lines(p.root, "", "", nil)
	}
	info := p.root.common()
	return p.lines(p.root, "└─ ", "   ", []line{{"Insert " + p.insert.detail(), info.id, info.est}})
}

// insert binds an INSERT: its rows, and what their columns become.
func (b *binder) insert(s *query.Insert, p *Plan) (bound, error) {
	if p.explain != nil && p.explain.Analyze {
		return bound{}, query.Errorf(p.explain, query.CodeUnsupported, "EXPLAIN ANALYZE of INSERT is not supported: it would append").
			WithHint("EXPLAIN shows the plan without running it")
	}
	ins := &Insert{}
	if err := b.insertInto(s.Table, ins); err != nil {
		return bound{}, err
	}
	list, isValues := s.Source.Body.(*query.ValuesList)
	if isValues && s.Columns == nil {
		return bound{}, query.Errorf(s.Table, query.CodeSyntax, "INSERT of VALUES names no fields").
			WithHint("name them, since a log has no columns in an order of their own: INSERT INTO %s (a, b.c) VALUES …", s.Table)
	}
	for _, n := range s.Columns {
		t, err := target(n.Span, n.Parts)
		if err != nil {
			return bound{}, err
		}
		ins.Targets = append(ins.Targets, t)
	}
	var res bound
	var err error
	if q := s.Source; isValues && q.With == nil && q.OrderBy == nil && q.Limit == nil && q.Offset == nil && q.AsOf == nil {
		res, err = b.insertValues(list, ins.Targets)
	} else {
		res, err = b.query(q, nil)
	}
	if err != nil {
		return bound{}, err
	}
	if s.Columns == nil { // the names are those of the query
		for _, c := range res.cols {
			t, err := target(s.Source.Span, []query.Ident{{Name: c.name}})
			if err != nil {
				return bound{}, err
			}
			ins.Targets = append(ins.Targets, t)
		}
	}
	if len(res.cols) != len(ins.Targets) {
		return bound{}, query.Errorf(s.Source, query.CodeSyntax, "INSERT names %d columns and gives %d values", len(ins.Targets), len(res.cols))
	}
	if err := checkTargets(ins.Targets); err != nil {
		return bound{}, err
	}
	p.insert = ins
	return res, nil
}

// insertInto finds the log that a name means, by the rules of FROM; a name that means nothing is that of a new log.
func (b *binder) insertInto(ref *query.TableName, ins *Insert) error {
	t, err := b.lookup(ref)
	if err != nil {
		e, ok := errors.AsType[*query.Error](err)
		if !ok || e.Code != query.CodeUnknownTable {
			return err
		}
		name := ref.Parts[len(ref.Parts)-1]
		if len(ref.Parts) == 2 {
			if k, ok := schemaKind(ref.Parts[0]); ok && k != KindLog {
				return refuseInsert(ref, k)
			} else if !ok {
				return e
			}
		}
		if len(ref.Parts) > 2 {
			return e
		}
		ins.Log, ins.New = name.Name, true
		return nil
	}
	if t.Kind != KindLog {
		return refuseInsert(ref, t.Kind)
	}
	ins.Log = t.Name
	return nil
}

// refuseInsert is the error for what is no log.
func refuseInsert(ref *query.TableName, k TableKind) error {
	switch k {
	case KindFold:
		return query.Errorf(ref, query.CodeUnsupported, "a fold takes no INSERT: it is made of the events of its logs").
			WithHint("insert into the log that it follows")
	case KindView:
		return query.Errorf(ref, query.CodeUnsupported, "a view takes no INSERT").WithHint("insert into the log that it reads")
	}
	return query.Errorf(ref, query.CodeUnsupported, "a table of the system takes no INSERT").
		WithHint(`a log of that name is written logs."%s"`, clip(ref.Parts[len(ref.Parts)-1].Name))
}

// ownColumns are the columns of an event that are not in its payload, and what an INSERT makes of them.
var ownColumns = []struct {
	name string
	role TargetRole
	why  string // why it cannot be set
}{
	{"_payload", TargetPayload, ""},
	{"_kind", TargetKind, ""},
	{"_origin", TargetOrigin, ""},
	{"_key", TargetKey, ""},
	{"_seq", 0, "the log gives each event its sequence"},
	{"_ts", 0, "it is the time of arrival; a time of one's own is a field of the payload"},
	{"_size", 0, "it follows from the payload"},
	{"_encoding", 0, "it follows from the values"},
	{"_bytes", 0, "set the fields, or _payload"},
	{"_log", 0, "the log is named behind INTO"},
}

// target returns what a name in the list of an INSERT means.
func target(at query.Span, parts []query.Ident) (Target, error) {
	first := parts[0]
	t := Target{Span: at}
	if !strings.HasPrefix(first.Name, "_") {
		t.Path = identNames(parts)
		return t, checkPath(t)
	}
	for _, c := range ownColumns {
		if c.name != first.Name && (first.Quoted || !strings.EqualFold(c.name, first.Name)) {
			continue
		}
		switch {
		case c.why != "":
			e := query.Errorf(at, query.CodeUnsupported, "INSERT cannot set %s: %s", c.name, c.why)
			if c.name == "_seq" || c.name == "_ts" {
				return t, e.WithHint("* EXCLUDE (_seq, _ts) leaves both out")
			}
			return t, e
		case c.role == TargetPayload && len(parts) > 1:
			t.Path = identNames(parts[1:])
			return t, checkPath(t)
		case len(parts) > 1:
			return t, query.Errorf(at, query.CodeType, "%s has no fields", c.name)
		}
		t.Role = c.role
		return t, nil
	}
	return t, query.Errorf(at, query.CodeUnknownColumn, "an event has no column %s", clip(first.Name)).
		WithHint("_kind, _origin, _key and _payload can be set; a payload's own field of that name is _payload.%s", quoteName(clip(first.Name)))
}

// checkPath refuses a path that no payload can have.
func checkPath(t Target) error {
	if len(t.Path) >= payload.MaxDepth {
		return query.Errorf(t.Span, query.CodeTooDeep, "a payload is at most %d levels deep", payload.MaxDepth)
	}
	return nil
}

// checkTargets refuses targets that name the same thing, or a field and one inside it.
func checkTargets(ts []Target) error {
	type level struct {
		kids map[string]*level
		leaf bool
	}
	top := &level{kids: map[string]*level{}}
	var seen [TargetKey + 1]bool
	for _, t := range ts {
		if t.Role != TargetField {
			if seen[t.Role] {
				return query.Errorf(t.Span, query.CodeDuplicate, "INSERT names %s twice", t)
			}
			seen[t.Role] = true
			continue
		}
		at := top
		for i, name := range t.Path {
			if at.leaf {
				return query.Errorf(t.Span, query.CodeDuplicate, "INSERT sets %s, which is inside %s, and that too", t, PathText(t.Path[:i]))
			}
			if at.kids[name] == nil {
				at.kids[name] = &level{kids: map[string]*level{}}
			}
			at = at.kids[name]
		}
		switch {
		case at.leaf:
			return query.Errorf(t.Span, query.CodeDuplicate, "INSERT names %s twice", t)
		case len(at.kids) > 0:
			return query.Errorf(t.Span, query.CodeDuplicate, "INSERT sets %s, and something inside it too", t)
		}
		at.leaf = true
	}
	if len(top.kids) == 0 {
		return nil
	}
	for _, t := range ts {
		if t.Role == TargetPayload {
			return query.Errorf(t.Span, query.CodeDuplicate, "INSERT sets _payload, and fields in it too")
		}
	}
	return nil
}

// insertValues binds the VALUES of an INSERT. Unlike those of a query they need no common type: a field has none, so each value
// keeps its own.
func (b *binder) insertValues(list *query.ValuesList, ts []Target) (bound, error) {
	s := &scope{where: "VALUES"}
	n := &valuesNode{rows: make([][]exec.Expr, len(list.Rows)), note: "VALUES"}
	for i, r := range list.Rows {
		if len(r.Items) != len(ts) {
			return bound{}, query.Errorf(r, query.CodeSyntax, "INSERT names %d columns and gives %d values", len(ts), len(r.Items))
		}
		for k, item := range r.Items {
			x, err := b.expr(s, item)
			if err != nil {
				return bound{}, err
			}
			if ts[k].Role == TargetPayload && x.Type() == vector.Text {
				x = b.fold(&exec.Cast{Span: x.At(), X: x, To: vector.JSON})
			}
			n.rows[i] = append(n.rows[i], x)
		}
	}
	var out []outCol
	for k, t := range ts {
		typ := n.rows[0][k].Type()
		for _, r := range n.rows[1:] {
			if u := r[k].Type(); u != typ {
				typ = vector.Any
			}
		}
		if t.Role == TargetPayload {
			typ = vector.JSON
		}
		for _, r := range n.rows {
			if r[k].Type() != typ {
				r[k] = exec.NewWiden(r[k], typ)
			}
		}
		id := b.newColumn(t.String(), typ)
		n.ids = append(n.ids, id)
		out = append(out, outCol{t.String(), id})
	}
	return bound{n, out}, nil
}
