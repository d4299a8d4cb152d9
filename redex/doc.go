// Package redex (RedEX) keeps durable, append-only logs of events in one directory, or in memory.
//
// # Data in, data out
//
// In: entries, appended to named logs one by one, in batches, or in one batch across logs ([Log.Append], [Log.AppendBatch],
// [Store.Append]). Out: the same events with the sequence and the time they were given: one ([Log.Read], [Log.Latest]), a range
// ([Log.Cursor], [Log.Scan]), from a time on ([Log.SeekTime]), or as they come ([Log.Tail], [Log.Follow]), also shared out among
// the members of a named [Consumer] whose position the store keeps ([Log.OpenConsumer]). [Typed] does the same with values of one
// type in the place of payloads. Beside the logs a store has room for what is derived from them ([Store.Views]).
//
// An event is first in the journal, where an index in memory finds it; sealing moves it to a row file or, in a log of few
// events, to a row of the catalog. Readers do not see the difference.
//
// # Order
//
//  1. Sequences of a log begin at 0, are dense, and are never used twice within an epoch.
//  2. Every append is one frame. Frames have one order over all logs: ordinals are dense, times grow strictly from frame to frame,
//     and all events of a frame have its time.
//  3. A frame is visible as a whole and at once, when every frame before it is. [Store.Cut] names such a moment, and
//     [Log.BoundsAt] says what a log held then.
//  4. A tail delivers every event of its log from a sequence on, once, in order.
//  5. A consumer delivers every event of its log at least once, until it is settled; with OrderByKey those of a key one after the
//     other and in order, with OrderStrict all.
//
// # Durability
//
//  1. An append is durable when it returns, under SyncAlways or with DurableYes. Otherwise it is visible, survives the death
//     of the process, and is durable after the next [Store.Sync], [Store.Close] or bound of SyncInterval.
//  2. After a crash a store is what the frames up to some ordinal made it, and none that was durable is missing. When visible
//     frames may be missing, a new epoch begins, and a [Position] of a lost frame gets ErrEpoch.
//  3. What a view holds is never ahead of what is durable, and may be lost back to an earlier commit.
//  4. A consumer delivers durable events only. An acknowledgement is durable when [Delivery.AckSync] or [Consumer.Sync] returns; until
//     then a crash may have its event delivered again, never lose it. An event is in a dead-letter log exactly once.
//  5. After a failed sync nothing more is written: writes fail with ErrFailed and the cause, reads go on.
//
// # Damage
//
// Every read checks the checksums of the bytes it uses. Damage makes exactly the events unreadable whose bytes it hit: reading
// them is a [CorruptionError] that names log, sequences, file and offset. [Store.Check] reads everything; [Repair] moves damage aside and
// writes down what is lost, which is a [RangeLostError] from then on; [Dump] prints what stands in files.
//
// # Copies
//
// [Store.Checkpoint] makes a copy at one moment for readers in other processes, [Store.Backup] adds one to a directory of backups, of
// which [RestoreBackup] makes a store. Both go on beside everything else.
//
// A value of a typed log that cannot be decoded is a [DecodeError] of one event, behind which readers go on. It is no damage: the
// bytes are those that were appended.
//
// # Concurrency
//
// A [Store] and its logs are safe for concurrent use by any number of goroutines of one process; a [Cursor] and a [Tail] are for
// one goroutine each; a [Consumer], its members and deliveries for any number. One process writes to a directory, or several read it. Appends are placed one at a time and wait for
// nobody else's sync; readers never wait for writers' disks. DESIGN.md has the lock order.
package redex
