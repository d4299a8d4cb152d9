package snapfile

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Place is a place in a file. Where in the packed bytes damage lies cannot be told from what they unpack to, so a place in a
// section is one in the unpacked bytes: those behind the preamble, as zstd -d gives them.
type Place struct {
	Section int  // from 1; 0 in the preamble and at the beginning of the zstd frame
	Kind    Kind // of the section, with its name, once its head was read
	Name    string
	// Offset is how far was read when the fault was found, which lies there or before. It counts the unpacked bytes, in section
	// 0 those of the file.
	Offset int64
}

// Error says where a file is bad.
type Error struct {
	Place
	Err error
}

func (e *Error) Error() string {
	where := fmt.Sprintf("section %d, unpacked byte %d", e.Section, e.Offset)
	if e.Section == 0 {
		where = fmt.Sprintf("byte %d", e.Offset)
	}
	return fmt.Sprintf("snapfile: %s: %s", where, e.Reason())
}

// Unwrap returns what is wrong.
func (e *Error) Unwrap() error { return e.Err }

// Reason says what is wrong, without the place and the package's name.
func (e *Error) Reason() string { return strings.TrimPrefix(e.Err.Error(), "snapfile: ") }

// Place returns where the reader is.
func (r *Reader) Place() Place {
	if r.unpacked.n == 0 {
		return Place{Offset: preambleBytes}
	}
	return Place{Section: r.begun, Kind: r.kind, Name: r.name, Offset: r.unpacked.n - int64(r.b.Buffered())}
}

// counter counts what is read through it.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// headErr is an error of the preamble.
func headErr(at int64, err error) error { return &Error{Place{Offset: at}, err} }

// fail ends the reader with an error, at the place where it is.
func (r *Reader) fail(err error) error {
	if _, ok := errors.AsType[*Error](err); !ok {
		err = &Error{r.Place(), early(err)}
	}
	r.err = err
	return err
}
