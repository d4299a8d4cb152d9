package snapfile

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/blake3"
)

// Writer writes a snapshot file. After an error every call returns it.
type Writer struct {
	z        *zstd.Encoder
	err      error
	kind     Kind
	name     string
	open     bool
	chunk    []byte
	data     *blake3.Hasher // of the open section's bytes
	size     uint64
	all      *blake3.Hasher // of the hashes of all sections
	sections uint64
}

// NewWriter writes the preamble to w. Close or Abort must be called; they do not close w.
func NewWriter(w io.Writer) (*Writer, error) {
	if _, err := w.Write(preamble()); err != nil {
		return nil, err
	}
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(8<<20))
	if err != nil {
		return nil, err
	}
	return &Writer{z: z, chunk: make([]byte, 0, maxChunkBytes), data: blake3.New(), all: blake3.New()}, nil
}

// Section ends the open section and begins another. Its data is what is written to w until the next call.
func (w *Writer) Section(kind Kind, name string) error {
	if kind == kindEnd || len(name) > maxNameBytes {
		return fmt.Errorf("snapfile: section %d %q: reserved kind or long name", kind, name)
	}
	return w.begin(kind, name)
}

func (w *Writer) begin(kind Kind, name string) error {
	if w.finish(); w.err != nil {
		return w.err
	}
	w.kind, w.name, w.open, w.size = kind, name, true, 0
	w.data.Reset()
	_, w.err = w.z.Write(appendHead(nil, kind, name))
	return w.err
}

// Write adds bytes to the open section.
func (w *Writer) Write(p []byte) (int, error) {
	n := 0
	for len(p) > 0 && w.err == nil {
		k := min(len(p), cap(w.chunk)-len(w.chunk))
		w.chunk = append(w.chunk, p[:k]...)
		p, n = p[k:], n+k
		if len(w.chunk) == cap(w.chunk) {
			w.flush()
		}
	}
	return n, w.err
}

func (w *Writer) flush() {
	if len(w.chunk) == 0 || w.err != nil {
		return
	}
	w.data.Write(w.chunk)
	w.size += uint64(len(w.chunk))
	if _, w.err = w.z.Write(appendLength(nil, len(w.chunk))); w.err == nil {
		_, w.err = w.z.Write(w.chunk)
	}
	w.chunk = w.chunk[:0]
}

func (w *Writer) finish() {
	if !w.open || w.err != nil {
		return
	}
	w.flush()
	w.open = false
	sum := sectionHash(w.kind, w.name, w.size, w.data)
	w.all.Write(sum)
	w.sections++
	if w.err == nil {
		_, w.err = w.z.Write(append([]byte{0}, sum...))
	}
}

// Abort ends, instead of Close, a file that must not pass for a whole one: it gets no end section.
func (w *Writer) Abort() {
	if w.err == nil {
		w.err = errors.New("snapfile: aborted")
	}
	w.z.Close()
}

// Close ends the file with a section that vouches for all others.
func (w *Writer) Close() error {
	w.finish()
	if w.err == nil {
		tail := fileTail(w.sections, w.all)
		if w.begin(kindEnd, "") == nil {
			w.Write(tail)
			w.finish()
		}
	}
	if err := w.z.Close(); w.err == nil {
		w.err = err
	}
	return w.err
}
