package memories

import "slices"

// MaxID is the greatest id of a memory.
const MaxID = 1<<63 - 1

// Memory is one memory.
type Memory struct {
	ID      uint64   // at most MaxID
	Content string   // UTF-8
	Tags    []string // as given, in their order, repeats included; UTF-8
	Source  string   // UTF-8
	Created int64    // Unix nanoseconds, as given to the Store that made it
	Updated int64    // Unix nanoseconds, as given to the newest change
	Pinned  bool
}

// Equal reports whether all fields are equal; a nil list of tags equals an empty one.
func (m Memory) Equal(o Memory) bool {
	return m.ID == o.ID && m.Content == o.Content && slices.Equal(m.Tags, o.Tags) && m.Source == o.Source &&
		m.Created == o.Created && m.Updated == o.Updated && m.Pinned == o.Pinned
}

// Order is an order of memories. Ties are broken by id, ascending in every order but IDDesc.
type Order uint8

// The orders. IDAsc is the default.
const (
	IDAsc Order = iota
	IDDesc
	CreatedAsc
	CreatedDesc
	UpdatedAsc
	UpdatedDesc
)

// Filter selects memories: those for which all of its fields hold. A nil pointer, an empty text and an empty list are no
// constraint. Bounds are inclusive, in Unix nanoseconds.
type Filter struct {
	Source          *string  // exactly, in its case
	ContentContains string   // in any case: both sides are compared in Unicode lower case
	Tag             *string  // has this tag
	AnyTag          []string // has at least one of them
	AllTags         []string // has all of them
	Pinned          *bool
	CreatedAfter    *int64
	CreatedBefore   *int64
	UpdatedAfter    *int64
	UpdatedBefore   *int64
	Order           Order
	Limit           *int // most memories, applied after the order; 0 selects nothing; nil or below 0 is no limit
}
