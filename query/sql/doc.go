// Package sql reads NetDB's SQL: a lexer, an expression parser by precedence
// (Pratt), statements by recursive descent.
//
// Data in: text. Data out: the tree of package query, every node with its span,
// or one *query.Error that says what was expected, where, and what was probably
// meant. [Tokens] and [Split] serve shells: colours, completion, and where a
// statement ends.
//
// The lexical rules are PostgreSQL's, but identifiers keep their spelling. The
// grammar is PostgreSQL's with DuckDB's additions: FROM first, GROUP BY ALL,
// EXCLUDE, QUALIFY, //, ASOF JOIN. Differences: -> and ->> bind like subscripts,
// so that a->'b' + 1 and a->>'b'::bigint mean what they look like, and fewer
// words are reserved.
//
// No text makes the parser panic: nesting and height of the tree are limited.
// Everything here is a pure function of its arguments and safe for concurrent
// use.
package sql
