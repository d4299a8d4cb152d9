package redex

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed69692123/netdb/redex/journal"
)

// SyncMode says when an append is made durable.
type SyncMode uint8

// The sync modes. SyncAlways is the default.
const (
	SyncAlways   SyncMode = iota // Append returns when durable; concurrent appends share one sync
	SyncInterval                 // Append returns when visible; synced at the first bound of SyncPolicy that is reached
	SyncNever                    // Append returns when visible; synced by Sync, sealing and Close only
)

// SyncPolicy is a store's durability. The zero value is SyncAlways.
type SyncPolicy struct {
	Mode SyncMode
	// Bounds of SyncInterval: the first that is reached starts a sync; an append that would put twice a bound at risk waits.
	// Zero values mean 10 ms, no bound on events, 4 MiB.
	Every  time.Duration
	Events int64
	Bytes  int64
}

// Compression says how events are compressed when they are sealed.
type Compression uint8

// The compressions.
const (
	CompressAuto Compression = iota // s2 while sealing, zstd when the store has time; the default
	CompressS2                      // fast
	CompressZstd                    // smaller
	CompressNone
)

// Options configure a store. The zero value is the default of each field.
type Options struct {
	Sync     SyncPolicy
	ReadOnly bool         // open an existing store without writing to its directory; writes return ErrReadOnly
	Logger   *slog.Logger // nil discards

	clock func() time.Time // nil: the system's; for tests

	// Compression of sealed events. It applies to what is sealed from now on. CompressAuto has row files of a MiB and more written
	// again, at MaintainRate, once nobody has appended or asked for a second: it takes four tenths less room.
	Compression Compression
	// SealBytes is how many bytes of events not yet sealed start the sealing in the background, and how much is sealed at a
	// time. A burst of appends (over 100 MiB/s) puts it off until a quarter of JournalBytes waits. Default 32 MiB, at least 4 KiB.
	SealBytes int64
	// RunEvents is how many events of a log make a run in a row file; fewer are kept as rows of the catalog. Default 256.
	RunEvents int
	// HotBytes bounds the memory of the index of events not yet sealed (32 bytes for an event appended alone), by sealing.
	// Default 64 MiB, at least 64 KiB.
	HotBytes int64
	// JournalBytes bounds the journal: an append over it waits for sealing. Default 1 GiB, at least 2 x SegmentBytes and
	// 2 x SealBytes.
	JournalBytes int64
	// SegmentBytes is the length of the journal's files, which the first ones reach by doubling. A batch is at most a quarter
	// of it. Default 64 MiB; 64 KiB to 1 GiB, a multiple of 4 KiB.
	SegmentBytes int64
	// CacheBytes bounds the memory for blocks of sealed events and for the catalog's. Default 48 MiB, at least 64 KiB.
	CacheBytes int64
	// OpenFiles bounds the row files kept open between reads. Default 256.
	OpenFiles int
	// RetainEvery is how often logs with a Retention are looked at. Those that grow fast are also looked at after each sealing.
	// Default 1 minute, at least 10 ms.
	RetainEvery time.Duration
	// MaintainRate is how many bytes of events a second are read and written again in the background, by compaction, by merging
	// small runs, by moving what lives out of row files that are mostly dead and by CompressAuto. Default 32 MiB; negative: no such work is done by
	// itself, only by Store.Maintain and Log.Compact.
	MaintainRate int64

	// Disk, when not nil, takes the place of the operating system's files: tests cut its power.
	Disk *Disk
}

// Disk is a file system for the files of one store. The journal's directory is apart, because the journal maps its files.
type Disk struct {
	Files vfs.FS
	// Journal returns the directory of that path for the journal. Files has made it.
	Journal func(dir string) (journal.FS, error)
}

// withDefaults returns o with each zero field replaced by its default.
func (o Options) withDefaults() Options {
	o.SealBytes = cmp.Or(o.SealBytes, 32<<20)
	o.RunEvents = cmp.Or(o.RunEvents, 256)
	o.HotBytes = cmp.Or(o.HotBytes, 64<<20)
	o.SegmentBytes = cmp.Or(o.SegmentBytes, 64<<20)
	o.JournalBytes = cmp.Or(o.JournalBytes, max(1<<30, 2*o.SegmentBytes, 2*o.SealBytes))
	o.CacheBytes = cmp.Or(o.CacheBytes, 48<<20)
	o.OpenFiles = cmp.Or(o.OpenFiles, 256)
	o.RetainEvery = cmp.Or(o.RetainEvery, time.Minute)
	o.MaintainRate = cmp.Or(o.MaintainRate, 32<<20)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Sync.Mode == SyncInterval {
		o.Sync.Every = cmp.Or(o.Sync.Every, 10*time.Millisecond)
		o.Sync.Bytes = cmp.Or(o.Sync.Bytes, 4<<20)
	}
	return o
}

