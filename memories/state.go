package memories

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

// row is a memory as the table keeps it. Its tags are never changed in place.
type row struct {
	Memory
	lower string // Content in lower case
}

type table = fold.Table[uint64, row]

// model is the state's shape: its indexes, and how events change it.
type model struct {
	tags    *fold.BitmapIndex[uint64, row, string]
	source  *fold.BitmapIndex[uint64, row, string]
	pinned  *fold.BitmapIndex[uint64, row, uint8]
	created *fold.OrderedIndex[uint64, row, int64]
	updated *fold.OrderedIndex[uint64, row, int64]
}

func newModel() *model {
	return &model{
		tags:    fold.Tags("tags", func(_ uint64, r *row) []string { return r.Tags }),
		source:  fold.FewValued("source", func(_ uint64, r *row) string { return r.Source }),
		pinned:  fold.FewValued("pinned", func(_ uint64, r *row) uint8 { return bit(r.Pinned) }),
		created: fold.Ordered("created", func(_ uint64, r *row) int64 { return r.Created }),
		updated: fold.Ordered("updated", func(_ uint64, r *row) int64 { return r.Updated }),
	}
}

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

func (m *model) newTable() *table {
	t := fold.NewTable(fold.TableOptions[uint64, row]{
		Indexes: []fold.Index[uint64, row]{m.tags, m.source, m.pinned, m.created, m.updated},
		Derive:  func(_ uint64, r *row) { r.lower = strings.ToLower(r.Content) },
		Columns: []fold.Column[uint64, row]{
			{Name: "id", Type: fold.Int, Cell: func(id uint64, _ *row) fold.Cell { return fold.IntCell(int64(id)) }},
			{Name: "content", Type: fold.Text, Cell: func(_ uint64, r *row) fold.Cell { return fold.TextCell(r.Content) }},
			{Name: "tags", Type: fold.JSON, Cell: func(_ uint64, r *row) fold.Cell { return tagsCell(r.Tags) }},
			{Name: "source", Type: fold.Text, Cell: func(_ uint64, r *row) fold.Cell { return fold.TextCell(r.Source) }},
			{Name: "created", Type: fold.Time, Cell: func(_ uint64, r *row) fold.Cell { return fold.IntCell(r.Created) }},
			{Name: "updated", Type: fold.Time, Cell: func(_ uint64, r *row) fold.Cell { return fold.IntCell(r.Updated) }},
			{Name: "pinned", Type: fold.Bool, Cell: func(_ uint64, r *row) fold.Cell { return fold.BoolCell(r.Pinned) }},
		},
	})
	return &t
}

func tagsCell(tags []string) fold.Cell {
	if len(tags) == 0 {
		return fold.TextCell("[]")
	}
	b, err := json.Marshal(tags)
	if err != nil {
		return fold.NullCell()
	}
	return fold.TextCell(string(b))
}

// Apply implements fold.Fold.
func (m *model) Apply(t *table, ev redex.Event) error {
	if ev.Kind < kindStore || ev.Kind > kindDelete {
		return nil
	}
	c, err := decode(&ev)
	if err != nil {
		return err
	}
	if ev.Kind == kindDelete {
		t.Delete(c.id)
		return nil
	}
	r, ok := t.Get(c.id)
	if !ok && ev.Kind != kindStore {
		return nil
	}
	r.Updated = c.at
	switch ev.Kind {
	case kindStore:
		if !ok {
			r.ID, r.Created = c.id, c.at
		}
		r.Content, r.Tags, r.Source = c.content, c.tags, c.source
	case kindRetag:
		r.Tags = c.tags
	case kindPin:
		r.Pinned = true
	case kindUnpin:
		r.Pinned = false
	}
	t.Set(c.id, r)
	return nil
}

// compile turns a filter, and the ids it is limited to unless ids is nil, into a query on one moment of the table.
func (m *model) compile(t *table, f *Filter, ids []uint64) fold.Query[uint64, row] {
	q := fold.Query[uint64, row]{Keys: ids, Limit: fold.NoLimit, Rows: m.candidates(t, f)}
	if f.Limit != nil && *f.Limit >= 0 {
		q.Limit = *f.Limit
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
	if f.ContentContains != "" {
		needle := strings.ToLower(f.ContentContains)
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

// candidates returns the rows that fit what bitmap indexes know, or nil when that is no constraint.
func (m *model) candidates(t *table, f *Filter) *fold.RowSet {
	var sets []fold.RowSet
	if f.Tag != nil {
		sets = append(sets, m.tags.Rows(t, *f.Tag))
	}
	for _, tag := range f.AllTags {
		sets = append(sets, m.tags.Rows(t, tag))
	}
	if len(f.AnyTag) > 0 {
		sets = append(sets, m.tags.Rows(t, f.AnyTag...))
	}
	if f.Source != nil {
		sets = append(sets, m.source.Rows(t, *f.Source))
	}
	if f.Pinned != nil {
		sets = append(sets, m.pinned.Rows(t, bit(*f.Pinned)))
	}
	if len(sets) == 0 {
		return nil
	}
	slices.SortFunc(sets, func(a, b fold.RowSet) int { return a.Len() - b.Len() })
	all := sets[0]
	for _, s := range sets[1:] {
		all = all.And(s)
	}
	return &all
}

func inside(v int64, from, to *int64) bool {
	return (from == nil || v >= *from) && (to == nil || v <= *to)
}
