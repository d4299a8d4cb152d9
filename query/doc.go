// Package query holds what a query is before anybody plans it: a versioned
// syntax tree, the scalar values that literals, parameters and results are made
// of, a builder, a printer and a canonical byte form.
//
// Data in: nodes made by package query/sql from text, by the builder ([Select],
// [Col], [Lit]), or decoded from bytes ([Decode]). Data out: the same tree,
// which prints itself as canonical SQL (String on every node), encodes itself
// ([Encode]) and is rewritten by small functions ([Transform]).
//
// The tree is data only. It knows nothing of tables, types of columns or plans.
//
// Facts that others rely on:
//
//  1. Every node carries the byte range of the text it was read from (At). A
//     node that was built or decoded has the zero Span.
//  2. Encode leaves spans out, so two trees are equal exactly when their bytes
//     are: the bytes are the key of plan caches.
//  3. Parsing what String printed gives an equal tree.
//  4. The order of values is total: see [Compare].
//
// Nodes are not changed after they were made, so they may be shared between
// goroutines; Transform returns a tree that shares no node with its input.
// Nothing here keeps state, blocks, or starts goroutines.
package query
