package redex

import (
	"fmt"
	"log/slog"
	"time"
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

// Options configure a store. The zero value is the default of each field.
type Options struct {
	Sync     SyncPolicy
	ReadOnly bool
	Logger   *slog.Logger // nil discards
}

// LogOptions configure one log. The zero value is the default of each field.
type LogOptions struct {
	CheckJSON bool // refuse JSON payloads that are not well-formed
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
