// Package sealed reads and writes row files: immutable files that hold, for many logs, runs of events.
//
// Data in: rows, run after run, in ascending order of log and sequence, through a Writer on an io.Writer. Data out: the same
// rows through a Reader on an io.ReaderAt: one row (Run.Read), a range in order (Run.Cursor), or whole blocks as plain slices
// (Run.Decode). The package knows no logs, names or stores; log ids, flags, kinds, encodings and header bytes are the caller's.
//
// A run is a piece of one log: rows with ascending sequences, not necessarily dense. It is cut into blocks of at most 64 KiB of
// row bytes and 2,048 rows (a larger row has a block of its own). A block is the unit of compression, of checksum and of
// reading: nothing of a block is returned before its checksum was verified, on every read from the file. After the blocks of a
// run follows its index. Writer.EndRun returns the index's Location, which a caller keeps; with it Reader.Run needs neither
// footer nor directory. The directory of all runs is at the end of the file in pages and is read lazily, for checks and rebuilds.
//
// Durability: none of its own. The caller syncs the file, and its directory, before relying on it.
//
// Memory: a Writer holds one block, one directory page (64 KiB), the index of the current run (under 1.5 MiB) and one page
// entry per some two thousand runs. A Reader holds its salt and, once asked, the page list. A Cursor or Block holds one block.
//
// Concurrency: a Reader and a Run are safe for concurrent use when their io.ReaderAt is. A Writer, a Cursor and a Block that is
// decoded into are not.
package sealed
