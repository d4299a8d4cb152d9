// Package kv is the store's key-value map: Pebble, without a log of its own, made to fail the way this store needs.
//
// Data in: batches of sets, deletes and range deletes, applied atomically and in order. Data out: values and ordered iteration.
//
// Durability: none until Flush returns. A crash rolls the map back to the state after some batch that is no older than the last
// Flush that returned nil: always a prefix of the batches that were applied, never a part of one. What is newer must be
// derivable from the journal.
//
// Failure: the first failed sync, and the first failed write of the manifest, poisons the DB: Apply, Flush and Checkpoint then
// fail with that cause for good, and nothing more is written or removed in the directory; reads go on. A full disk is not a
// failure: see DB.Err. Pebble's fatal errors never end the process.
//
// Concurrency: everything is safe for concurrent use except a Batch and an Iter.
package kv
