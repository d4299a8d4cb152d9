package journal

import (
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
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

// ID tells one journal from all others.
type ID [16]byte

// String returns 32 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

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
	// ID is written to each segment. A journal with segments of another id is refused: ForeignError.
	ID ID
	// MustExist says that the journal was opened before: a directory in which no segment has a header is damage.
	MustExist bool
	// ReadOnly opens without any write to the directory: frames are replayed and can be read, nothing is cut or repaired.
	ReadOnly bool
	// Epochs are the epochs the owner knows of, oldest first; they are merged with those in the segments' headers, which hold
	// the newest ones only.
	Epochs []EpochStart
	// LastTime is a time the owner knows to have been given to a frame: times grow from there.
	LastTime int64
	// Lock, when not nil, is taken by the journal as its own. The owner may hold it over TryAppendLocked, and no other call of
	// the journal but Durable.
	Lock *sync.Mutex
	// OnSync is called after each sync, also one that failed, without a lock held. It must not wait or call the journal.
	OnSync func()
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
	From, To Ordinal // [From, To]; both 0: the newest frames, of unknown number, because the header of their segment is lost
	Err      *CorruptionError
}

// Recovery says what Open found.
type Recovery struct {
	Clean       bool    // the last writer closed the journal, or there was none
	Empty       bool    // there was no segment
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

// The bounds and defaults of Options.
const (
	minSegmentBytes        = 64 << 10
	maxSegmentBytes        = 1 << 30
	defaultFirstSegment    = 1 << 20
	defaultMaxSegment      = 64 << 20
	defaultLimitBytes      = 1 << 30
	segmentsPerFrame       = 4 // a segment is made at least this many times as large as the frame that needs it
	maxAtRisk              = 2 // SyncInterval: an append that would put this many times a bound at risk waits
	defaultIntervalEvery   = 100 * time.Millisecond
	populateAhead          = 4 << 20
	populateLow            = 2 << 20   // the keeper begins when less is ahead
	populateStep           = 512 << 10 // what it does at a time
	populateSmall          = 64 << 10  // the smaller of the units
	populateHelp           = 256 << 10 // what one who waits does
	spareFromRemainderPart = 4         // a spare segment is made when 1/4 of the active one is used
	growthWaited           = 8         // by which segments grow, instead of doubling, when an append had to wait for one
)

// withDefaults fills in the documented defaults.
func (o Options) withDefaults() Options {
	if o.FirstSegmentBytes == 0 {
		o.FirstSegmentBytes = defaultFirstSegment
		if o.MaxSegmentBytes != 0 {
			o.FirstSegmentBytes = min(o.FirstSegmentBytes, o.MaxSegmentBytes)
		}
	}
	if o.MaxSegmentBytes == 0 {
		o.MaxSegmentBytes = max(defaultMaxSegment, o.FirstSegmentBytes)
	}
	if o.LimitBytes == 0 {
		o.LimitBytes = max(defaultLimitBytes, 2*o.MaxSegmentBytes)
	}
	if p := &o.Sync; p.Mode == SyncInterval && p.Every == 0 && p.Events == 0 && p.Bytes == 0 {
		p.Every = defaultIntervalEvery
	}
	return o
}

// Validate reports every fault of the options at once.
func (o Options) Validate() error {
	o = o.withDefaults()
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("journal: "+format, a...)) }
	if o.FirstSegmentBytes < minSegmentBytes || o.FirstSegmentBytes%headerPageBytes != 0 {
		bad("first segment of %d bytes: at least %d and a multiple of %d", o.FirstSegmentBytes, minSegmentBytes, headerPageBytes)
	}
	if o.MaxSegmentBytes < o.FirstSegmentBytes || o.MaxSegmentBytes > maxSegmentBytes || o.MaxSegmentBytes%headerPageBytes != 0 {
		bad("largest segment of %d bytes: from the first one's %d to %d and a multiple of %d",
			o.MaxSegmentBytes, o.FirstSegmentBytes, maxSegmentBytes, headerPageBytes)
	}
	if o.LimitBytes > 0 && o.LimitBytes < 2*o.MaxSegmentBytes {
		bad("limit of %d bytes: at least two segments of %d", o.LimitBytes, o.MaxSegmentBytes)
	}
	if o.Sync.Mode > SyncNever {
		bad("sync mode %d", o.Sync.Mode)
	}
	if o.Sync.Every < 0 || o.Sync.Events < 0 || o.Sync.Bytes < 0 {
		bad("negative bound of the sync policy")
	}
	return errors.Join(errs...)
}
