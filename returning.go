package netdb

import (
	"context"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/seed69692123/netdb/internal/payload"
	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/logscan"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex"
)

// returned is the events of an INSERT as a table, for RETURNING. It is planned before anything is appended, so that a name which
// is not there appends nothing, and read afterwards.
type returned struct {
	log    string
	fields []planner.Field
	whole  bool // payloads come whole: their fields are not known beforehand

	entries []redex.Entry
	first   redex.Seq
	time    int64
}

var _ planner.Catalog = (*returned)(nil)

func newReturned(ins *planner.Insert) *returned {
	r := &returned{log: ins.Log}
	have := map[string]bool{}
	for _, t := range ins.Targets {
		r.whole = r.whole || t.Role == planner.TargetPayload
		for n := range t.Path {
			path := t.Path[: n+1 : n+1]
			if name := planner.PathText(path); !have[name] {
				have[name] = true
				r.fields = append(r.fields, planner.Field{Path: path, Type: vector.Any})
			}
		}
	}
	return r
}

// plan plans RETURNING. It takes names only: an expression could fail when the events are there already.
func (r *returned) plan(ctx context.Context, s *query.Insert, o planner.Options) (*planner.Plan, error) {
	for _, it := range s.Returning {
		switch it.Expr.(type) {
		case *query.Name, *query.Star:
		default:
			return nil, query.Errorf(it.Expr, query.CodeUnsupported, "RETURNING gives columns only").
				WithHint("name what the expression needs, and compute with that").In(o.Text)
		}
	}
	name := &query.TableName{Parts: []query.Ident{{Name: planner.KindLog.String()}, {Name: r.log, Quoted: true}}}
	block := &query.Block{Items: s.Returning, From: []query.TableRef{name}}
	return planner.Make(ctx, r, &query.Query{Body: block}, planner.Options{Text: o.Text, Zone: o.Zone, Now: o.Now})
}

// Tables implements planner.Catalog.
func (r *returned) Tables(context.Context) ([]planner.TableName, error) {
	return []planner.TableName{{Kind: planner.KindLog, Name: r.log}}, nil
}

// Has implements planner.Catalog.
func (r *returned) Has(_ context.Context, t planner.TableName) (bool, error) {
	return t == planner.TableName{Kind: planner.KindLog, Name: r.log}, nil
}

// Table implements planner.Catalog.
func (r *returned) Table(context.Context, planner.TableName) (planner.Source, error) {
	return (*returnedSource)(r), nil
}

// returnedSource is the table.
type returnedSource returned

// Title implements planner.Source.
func (r *returnedSource) Title() string { return fmt.Sprintf("Inserted %q", r.log) }

// Columns implements planner.Source.
func (r *returnedSource) Columns() []planner.Column { return logscan.Columns() }

// Fields implements planner.Source.
func (r *returnedSource) Fields(context.Context, bool) (planner.Catalogue, error) {
	fields := slices.Clone(r.fields)
	for i := range fields {
		fields[i].Type = r.typeOf(fields[i].Path)
	}
	return planner.Catalogue{Fields: fields, Open: r.whole}, nil
}

// typeOf returns the type that all values of a field have, as in a field catalogue.
func (r *returnedSource) typeOf(path []string) vector.Type {
	out, have := vector.Any, false
	for i := range r.entries {
		t := fieldTypes[fieldOf(&r.entries[i], path).Kind()]
		switch {
		case t == vector.Any: // NULL, or nothing with a type of its own
		case !have:
			out, have = t, true
		case t == out:
		case (t == vector.Int || t == vector.Float) && (out == vector.Int || out == vector.Float):
			out = vector.Float
		default:
			return vector.Any
		}
	}
	return out
}

var fieldTypes = map[query.Kind]vector.Type{
	query.KindBool: vector.Bool, query.KindInt: vector.Int, query.KindDouble: vector.Float, query.KindText: vector.Text,
	query.KindBlob: vector.Blob, query.KindTime: vector.Time, query.KindJSON: vector.JSON,
}

// Estimate implements planner.Source.
func (r *returnedSource) Estimate(context.Context, planner.Range) (planner.Estimate, error) {
	return planner.Estimate{Rows: int64(len(r.entries))}, nil
}

// Scan implements planner.Source.
func (r *returnedSource) Scan(_ context.Context, req planner.Request) (planner.Iterator, error) {
	columns := r.Columns()
	at := 0
	return newRowIterator(columns, req, func() {}, func(cols []*vector.Vector) (bool, error) {
		if at == len(r.entries) {
			return false, nil
		}
		e := &r.entries[at]
		for i, o := range req.Outputs {
			if o.Column >= 0 {
				exec.AppendValue(cols[i], r.own(e, columns[o.Column].Name, at))
			} else {
				exec.AppendValue(cols[i], fieldOf(e, o.Path))
			}
		}
		at++
		return true, nil
	}), nil
}

// own returns the value of a column that is not in the payload.
func (r *returnedSource) own(e *redex.Entry, name string, at int) query.Value {
	switch name {
	case "_seq":
		return query.Int(int64(r.first) + int64(at))
	case "_ts":
		return query.Nanos(r.time)
	case "_size":
		return query.Int(int64(len(e.Payload)))
	case "_origin":
		return query.Text(e.Origin.String())
	case "_kind":
		return query.Int(int64(e.Kind))
	case "_encoding":
		return query.Text(e.Encoding.String())
	case "_key":
		switch {
		case len(e.Key) == 0:
			return query.Null()
		case utf8.Valid(e.Key):
			return query.Text(string(e.Key))
		}
		return query.Blob(e.Key)
	case "_payload":
		return jsonValue(top(e))
	case "_bytes":
		return query.Blob(e.Payload)
	}
	return query.Null()
}

func top(e *redex.Entry) payload.Value {
	f := payload.JSON
	if e.Encoding == redex.Msgpack {
		f = payload.Msgpack
	}
	return payload.Top(f, e.Payload)
}

// fieldOf returns a field of a payload.
func fieldOf(e *redex.Entry, path []string) query.Value {
	v := top(e)
	for _, name := range path {
		v = payload.Lookup(v, []byte(name))
	}
	switch v.Class {
	case payload.Bool:
		return query.Bool(v.Bits != 0)
	case payload.Int:
		return query.Int(v.Int())
	case payload.Float:
		return query.Double(v.Float())
	case payload.Text:
		return query.Text(string(v.AppendBytes(nil)))
	case payload.Blob:
		return query.Blob(v.AppendBytes(nil))
	case payload.Time:
		return query.Nanos(v.Int())
	case payload.Missing:
		return query.Null()
	}
	return jsonValue(v)
}

func jsonValue(v payload.Value) query.Value { return query.JSON(string(v.AppendJSON(nil))) }
