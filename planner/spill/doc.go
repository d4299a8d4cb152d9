// Package spill keeps on disk the rows for which a query has no memory: files of one operator of one running query, written once
// from front to back, read from front to back, and gone with the operator.
//
// Data in: rows of typed vectors. Data out: the same rows, in the same order, as batches.
//
// Facts that others rely on:
//
//  1. A file outlives neither its operator nor, but for a crash, its process. Where the system can, it has no name: it is unlinked
//     as soon as it was made. Elsewhere it is removed when it is closed. What a crash leaves is removed when a Dir is opened: a
//     file of ours that somebody has open either has no name or cannot be removed, so nothing in use is ever harmed and no lock
//     or process id is needed.
//  2. Rows are written in blocks, each block in chunks of at most 256 KiB, each with a checksum over file, place and bytes. What
//     does not check is a *CorruptionError, never another row. Lengths are looked at before anything is made of them: a block
//     that would take more memory than any that the writer wrote is refused.
//  3. A Dir has a limit over all files of all queries. Above it, and on a full disk, errors.Is(err, ErrFull); any other failure
//     is an *Error too. An Area whose call failed is only closed.
//  4. Before each chunk is written or read the operator's vector.Gate is asked, so that a cancelled query stops there; it is asked
//     for room before values of vector.LargeBytes and more are read.
//
// A Dir is safe for concurrent use. An Area and its files are used by one goroutine. Nothing here starts a goroutine.
package spill
