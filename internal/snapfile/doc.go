// Package snapfile reads and writes snapshot files: a sequence of named sections, each with a BLAKE3 hash, in one zstd stream.
//
// Data in: sections, written one after the other. Data out: the same sections in the same order, each byte of which is handed
// out before its hash is known; Reader.Next and Reader.Close report a mismatch, so a caller must not act on a section before
// the next call succeeded, and not on the file before End was seen. Nothing is kept in memory beyond one chunk.
//
// The format is in docs/format/snapshot.md. A Writer or Reader is not safe for concurrent use.
package snapfile
