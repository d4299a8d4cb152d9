// Package exec holds the operators that run a plan: they pull batches of vectors from each other, one goroutine per query.
//
// Data in: a tree of Operators made by package planner, whose leaves are scans of sources, and expressions (Expr) whose
// columns are positions in the batches of an operator's input. Data out: the batches of the topmost operator.
//
// Facts that others rely on:
//
//  1. Open, Next until nil or an error, Close. A batch that Next returns has at least one row alive and is valid, with
//     everything it refers to, until the next call of Next or Close on the same operator. Who needs rows for longer copies
//     them into vectors of his own. The caller may set a batch's selection, nothing else.
//  2. Answers do not depend on the size of batches, nor on the number of threads of a scan: filters, projections, joins and
//     limits keep the order of rows, sorts are stable, groups come in the order of their first rows, and DOUBLE sums are kept
//     as pairs of floats, so that the order of adding does not show.
//  3. An expression is evaluated only on the rows that passed what stands before it, and in CASE, AND, OR and COALESCE only on
//     those that SQL reaches. When it fails on a row, the rows before that one are given out first.
//  4. A value of another type than an operator wants is NULL there, and counted in Stats.OtherType; it is never an error.
//  5. Memory is counted before it is taken. What operators keep (groups, sorted rows, build sides) lies in pages that do not
//     move, and is counted against Env.Budget after each batch of about partBytes; one larger value, kept or intermediate,
//     is asked for before it is made. Results of expressions that are large together are made for fewer rows at a time.
//     Operators that keep rows put them into temporary files (Env.Spill) above their part of the budget.
//     Beside its budget a query holds, for each operator, up to freeBytes of results and a batch of up to partBytes.
//  6. A cancelled context ends Next between batches, between expressions, and after every stepBytes of work within sorts,
//     hash tables and large values.
//
// The tables of functions (Functions, AggregateFunctions) hold name, arity, types, evaluation and a line of documentation of
// each function; binder, messages and documentation read the same table.
//
// Expressions are immutable and safe for concurrent use. Operators are used by one goroutine.
package exec
