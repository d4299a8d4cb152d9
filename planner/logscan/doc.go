// Package logscan makes a log a table: a planner.Source over package redex.
//
// In: a log and a cut. Out: batches of the log's own columns and of payload fields, and the log's field catalogue.
//
// # Columns
//
// _seq and _size BIGINT, _ts TIMESTAMPTZ, _origin TEXT (16 hexadecimal digits), _kind BIGINT, _encoding TEXT, _payload JSON (NULL
// for raw payloads and for those not well-formed), _bytes BLOB, and _key: text where it is UTF-8, else bytes, NULL where there is
// none. Every payload field is a dynamic column, whose rows have the type they were written with.
//
// # Facts
//
//  1. A Source sees the rows of its cut, and every scan of it the same ones. Rows come in sequence order, in reverse on demand,
//     also from several threads.
//
//  2. A payload that is not well-formed as a whole, or whose top is no object, has no fields. Each payload is checked whole
//     once: the catalogue keeps which ones failed, so that later scans stop at the last field they want.
//
//  3. A payload is walked once for all wanted fields, and nothing is allocated for a row in steady state. A batch holds at most
//     Request.BatchRows rows and ends early above 4 MiB of bytes.
//
//  4. A catalogue holds every path ever seen, up to MaxPaths and MaxLevels, with the types it had; it only grows. It takes rows
//     in by sequence, each once, and is in order of first sequence; of one row, in order of the payload. It may be ahead of a
//     Source's cut.
//
//  5. Catalogues are saved in the store's views, never ahead of what is durable, and read back when a log is first asked for; at
//     a crash they fall back to an earlier state and take the rows in again.
//
//  6. Rows are read by column where there is a chunk of columns that has all outputs, else one by one: the answers are the same. Chunks of
//     65,536 sequences whose events are all sealed are kept in the store's column files (redex.Columns), the last of them as far as it
//     goes; pages of 1,024 behind them are in memory. Both are made when a scan wants at least a quarter of one. The newest page, which is
//     not full, is made of at least 128 rows, and made again when there are as many more, so that a scan reads at most 127 one by one.
//     A chunk is what its events are as long as the log's number of edits is the one read before them. A damaged chunk is dropped, and
//     its rows are read.
//
//  7. What a chunk does not hold (long text, arrays, objects) is read from its row, value by value; a column most of whose values are
//     such makes the scan read rows.
//
//  8. Hints leave out chunks and blocks by their statistics. Where no more than two blocks of a chunk are left, those of a point in a
//     field that ascends with the log, the rows are looked for in the blocks: the scan reads from the first to the last of them. The keys
//     that a join has leave out rows, too. A hint is not a filter: rows that do not satisfy it may come.
//
//  9. A query that asks only which texts a field has (Request.Once) gets the dictionary of a chunk all of whose rows are such texts.
//
// # Concurrency
//
// Catalogues and Source are safe for concurrent use. A scan belongs to one goroutine; with several threads it starts that many,
// which end with Close, with an error or when everything is delivered, and Close waits for them.
package logscan
