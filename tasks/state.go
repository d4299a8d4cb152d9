package tasks

import (
	"strings"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

// row is a task as the table keeps it.
type row struct {
	Task
	lower string // Title in lower case
}

type table = fold.Table[uint64, row]

// model is the state's shape: its indexes, and how events change it.
type model struct {
	status  *fold.BitmapIndex[uint64, row, Status]
	created *fold.OrderedIndex[uint64, row, int64]
	updated *fold.OrderedIndex[uint64, row, int64]
}

func newModel() *model {
	return &model{
		status:  fold.FewValued("status", func(_ uint64, r *row) Status { return r.Status }),
		created: fold.Ordered("created", func(_ uint64, r *row) int64 { return r.Created }),
		updated: fold.Ordered("updated", func(_ uint64, r *row) int64 { return r.Updated }),
	}
}

func (m *model) newTable() *table {
	t := fold.NewTable(fold.TableOptions[uint64, row]{
		Indexes: []fold.Index[uint64, row]{m.status, m.created, m.updated},
		Derive:  func(_ uint64, r *row) { r.lower = strings.ToLower(r.Title) },
		Columns: []fold.Column[uint64, row]{
			{Name: "id", Type: fold.Int, Cell: func(id uint64, _ *row) fold.Cell { return fold.IntCell(int64(id)) }},
			{Name: "title", Type: fold.Text, Cell: func(_ uint64, r *row) fold.Cell { return fold.TextCell(r.Title) }},
			{Name: "status", Type: fold.Text, Cell: func(_ uint64, r *row) fold.Cell { return fold.TextCell(r.Status.String()) }},
			{Name: "created", Type: fold.Time, Cell: func(_ uint64, r *row) fold.Cell { return fold.IntCell(r.Created) }},
			{Name: "updated", Type: fold.Time, Cell: func(_ uint64, r *row) fold.Cell { return fold.IntCell(r.Updated) }},
		},
	})
	return &t
}

// Apply implements fold.Fold.
func (m *model) Apply(t *table, ev redex.Event) error {
	if ev.Kind < kindCreate || ev.Kind > kindDelete {
		return nil
	}
	c, err := decode(&ev)
	if err != nil {
		return err
	}
	switch ev.Kind {
	case kindCreate:
		t.Set(c.id, row{Task: Task{ID: c.id, Title: c.title, Created: c.at, Updated: c.at}})
		return nil
	case kindDelete:
		t.Delete(c.id)
		return nil
	}
	r, ok := t.Get(c.id)
	if !ok {
		return nil
	}
	r.Updated = c.at
	if ev.Kind == kindRename {
		r.Title = c.title
	} else {
		r.Status = Completed
	}
	t.Set(c.id, r)
	return nil
}

// compile turns a filter, and the ids it is limited to unless ids is nil, into a query on one moment of the table.
func (m *model) compile(t *table, f *Filter, ids []uint64) fold.Query[uint64, row] {
	q := fold.Query[uint64, row]{Keys: ids, Limit: fold.NoLimit}
	if f.Limit != nil && *f.Limit >= 0 {
		q.Limit = *f.Limit
	}
	if f.Status != nil {
		rows := m.status.Rows(t, *f.Status)
		q.Rows = &rows
	}
	switch f.Order {
	case IDDesc:
		q.Desc = true
	case CreatedAsc, CreatedDesc:
		q.Order, q.Desc = m.created, f.Order == CreatedDesc
	case UpdatedAsc, UpdatedDesc:
		q.Order, q.Desc = m.updated, f.Order == UpdatedDesc
	}
	// One index bounds the rows; the other pair of bounds is looked at in each of them.
	var where []func(r *row) bool
	byCreated, byUpdated := f.CreatedAfter != nil || f.CreatedBefore != nil, f.UpdatedAfter != nil || f.UpdatedBefore != nil
	switch {
	case byUpdated && (!byCreated || f.Order == UpdatedAsc || f.Order == UpdatedDesc):
		q.Within = m.updated.Span(f.UpdatedAfter, f.UpdatedBefore)
		if byCreated {
			where = append(where, func(r *row) bool { return inside(r.Created, f.CreatedAfter, f.CreatedBefore) })
		}
	case byCreated:
		q.Within = m.created.Span(f.CreatedAfter, f.CreatedBefore)
		if byUpdated {
			where = append(where, func(r *row) bool { return inside(r.Updated, f.UpdatedAfter, f.UpdatedBefore) })
		}
	}
	if f.TitleContains != "" {
		needle := strings.ToLower(f.TitleContains)
		where = append(where, func(r *row) bool { return strings.Contains(r.lower, needle) })
	}
	if len(where) > 0 {
		q.Where = func(_ uint64, r *row) bool {
			for _, holds := range where {
				if !holds(r) {
					return false
				}
			}
			return true
		}
	}
	return q
}

func inside(v int64, from, to *int64) bool {
	return (from == nil || v >= *from) && (to == nil || v <= *to)
}
