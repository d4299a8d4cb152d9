package journal

import (
	"context"
	"errors"
	"time"
)

// Ordinal is the position of a frame in the journal. The first is 1; 0 is before everything.
type Ordinal uint64

// Epoch counts the times visible frames may have been lost. The first is 1.
type Epoch uint64

// EpochStart says that an epoch begins with the frame of ordinal First.
type EpochStart struct {
	Epoch Epoch
	First Ordinal
}

// Loc is where a frame is: its segment's number in the upper, its offset in the lower 32 bits. It is valid until the segment
// is released, also over a restart. The zero value is no location.
type Loc uint64

// Frame is a frame as recovery hands it out.
type Frame struct {
	Ordinal Ordinal
	Time    int64 // Unix nanoseconds
	Epoch   Epoch
	Loc     Loc
	Body    []byte // valid until the callback returns
}

// Body is what Append stores: Head followed by Tail. Both may be reused after return.
type Body struct {
	Head, Tail []byte
	// Events is what the frame counts for SyncInterval.Events; 0 counts as 1.
	Events int
	// Urgent exempts the frame from waiting for the journal's size limit. It is for those whose work shrinks the journal.
	Urgent bool
}

// Placed says where and when a frame was placed.
type Placed struct {
	Ordinal Ordinal
	Time    int64
	Loc     Loc
}

// SyncMode is the kind of a SyncPolicy.
type SyncMode uint8

// The sync policies.
const (
	SyncAlways   SyncMode = iota // the owner calls Sync after each append; the journal does nothing by itself
	SyncInterval                 // the journal syncs in the background, within bounds
	SyncNever                    // only Sync and Close sync
)

// SyncPolicy says when the journal syncs by itself. The bounds are those of SyncInterval; 0 means no bound of that kind, but
// one is needed. When one is reached a sync starts; an append that would put twice as much at risk waits for it. A frame that
// is larger than that by itself is placed when nothing else is at risk.
type SyncPolicy struct {
	Mode   SyncMode
	Every  time.Duration // age of the oldest frame not synced
	Events int64
	Bytes  int64
}

