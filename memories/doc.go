// Package memories is a model of memories: texts with tags and a source that are stored, retagged, pinned and deleted.
//
// Data in: every change is one event, appended to a log ("cortex/memories") with a kind of its own (0x10 store, 0x11 retag, 0x12
// pin, 0x13 unpin, 0x14 delete) and a MessagePack payload with named fields: id, content, tags, source, at. Fields may be added
// later: unknown ones are ignored. Kinds that this version does not know are ignored too. Other writers may append such
// events, also as JSON.
//
// Data out: lists, counts and watches of the memories by a Filter or a Query, and the SQL table "memories" with the columns id,
// content, tags (JSON), source, created, updated, pinned.
//
// Order and durability: a change returns when its event is as durable as the store's policy or Options.Durable says, with a
// token; reads include it once Wait(token) has returned. A change is checked against nothing: retagging, pinning, unpinning or
// deleting a memory that does not exist changes nothing. Storing one that exists changes its content, tags and source and keeps
// when it was created and whether it is pinned. Times are the caller's; no clock is read.
//
// Concurrency: everything may be used by many goroutines. Reads take a snapshot and never wait for writes.
package memories
