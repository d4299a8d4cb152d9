package snapfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/blake3"
)

// Reader reads a snapshot file section by section. After an error every call returns it. Errors are *Error, those of the reader
// below included.
type Reader struct {
	z        *zstd.Decoder
	unpacked counter // over z
	b        *bufio.Reader
	err      error
	begun    int // sections whose head was looked for
	kind     Kind
	name     string
	open     bool
	left     uint64 // bytes of the current chunk not yet read
	lastData bool   // the section's chunks are at their end
	data     *blake3.Hasher
	size     uint64
	all      *blake3.Hasher
	sections uint64
}

// NewReader reads the preamble: ErrFormat when it is not that of a snapshot, ErrVersion when it is a newer one's.
func NewReader(r io.Reader) (*Reader, error) {
	head := make([]byte, preambleBytes)
	if n, err := io.ReadFull(r, head); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = ErrFormat
		}
		return nil, headErr(int64(n), err)
	}
	if at, err := checkPreamble(head); err != nil {
		return nil, headErr(at, err)
	}
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	f := &Reader{z: z, unpacked: counter{r: z}, data: blake3.New(), all: blake3.New()}
	f.b = bufio.NewReaderSize(&f.unpacked, 64<<10)
	return f, nil
}

// Next verifies the current section, skipping what was not read of it, and moves to the next one. It returns io.EOF after the
// last one, when the whole file has been verified.
func (r *Reader) Next() (Kind, string, error) {
	if r.err != nil {
		return 0, "", r.err
	}
	if r.open {
		if err := r.finish(); err != nil {
			return 0, "", r.fail(err)
		}
	}
	if err := r.begin(); err != nil {
		return 0, "", r.fail(err)
	}
	if r.kind == kindEnd {
		if err := r.end(); err != nil {
			return 0, "", r.fail(err)
		}
		r.err = io.EOF
		return 0, "", io.EOF
	}
	return r.kind, r.name, nil
}

func (r *Reader) begin() error {
	r.begun++
	r.kind, r.name = 0, ""
	kind, name, err := readHead(r.b, r.b)
	if err != nil {
		return err
	}
	r.kind, r.name, r.open, r.lastData, r.left, r.size = kind, name, true, false, 0, 0
	r.data.Reset()
	return nil
}

// Read reads the current section's data and returns io.EOF at its end. The data is verified only by the next call of Next.
func (r *Reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if !r.open {
		return 0, io.EOF
	}
	n, err := r.read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // read returns io.EOF bare, as the end of the section
		err = r.fail(err)
	}
	return n, err
}

func (r *Reader) read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if r.left == 0 && !r.lastData {
		n, err := readLength(r.b)
		if err != nil {
			return 0, early(err)
		}
		r.left, r.lastData = n, n == 0
	}
	if r.lastData {
		return 0, io.EOF
	}
	n, err := r.b.Read(p[:min(uint64(len(p)), r.left)])
	r.data.Write(p[:n])
	r.size += uint64(n)
	r.left -= uint64(n)
	return n, early(err)
}

func (r *Reader) finish() error {
	buf := make([]byte, 4096)
	for {
		if _, err := r.read(buf); err == io.EOF { //nolint:errorlint // as in Read
			break
		} else if err != nil {
			return err
		}
	}
	r.open = false
	want := make([]byte, hashBytes)
	if _, err := io.ReadFull(r.b, want); err != nil {
		return err
	}
	sum := sectionHash(r.kind, r.name, r.size, r.data)
	if !bytes.Equal(sum, want) {
		return ErrHash
	}
	if r.kind != kindEnd {
		r.all.Write(sum)
		r.sections++
	}
	return nil
}

func (r *Reader) end() error {
	tail := make([]byte, tailBytes)
	for n := 0; n < len(tail); {
		k, err := r.read(tail[n:])
		if err != nil {
			return early(err)
		}
		n += k
	}
	if err := r.finish(); err != nil {
		return err
	}
	if err := checkTail(tail, r.sections, r.all); err != nil {
		return err
	}
	if _, err := r.b.ReadByte(); err != io.EOF { //nolint:errorlint // anything else is trailing data or damage
		return fmt.Errorf("%w: data after the end", ErrFormat)
	}
	return nil
}

// Close frees the decoder. It does not close the reader below.
func (r *Reader) Close() {
	r.z.Close()
	if r.err == nil {
		r.err = ErrFormat
	}
}

// early turns an end of the stream inside a section into ErrTruncated.
func early(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTruncated
	}
	return err
}
