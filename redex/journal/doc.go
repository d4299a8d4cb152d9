// Package journal is the store's one append-only, crash-safe sequence of frames.
//
// # Data in, data out
//
// In: opaque bodies of bytes, one per append. Out: each body again, with the ordinal and the time it was given, in order, at
// recovery ([Open]) and by location ([Journal.Read]). The journal does not know what a body means.
//
// # Order
//
//  1. Ordinals start at 1, are dense and grow by one per frame. They are never used twice within an epoch.
//  2. Times grow strictly from frame to frame, also over restarts and when the clock goes backwards.
//  3. A frame is visible when [Journal.Append] returns, and then every frame before it is complete.
//
// # Durability
//
//  1. Append never waits for a sync. [Journal.Sync] returns when every frame up to the ordinal asked for is on disk;
//     concurrent callers share one sync.
//  2. When a process dies nothing that was visible is lost (on a mapped or written file). When power fails, everything up to
//     [Journal.Durable] survives, and what survives beyond it is a prefix.
//  3. A failed sync is sticky: later appends and syncs fail with its cause, reads go on up to Durable.
//
// # Concurrency
//
// A [Journal] is safe for concurrent use. Appends are placed one at a time; reads take no lock; a sync holds no lock while
// the disk works. Close stops all goroutines of the journal.
package journal
