// Package index keeps, in the store's catalog, sets of values by key that follow a log: a user's projection says what each event
// inserts and removes.
//
// Data in: the events of one log of a redex.Store, in order; a Projection that makes operations of them (Ops); at Open, what the
// store holds of the index.
//
// Data out: the values of a key (Index.Get, Values, Contains, Count), entries and keys of a range or prefix in byte order
// (Scan, Keys), where the index is (Lag, Stats), what it left out (Skipped, Lost); waits for an event (Wait, WaitFor, CatchUp). Map
// and Project do the same with keys and values of Go's types. The format is in docs/format/index.md.
//
// # Order and durability
//
//  1. Events are projected once each, in order, by one goroutine, and their operations count in that order.
//  2. Operations are committed in batches, together with the position behind the events they are of. So what readers see, also
//     after a crash, is exactly what the events below one sequence make it, and each counts once.
//  3. A commit makes the journal durable up to its events first: an index never has what a power loss takes from its log. It may be
//     lost back to an earlier commit, and is then behind, for a moment.
//  4. A wait that returned nil happened after the commit: a read that begins later sees the event.
//  5. A range is read as it was when the reading began.
//
// While somebody waits, or the index keeps up, a commit comes soon (Options.Every); while it does not keep up, when a batch is full.
//
// # What does not fit is built again
//
// An index whose Version or From changed, whose log was deleted (one of the same name is another), whose record is damaged or of
// another history of the store is dropped and built again from the log, never misread. One whose log is deleted while it is open is
// dropped then.
//
// What retention takes from the log after it was indexed stays in the index, and so do entries of events that are redacted, unless
// Options.EventOf tells which event an entry is of: then one walk over the index removes both. It is done before a redaction is
// (see redex.Log.OnErase), and when retention took many events. What is redacted while the index is not open has it built again.
// What retention takes before is lost to it: the index stops and
// names the range, or goes on behind it when Options.AcceptLost says so.
//
// # Concurrency
//
// An Index is safe for concurrent use. It has one goroutine, and waits need none. Close ends it, and it ends with its store. Memory
// is bounded by Options.BatchBytes, MaxWaiters and 16 MiB for the operations of one event, and 8 MiB while an index that began
// empty catches up with a long log. Of each name one index can be open.
package index