// Validate reports every fault of the options at once. Errors wrap ErrOptions.
func (o Options) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("%w: "+format, append([]any{ErrOptions}, args...)...))
		}
	}
	check(o.Sync.Mode <= SyncNever, "unknown sync mode %d", o.Sync.Mode)
	check(o.Sync.Every >= 0 && o.Sync.Events >= 0 && o.Sync.Bytes >= 0, "negative bound of the sync policy")
	check(o.Sync.Mode == SyncInterval || o.Sync == SyncPolicy{Mode: o.Sync.Mode}, "bounds belong to SyncInterval")
	check(o.Compression <= CompressNone, "unknown compression %d", o.Compression)
	check(o.RunEvents >= 0 && o.RunEvents <= 1<<16, "RunEvents %d is not in 1 to 65,536", o.RunEvents)
	check(o.OpenFiles >= 0, "OpenFiles %d is negative", o.OpenFiles)
	check(o.Disk == nil || o.Disk.Files != nil && o.Disk.Journal != nil, "Disk is incomplete")
	d := o.withDefaults()
	check(d.SealBytes >= 4<<10, "SealBytes %d is below 4 KiB", o.SealBytes)
	check(d.HotBytes >= 64<<10, "HotBytes %d is below 64 KiB", o.HotBytes)
	check(d.CacheBytes >= 64<<10, "CacheBytes %d is below 64 KiB", o.CacheBytes)
	check(d.RetainEvery >= 10*time.Millisecond, "RetainEvery %v is below 10 ms", o.RetainEvery)
	check(d.SegmentBytes >= 64<<10 && d.SegmentBytes <= 1<<30 && d.SegmentBytes%4096 == 0, "SegmentBytes %d is not a multiple of 4 KiB from 64 KiB to 1 GiB", o.SegmentBytes)
	check(d.JournalBytes >= 2*d.SegmentBytes && d.JournalBytes >= 2*d.SealBytes, "JournalBytes %d is below twice SegmentBytes or SealBytes", o.JournalBytes)
	return errors.Join(errs...)
}

// LogOptions configure one log. The zero value is the default of each field.
type LogOptions struct {
	CheckJSON bool // refuse JSON payloads that are not well-formed
	// Fields declares payload paths before an event has them, so that queries know their names: each is the names from the
	// payload's top down. At most MaxFieldBytes together. The slices must not be changed afterwards.
	Fields [][]string
	// Retention says what is kept, in the background. The default is everything.
	Retention Retention
	// Quota bounds what is appended. The default is no bound.
	Quota Quota
	// Compaction keeps the newest event of each key only. The default keeps all.
	Compaction Compaction
}

// quota returns the quota, or nil when there is none.
func (o *LogOptions) quota() *Quota {
	if o.Quota == (Quota{}) {
		return nil
	}
	q := o.Quota
	return &q
}

// MaxFieldBytes bounds the names of LogOptions.Fields, each counted with 4 bytes more.
const MaxFieldBytes = 16 << 10

func (o *LogOptions) validate() error {
	if err := errors.Join(o.Retention.validate(), o.Quota.validate(), o.Compaction.validate()); err != nil {
		return err
	}
	total := 0
	for _, path := range o.Fields {
		if len(path) == 0 {
			return fmt.Errorf("%w: an empty path in Fields", ErrOptions)
		}
		for _, name := range path {
			if !utf8.ValidString(name) {
				return fmt.Errorf("%w: %q in Fields is not UTF-8", ErrOptions, name)
			}
			total += len(name) + 4
		}
	}
	if total > MaxFieldBytes {
		return fmt.Errorf("%w: Fields are over %d bytes", ErrOptions, MaxFieldBytes)
	}
	return nil
}

// Durability overrides the store's policy for one append.
type Durability uint8

// The durabilities of an append.
const (
	DurableByPolicy Durability = iota
	DurableYes                 // return when durable
	DurableNo                  // return when visible
)

// Expect is a condition on a log's next sequence. The zero value expects nothing.
type Expect struct {
	set bool
	seq Seq
}

// ExpectSeq makes an append fail with ErrConflict unless the next sequence of its log is seq.
func ExpectSeq(seq Seq) Expect { return Expect{set: true, seq: seq} }

// AppendOptions are the choices of one append.
type AppendOptions struct {
	Durable Durability
	Expect  Expect
}

// recoveredName is the name of a log whose own was lost to damage. CheckName refuses it, so that nobody else has it.
func recoveredName(id LogID) string { return fmt.Sprintf("recovered:%d", id) }

// CheckName reports whether name can name a log: 1 to 255 bytes of A-Z a-z 0-9 - _ . / in segments separated by single
// slashes, none of them empty, "." or "..". The error wraps ErrName and says what is wrong.
func CheckName(name string) error {
	fail := func(why string) error { return fmt.Errorf("%w %q: %s", ErrName, name, why) }
	if name == "" {
		return fail("empty")
	}
	if len(name) > MaxNameBytes {
		return fail("longer than 255 bytes")
	}
	start := 0
	for i := 0; i <= len(name); i++ {
		if i == len(name) || name[i] == '/' {
			switch name[start:i] {
			case "":
				return fail("empty segment")
			case ".", "..":
				return fail("dot segment")
			}
			start = i + 1
			continue
		}
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return fail(fmt.Sprintf("character %q at %d", c, i))
		}
	}
	return nil
}
