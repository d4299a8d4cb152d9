// Package fold (CortEX) keeps typed state that follows logs: a user's function is called for every event of a log, once and in
// order, and what it makes of them can be read, queried, watched and waited for.
//
// Data in: events of one log, or of several merged by their time of arrival, from a redex.Store; a Fold that applies them; at
// Open, the store's checkpoint of the fold.
//
// Data out: a Snapshot of the state and its position in every log; answers to Queries over declared indexes; Wait, Changes and
// Watch; Frozen states with typed columns for SQL, and as bytes for snapshot files; checkpoints in the store.
//
// State made of Tables (a Table, or a struct of nothing but Tables) is copy-on-write. A snapshot of it takes constant time and
// does not hold the fold; an event whose Apply fails or panics is rolled back. Any other state is read by View under a lock that
// holds the fold, is no table of SQL, and stops the fold at the first failed Apply, whatever the policy.
//
// Order and durability, in short (DESIGN.md has the numbered facts): a fold follows what is visible, not what is durable, so its
// state may include events that a power loss takes away; tokens and checkpoints know epochs, and nothing that is written to the
// store is derived from an event that is not durable. State and position are written together: after a restart every event is
// folded exactly once. A checkpoint that does not fit is never read as if it did: the state is rebuilt from the log.
//
// Concurrency: a Handle may be used by many goroutines. A fold has one goroutine, and one more
// while it writes a checkpoint; waits and watches need none. Close ends them all.
package fold
