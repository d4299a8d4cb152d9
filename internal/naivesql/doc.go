// Package naivesql answers queries the plain way: a syntax tree and rows in, rows out, one row and one value at a time. Tests
// compare the engine's answers with its. It shares the syntax tree of package query with the engine and nothing else: values,
// comparisons, casts, types and the order of evaluation are written again from the rules (docs/sql.md). It is slow, knows only
// what the tests ask, and says so of the rest with ErrUnknown.
//
// Order: rows come in the order of the tables, groups in that of their first rows, joins in that of the left side.
//
// Concurrency: Run only reads its tables.
package naivesql
