package netdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// foldSource is a fold's table as a table of queries: typed columns, rows in key order, one state for the whole query.
type foldSource struct {
	state fold.Frozen
	table fold.TableView
}

var _ planner.Positioned = (*foldSource)(nil)

// Title implements planner.Source.
func (s *foldSource) Title() string { return fmt.Sprintf("FoldScan %q", s.table.Name()) }

// Position implements planner.Positioned: log@sequence for each log, the first not yet folded.
func (s *foldSource) Position() string {
	var parts []string
	for _, m := range s.state.Marks() {
		parts = append(parts, fmt.Sprintf("%s@%d", m.Name, m.Next))
	}
	return strings.Join(parts, " ")
}

var foldTypes = map[fold.Type]vector.Type{
	fold.Bool: vector.Bool, fold.Int: vector.Int, fold.Float: vector.Float, fold.Text: vector.Text,
	fold.Bytes: vector.Blob, fold.Time: vector.Time, fold.JSON: vector.JSON,
}

// Columns implements planner.Source.
func (s *foldSource) Columns() []planner.Column {
	infos := s.table.Columns()
	out := make([]planner.Column, len(infos))
	for i, c := range infos {
		out[i] = planner.Column{Name: c.Name, Type: foldTypes[c.Type], InStar: true}
	}
	return out
}

// Fields implements planner.Source.
func (s *foldSource) Fields(context.Context, bool) (planner.Catalogue, error) {
	return planner.Catalogue{}, nil
}

// Estimate implements planner.Source.
func (s *foldSource) Estimate(context.Context, planner.Range) (planner.Estimate, error) {
	return planner.Estimate{Rows: int64(s.table.Len()), Exact: true}, nil
}

// Scan implements planner.Source.
func (s *foldSource) Scan(_ context.Context, r planner.Request) (planner.Iterator, error) {
	types := make([]fold.Type, len(r.Outputs))
	infos := s.table.Columns()
	for i, o := range r.Outputs {
		types[i] = infos[o.Column].Type
	}
	rows := s.table.Rows()
	fill := func(cols []*vector.Vector) (bool, error) {
		if !rows.Next() {
			return false, nil
		}
		for i, v := range cols {
			c := r.Outputs[i].Column
			if err := appendCell(v, types[i], rows.Cell(c)); err != nil {
				return false, doing(fmt.Sprintf("read column %q of fold table %q", infos[c].Name, s.table.Name()), err)
			}
		}
		return true, nil
	}
	return newRowIterator(s.Columns(), r, func() {}, fill), nil
}

func appendCell(v *vector.Vector, t fold.Type, c fold.Cell) error {
	switch {
	case c.Null:
		v.AppendNull()
	case t == fold.Bool:
		v.AppendBool(c.Int != 0)
	case t == fold.Int:
		v.AppendInt(c.Int)
	case t == fold.Time:
		v.AppendTime(c.Int)
	case t == fold.Float:
		v.AppendFloat(c.Float)
	case t == fold.Text:
		v.AppendText([]byte(c.Text))
	case t == fold.Bytes:
		v.AppendBlob([]byte(c.Text))
	default:
		return appendJSON(v, c.Text)
	}
	return nil
}

// appendJSON appends JSON text to a dynamic vector.
func appendJSON(v *vector.Vector, text string) error {
	if !json.Valid([]byte(text)) {
		return errors.New("malformed JSON")
	}
	exec.AppendValue(v, query.JSON(text))
	return nil
}
