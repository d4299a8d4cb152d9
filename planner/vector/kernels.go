package vector

import (
	"errors"
	"fmt"
	"time"
)

// Errors of single values. A RowError wraps them with the row.
var (
	ErrOverflow      = errors.New("BIGINT overflow")                                 // integer arithmetic left int64
	ErrDivideByZero  = errors.New("division by zero")                                // /, // or % by 0, also of DOUBLE
	ErrBigArithmetic = errors.New("arithmetic on an integer beyond BIGINT")          // it compares and prints only
	ErrCast          = errors.New("cannot cast")                                     // CAST of a value that has no form in the type; see CastError
	ErrValueTooLarge = errors.New("value larger than 256 MiB")                       // a result is longer than MaxValueBytes
	ErrPattern       = errors.New("LIKE pattern must not end with escape character") // CompileLike
)

// RowError is an error of a kernel at one row of the batch: the first in the order of the selection.
type RowError struct {
	Row int
	Err error
}

func (e *RowError) Error() string { return fmt.Sprintf("row %d of the batch: %v", e.Row, e.Err) }

// Unwrap returns the cause.
func (e *RowError) Unwrap() error { return e.Err }

// CastError says which value could not be cast.
type CastError struct {
	Value string // the value as text, shortened
	From  string
	To    Type
}

func (e *CastError) Error() string {
	return fmt.Sprintf("cannot cast %s %q to %s", e.From, e.Value, e.To)
}

// Is reports whether target is ErrCast.
func (e *CastError) Is(target error) bool { return target == ErrCast }

// State is what the kernels of one expression keep between batches. The zero value is ready. It is not safe for concurrent
// use: each thread has its own.
type State struct {
	// OtherType counts dynamic values that were NULL to an operator because they were of another type than it wanted.
	OtherType int64

	// Zone is the session's time zone, in which times are printed and read; nil is UTC.
	Zone *time.Location

	// Gate is asked before results take much memory and while large values are worked on; nil allows everything.
	Gate Gate
	// ValidJSON reports whether text is JSON; nil stands for json.Valid.
	ValidJSON func(text []byte) bool

	scratch, scratch2 []byte
	fault             error
	a, b, c           Vector // of uniform operands, and results of them
	byCode            []byCode
	odd, even         Sel // rows of mixed operands
}

// CompareOp is a comparison.
type CompareOp uint8

// The comparisons. The last two treat NULL as a value and never give NULL.
const (
	Eq CompareOp = iota
	Ne
	Lt
	Le
	Gt
	Ge
	IsDistinct    // IS DISTINCT FROM
	IsNotDistinct // IS NOT DISTINCT FROM
)

// ArithOp is an arithmetic operation.
type ArithOp uint8

// The operations. Divide always gives DOUBLE; IntDivide and Modulo truncate toward zero and are for integers.
const (
	Add ArithOp = iota
	Subtract
	Multiply
	Divide
	IntDivide
	Modulo
)
