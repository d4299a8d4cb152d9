package netdb

import (
	"errors"
	"fmt"

	"github.com/seed69692123/netdb/internal/snapfile"
)

// SnapshotError says where a snapshot is bad. It is an ErrSnapshot.
type SnapshotError struct {
	// Section is "head" for the beginning of the file, else the section's number, from 1, and what it holds.
	Section string
	// Offset is how far was read when the fault was found, which lies there or before. In the head it counts the bytes of the
	// file, in sections what the file unpacks to (zstd -d).
	Offset int64
	Err    error
}

func (e *SnapshotError) Error() string {
	reason := e.Err.Error()
	if f, ok := e.Err.(*snapfile.Error); ok { //nolint:errorlint // the place is told here, and not again
		reason = f.Reason()
	}
	return fmt.Sprintf("netdb: bad snapshot: %s, byte %d: %s", e.Section, e.Offset, reason)
}

// Is reports whether target is ErrSnapshot.
func (e *SnapshotError) Is(target error) bool { return target == ErrSnapshot }

// Unwrap returns what is wrong.
func (e *SnapshotError) Unwrap() error { return e.Err }

func badSnapshot(at snapfile.Place, err error) error {
	if f, ok := errors.AsType[*snapfile.Error](err); ok { // it knows better
		at = f.Place
	}
	section := "head"
	if at.Section > 0 {
		section = fmt.Sprintf("section %d", at.Section)
		if at.Kind != 0 {
			section += " (" + sectionTitle(at.Kind, at.Name) + ")"
		}
	}
	return &SnapshotError{section, at.Offset, err}
}

// bad is an error of the snapshot at the place that is being read.
func (rs *restore) bad(err error) error { return badSnapshot(rs.file.Place(), err) }

func (rs *restore) badf(format string, args ...any) error { return rs.bad(fmt.Errorf(format, args...)) }
