// Package vector holds batches of typed columns and the kernels that compute on them.
//
// In: values from scans, literals and column chunks. Out: vectors and selections. A Vector is one column of up to a few
// thousand rows: a typed vector keeps its values in one plain slice beside a bitmap of NULLs; a dynamic one (Any, JSON) also
// keeps a class for each row, because a payload field has no declared type. A Batch is vectors of one length and a selection.
//
// # Rows
//
// Kernels read and write row i of every operand at index i and touch only the rows of the selection, so no row is moved until
// an operator gathers. What an output holds at rows outside the selection is undefined. A vector with Const set has one row,
// which stands for every row.
//
// # Ownership
//
//  1. Vectors are made once by an operator and reused for each batch: Reset keeps the memory.
//  2. A batch, its vectors and every slice taken from them are valid until the next batch is asked of the operator that made
//     it, or the operator is closed. Who needs values for longer appends them to a vector of his own.
//  3. A vector may share the Data, Dict or value slices of another one (Alias), or wrap slices of a column chunk. Owned tells:
//     Reset of a vector that does not own its slices drops them.
//  4. Byte slices that a vector returns must not be changed.
//
// # Values
//
// Numbers compare exactly between int64, float64 and integers beyond int64; NaN equals itself and is the largest number; -0
// is 0. Text and bytes order by bytes. The order of classes, for sorting and grouping, is: booleans, numbers, text, bytes,
// times, dates, intervals, arrays, objects; NULL is last in both directions. Where an operator wants one type, a dynamic value
// of another type is NULL there, never an error; State counts them.
//
// Kernels are not safe for concurrent use of one State or one output; inputs may be shared by readers.
package vector
