// Package planner (MeshDB) answers queries: it binds a statement of package query to the tables of a Catalog, rewrites the
// bound plan, explains it and runs it with the operators of planner/exec.
//
// Data in: a parsed statement, its parameters, and a Catalog that resolves table names to Sources at one cut. Data out: a
// Result, which is a stream of vector batches with column names and types, or the text of EXPLAIN.
//
// Order: the rows of one Source come in the order of its Scan unless ORDER BY says otherwise, and sorts are stable; groups and
// joins without ORDER BY have no promised order, but the same plan over the same rows gives the same order every time.
//
// A Plan is immutable once it is made and safe for concurrent use; a Result is used by one goroutine. Nothing here writes.
package planner
