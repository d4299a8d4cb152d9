// Package kv is the store's key-value map: Pebble, without a log of its own, made to fail the way this store needs.
//
// Data in: batches of sets, deletes and range deletes, applied atomically and in order. Data out: values and ordered iteration.
//
// Durability: none until Flush returns. A crash rolls the map back to the state after some batch that is no older than the last
// Flush that returned nil: always a prefix of the batches that were applied, never a part of one. What is newer must be
// derivable from the journal.
//
// Failure: the first failed sync, and the first failed write of the manifest, poisons the DB: Apply, Flush and Checkpoint then
// fail with that cause for good, and nothing more is begun in the directory; reads go on. Pebble's fatal errors never end the
// process.
//
// # A full disk
//
// Wherever room ends, a map that is open is not poisoned by it. It can be read; Apply goes on until memory is used up, at most, and
// then returns ErrDiskFull, as Flush does at once; Err says so; and it goes on by itself, at most two seconds after there is room. In
// detail:
//
//   - A table is given up and written again from memory. Flushes are tried again at growing intervals, and by every Flush. A
//     compaction that finds no room is tried again at growing intervals too, and hinders nobody: then the disk is not called full.
//   - A step of writing the manifest cannot be given up: Pebble cannot go on after an error. It takes the room of the ballast, a
//     file of 2 MiB, and what it wrote is acknowledged though the disk is full. No table is written from then on until the
//     ballast is there again, so that this room is left to the manifest.
//   - Room that the ballast gave belongs to everybody on the disk. When others take it, or it is not enough, the manifest waits for
//     room; nothing is lost, and nobody but the flush, compactions and Checkpoint waits with it. That the ballast is there
//     decides only whether what is under way ends before there is room again.
//   - Closing the DB ends that wait with a failed write of the manifest. As after a crash, the next Open finds all that was
//     acknowledged.
//
// Not protected: Open needs a few kilobytes, for which it may use the ballast; without them it returns ErrDiskFull, leaves what there
// was, and can be repeated. A file system that accepts a write and finds at the sync that it has no room poisons the DB, like
// any failed sync. Where the room that a removed file gave comes late, the manifest waits that long. Memory holds what could not be
// flushed, up to four memtables and what one batch adds.
//
// Concurrency: everything is safe for concurrent use except a Batch and an Iter.
package kv
