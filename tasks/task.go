package tasks

import "fmt"

// MaxID is the greatest id of a task.
const MaxID = 1<<63 - 1

// Status is a task's status.
type Status uint8

// The statuses.
const (
	Pending Status = iota
	Completed
)

// String returns "pending" or "completed".
func (s Status) String() string {
	switch s {
	case Pending:
		return "pending"
	case Completed:
		return "completed"
	}
	return fmt.Sprintf("status(%d)", uint8(s))
}

// Task is one task. Two tasks are equal (==) when all their fields are.
type Task struct {
	ID      uint64 // at most MaxID
	Title   string // UTF-8
	Status  Status
	Created int64 // Unix nanoseconds, as given to Create
	Updated int64 // Unix nanoseconds, as given to the newest change
}

// Order is an order of tasks. Ties are broken by id, ascending in every order but IDDesc.
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

// Filter selects tasks: those for which all of its fields hold. A nil pointer and an empty text are no constraint. Bounds are
// inclusive, in Unix nanoseconds.
type Filter struct {
	Status        *Status
	TitleContains string // in any case: both sides are compared in Unicode lower case
	CreatedAfter  *int64
	CreatedBefore *int64
	UpdatedAfter  *int64
	UpdatedBefore *int64
	Order         Order
	Limit         *int // most tasks, applied after the order; 0 selects nothing; nil or below 0 is no limit
}