// Options configure a journal. The zero value is the documented default.
type Options struct {
	Sync SyncPolicy
	// FirstSegmentBytes and MaxSegmentBytes: segments start at the former and double up to the latter. Defaults 1 and 64 MiB;
	// from 64 KiB to 1 GiB, multiples of 4096.
	FirstSegmentBytes, MaxSegmentBytes int64
	// LimitBytes bounds the frames held in segments not yet released: an append over it waits for Release. Default 1 GiB; at
	// least twice MaxSegmentBytes; negative means no limit.
	LimitBytes int64
	// ReadOnly opens without any write to the directory: frames are replayed and can be read, nothing is cut or repaired.
	ReadOnly bool
	// Epochs are the epochs the owner knows of, oldest first; they are merged with those in the segments' headers, which hold
	// the newest ones only.
	Epochs []EpochStart
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Cut says where recovery ended a segment that was not closed cleanly.
type Cut struct {
	Segment uint32
	File    string
	Offset  int64
	Bytes   int64 // length of what was dropped: written bytes from Offset on, and all of the segments that followed
}

// Damage is a range of frames that were durable and cannot be read.
type Damage struct {
	From, To Ordinal // [From, To]
	Err      *CorruptionError
}

// Recovery says what Open found.
type Recovery struct {
	Clean       bool    // the last writer closed the journal, or there was none
	SameBoot    bool    // the last writer ran in this run of the operating system
	MayHaveLost bool    // visible frames may be missing
	NewEpoch    bool    // a new epoch was started because of that
	Last        Ordinal // of the last frame recovered; 0 if none
	LastTime    int64
	Epochs      []EpochStart // oldest first; the last is the current one
	Cut         *Cut         // nil if nothing was dropped
	Damage      []Damage
}

// Stats are counters and gauges of a journal.
type Stats struct {
	Visible, Durable Ordinal
	First            Ordinal // lowest ordinal in a segment not released
	Segments         int
	Bytes            int64 // frames in segments not released
	AllocatedBytes   int64 // length of their files and of the one made in advance
	LimitBytes       int64 // 0: none
	AtRiskBytes      int64 // visible, not durable
	AtRiskEvents     int64
	Waiting          int           // appends that wait now
	Waits            int64         // appends that waited
	WaitTime         time.Duration // together
	LimitWaits       int64         // of Waits: for the size limit
	RiskWaits        int64         // of Waits: for SyncInterval's bounds
	Appends          int64
	Syncs            int64
	SyncTime         time.Duration
	Mapped           bool  // segments are mapped, not written
	DiskFull         error // nil, or why the last attempt to make room failed
	Poisoned         error // nil, or the PoisonedError
}

// Journal is an open journal. It is safe for concurrent use.
type Journal struct{}

// Open opens the journal in fs, or makes one. It recovers what is there, calls replay for each readable frame with an ordinal
// above after, in order, and returns when everything recovered is durable and the current epoch is recorded. after is the
// ordinal up to which the owner already has everything, durably; a journal that ends below it goes on above it. An error of
// replay ends Open with that error. The context is looked at between frames.
func Open(ctx context.Context, fs FS, o Options, after Ordinal, replay func(Frame) error) (*Journal, Recovery, error) {
	return nil, Recovery{}, errors.ErrUnsupported
}

// Append places a frame and returns when it is visible. It does not wait for a sync. It may wait, before anything is placed,
// for the bounds of SyncInterval (not exceeded), the size limit (Release) or the next segment; ctx ends these waits. After an
// error nothing was placed. ErrDiskFull is not sticky.
func (j *Journal) Append(ctx context.Context, b Body) (Placed, error) {
	return Placed{}, errors.ErrUnsupported
}

// TryAppend is Append that returns ErrBusy instead of waiting. For callers that hold a lock: call Ready without it first.
func (j *Journal) TryAppend(b Body) (Placed, error) { return Placed{}, errors.ErrUnsupported }

// Ready waits until TryAppend of b would have succeeded. It looks at the lengths of b only.
func (j *Journal) Ready(ctx context.Context, b Body) error { return errors.ErrUnsupported }

// Sync returns nil when every frame up to upTo is durable. Concurrent callers share a sync. ErrRange: upTo is not visible.
// After ctx ends durability is unknown.
func (j *Journal) Sync(ctx context.Context, upTo Ordinal) error { return errors.ErrUnsupported }

// Visible returns the highest ordinal whose frame, and every one before, is complete.
func (j *Journal) Visible() Ordinal { return 0 }

// Durable returns the highest ordinal whose frame, and every one before, is on disk.
func (j *Journal) Durable() Ordinal { return 0 }

// LastTime returns the time of the last visible frame, or of the last one before all that are held.
func (j *Journal) LastTime() int64 { return 0 }

// Epoch returns the current epoch.
func (j *Journal) Epoch() Epoch { return 0 }

// Epochs returns the epochs known, oldest first.
func (j *Journal) Epochs() []EpochStart { return nil }

// NewEpoch starts a new epoch with the next frame. It is durable when NewEpoch returns.
func (j *Journal) NewEpoch(ctx context.Context) (EpochStart, error) {
	return EpochStart{}, errors.ErrUnsupported
}

// Stat returns a frame's ordinal, time and body length; the checksum of its header is verified.
func (j *Journal) Stat(loc Loc) (Placed, int, error) { return Placed{}, 0, errors.ErrUnsupported }

// Read appends bytes [off, off+n) of the body of the frame at loc to dst and returns the extended slice, after checking the
// checksums of what it touches (the frame, or each 64 KiB block of a larger one). Errors: ErrReleased, ErrRange, ErrPoisoned
// (a frame above Durable after a failed sync) and *CorruptionError, which names segment and offset. dst is returned as it was
// on error.
func (j *Journal) Read(loc Loc, off, n int, dst []byte) ([]byte, error) {
	return dst, errors.ErrUnsupported
}

// Release removes the segments whose frames all have ordinals up to upTo, which must be durable. The last segment stays.
// Locations in a removed segment get ErrReleased.
func (j *Journal) Release(upTo Ordinal) error { return errors.ErrUnsupported }

// Check reads every frame of every segment not released and returns the damage found, also that found at Open.
func (j *Journal) Check(ctx context.Context) ([]Damage, error) { return nil, errors.ErrUnsupported }

// Stats returns counters and gauges.
func (j *Journal) Stats() Stats { return Stats{} }

// MaxBodyBytes returns the longest body Append takes: a quarter of the largest segment and 64 KiB.
func (j *Journal) MaxBodyBytes() int { return 0 }

// Close syncs, writes the end mark and stops all goroutines of the journal. Waiting calls return ErrClosed. It is idempotent.
func (j *Journal) Close() error { return nil }
