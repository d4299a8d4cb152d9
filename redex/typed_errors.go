package redex

import (
	"errors"
	"fmt"
)

// Conditions of typed logs.
var (
	ErrDecode        = errors.New("redex: event cannot be decoded")    // an event of a typed log; see DecodeError. Readers go on behind it
	ErrEncode        = errors.New("redex: value cannot be encoded")    // Typed.Append: the codec refused the value, nothing was appended
	ErrNewerSchema   = errors.New("redex: schema version is newer")    // in a DecodeError: the program is older than the event
	ErrNoUpgrade     = errors.New("redex: no upgrade of the schema")   // in a DecodeError: the event's older version has no Upgrade
	ErrOtherEncoding = errors.New("redex: payload has another format") // in a DecodeError: the event is not in the codec's encoding
)

// DecodeError says which event of a typed log has no value, and why.
type DecodeError struct {
	Log      string
	Seq      Seq
	Encoding Encoding // of the event
	Schema   uint32   // version of the event
	Known    uint32   // version of the reader
	Err      error    // of the codec or the upgrade, ErrNewerSchema, ErrNoUpgrade, ErrOtherEncoding, or a *PanicError
}

func (e *DecodeError) Error() string {
	at := fmt.Sprintf("sequence %d", e.Seq)
	if e.Log != "" {
		at = fmt.Sprintf("log %q sequence %d", e.Log, e.Seq)
	}
	return fmt.Sprintf("redex: decode %s (%v, schema version %d, known %d): %v", at, e.Encoding, e.Schema, e.Known, e.Err)
}

// Is reports whether target is ErrDecode.
func (e *DecodeError) Is(target error) bool { return target == ErrDecode }

// Unwrap returns the cause.
func (e *DecodeError) Unwrap() error { return e.Err }

// PanicError is a panic of a user's code that was called for an event.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the panic's value when it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
