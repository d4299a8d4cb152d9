// Package simdisk is a disk in memory whose power can be cut and whose operations can be made to fail, for crash tests.
//
// # Data in, data out
//
// A [Disk] gives out two file systems on one disk: [Disk.Journal] for redex/journal, where files are memory and every write to
// it is seen at once, and [Disk.VFS] for Pebble and everything else. What both do is counted by one counter, so that a test can
// cut the power at the n-th operation of a program, whichever part of the program does it, and look at everything at the same
// instant. [Disk.SetFaults] has single operations fail, reads too, or read something else than was written.
//
// # What survives
//
// [Disk.Restart] is the machine coming back after the power failed: what was synced is there. Of each page of 4 KiB that was
// written and not synced either the old content, the new, or a mixture by sectors of 512 bytes is there, by chance; of the
// changes to a directory since its last sync, any subset. Only what was written since the last sync of a page is at risk.
//
// [Disk.Kill] is the death of the process alone: all that was written is there, except pages whose sync failed: they
// are as they were on the disk, or as they were written but taken for synced, by chance. What was not synced is still at risk.
//
// # Concurrency
//
// A Disk is safe for concurrent use; operations are done one at a time. Chance is by the seed alone, as far as the program
// under test does the same operations in the same order.
package simdisk
