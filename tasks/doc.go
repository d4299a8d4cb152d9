// Package tasks is a model of tasks that are created, renamed, completed and deleted.
//
// Data in: every change is one event, appended to a log ("cortex/tasks") with a kind of its own (0x01 create, 0x02 rename, 0x03
// complete, 0x04 delete) and a MessagePack payload with named fields: id, title, at. Fields may be added later: unknown ones
// are ignored. Kinds that this version does not know are ignored too. Other writers may append such events, also as JSON.
//
// Data out: lists, counts and watches of the tasks by a Filter or a Query, and the SQL table "tasks" with the columns id, title,
// status, created, updated.
//
// Order and durability: a change returns when its event is as durable as the store's policy or Options.Durable says, with a
// token; reads include it once Wait(token) has returned. A change is checked against nothing: renaming, completing or deleting
// a task that does not exist changes nothing, and creating one that exists replaces it. Times are the caller's; no clock is
// read.
//
// Concurrency: everything may be used by many goroutines. Reads take a snapshot and never wait for writes.
package tasks
