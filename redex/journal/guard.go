package journal

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// errFault is the cause when memory of a mapping could not be read or written: an input error of the disk, or the file was
// made shorter by somebody else.
var errFault = errors.New("fault in mapped memory")

// faulted is deferred around every touch of a mapping, after old := debug.SetPanicOnFault(true). It turns a fault into an
// error; other panics go on.
func faulted(old bool, err *error) {
	debug.SetPanicOnFault(old)
	r := recover()
	if r == nil {
		return
	}
	if f, ok := r.(interface{ Addr() uintptr }); ok {
		*err = fmt.Errorf("%w at address %#x", errFault, f.Addr())
		return
	}
	panic(r)
}

// guardedCopy copies src to dst, one of which is mapped.
func guardedCopy(dst, src []byte) (err error) {
	defer faulted(debug.SetPanicOnFault(true), &err)
	copy(dst, src)
	return nil
}
