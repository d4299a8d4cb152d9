package simdisk

import (
	"errors"
	"fmt"
	"syscall"
)

// Fault is a way in which an operation fails.
type Fault uint8

// The faults. Each is one of the operation before it has an effect, but for the last two.
const (
	NoFault      Fault = iota
	DiskFull           // ENOSPC
	IOError            // EIO
	TooManyFiles       // EMFILE
	Short              // ENOSPC, after half of it was written; of what is no write, DiskFull
	Flip               // none, but one bit of what is read is another; of what is no read, NoFault
)

func (f Fault) err() error {
	switch f {
	case DiskFull, Short:
		return syscall.ENOSPC
	case TooManyFiles:
		return syscall.EMFILE
	}
	return syscall.EIO
}

// faultError is an operation that a test made fail.
type faultError struct {
	what  string
	fault Fault
}

func (e *faultError) Error() string { return e.what + ": " + e.fault.err().Error() }
func (e *faultError) Unwrap() error { return e.fault.err() }

// short reports whether err says that half of a write is to be done.
func short(err error) bool {
	f, ok := errors.AsType[*faultError](err)
	return ok && f.fault == Short
}

// Kind is what an operation does.
type Kind uint8

// The kinds of operations. Those up to Populate change the disk and are counted by Ops; the others are seen by SetFaults alone.
const (
	Write Kind = iota
	Sync
	Create   // of a file, also one that is opened to be written
	Allocate // room for a file that is there
	Remove
	Rename // also a link
	MakeDir
	Truncate
	Place    // in memory of the journal, which cannot fail
	Populate // memory of the journal
	Open     // of a file or directory to read
	Read
	List // of a directory; and what is asked of a file's length
	kinds
)

var kindNames = [kinds]string{
	"write", "sync", "create", "allocate", "remove", "rename", "mkdir", "truncate", "place in", "populate", "open", "read", "list",
}

func (k Kind) String() string {
	if k < kinds {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Kinds returns all kinds of operations.
func Kinds() []Kind {
	all := make([]Kind, kinds)
	for i := range all {
		all[i] = Kind(i)
	}
	return all
}

// Call is one operation.
type Call struct {
	Kind Kind
	Name string
	N    int64 // which one of its kind it is, from 1 on, since SetFaults
}

// SetFaults has f say how each operation fails from now on, reads too; nil ends it. f is called with the disk's lock held.
func (d *Disk) SetFaults(f func(Call) Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.judge = f
	d.calls = [kinds]int64{}
}

// SetPlain gives out the journal's files, from now on, as ones that have to be written with WriteAt instead of memory.
func (d *Disk) SetPlain(plain bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.plain = plain
}

// judgeLocked asks how an operation fails.
func (d *Disk) judgeLocked(kind Kind, name string) Fault {
	if d.judge == nil {
		return NoFault
	}
	d.calls[kind]++
	f := d.judge(Call{kind, name, d.calls[kind]})
	switch {
	case f == Flip && kind != Read:
		return NoFault
	case f == Short && kind != Write:
		return DiskFull
	}
	return f
}

// lookLocked is an operation that changes nothing, and is not counted.
func (d *Disk) lookLocked(kind Kind, name string) error {
	if f := d.judgeLocked(kind, name); f != NoFault {
		return &faultError{kind.String() + " " + name, f}
	}
	return nil
}

// readLocked is a read: what read has read is changed, or not.
func (d *Disk) readLocked(name string, p []byte, read func() (int, error)) (int, error) {
	f := d.judgeLocked(Read, name)
	if f != NoFault && f != Flip {
		return 0, &faultError{"read " + name, f}
	}
	n, err := read()
	if f == Flip && n > 0 {
		p[int(d.calls[Read]*7919)%n] ^= 0x10
	}
	return n, err
}
