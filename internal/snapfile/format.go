package snapfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/zeebo/blake3"
)

// A file begins with a zstd skippable frame, so that zstd's own tools can unpack the rest:
//
//	0  4  0x184D2A5E, little-endian
//	4  4  length of what follows, 12
//	8  8  "NETDBSNP"
//	16 4  version, little-endian
//
// then one zstd frame with the sections:
//
//	1   kind
//	1-2 uvarint length of the name, at most 1,024; the name
//	    chunks: uvarint length (1 to 1 MiB), bytes; a length of 0 ends them
//	32  BLAKE3 of kind, name and all chunk bytes, each of the three preceded by its length as 8 bytes little-endian
//
// The last section has kind 0xFF, no name, and as its data the number of sections before it as 8 bytes little-endian and the
// BLAKE3 of their hashes in order.
const (
	Version = 1

	skippableMagic = 0x184D2A5E
	preambleBytes  = 20
	magic          = "NETDBSNP"

	maxNameBytes  = 1024
	maxChunkBytes = 1 << 20
	hashBytes     = 32
	kindEnd       = Kind(0xFF)
	maxWindow     = 64 << 20
)

// Kind says what a section holds. 0xFF is reserved.
type Kind uint8

// Conditions of a bad file; they come in an Error, which says where.
var (
	ErrFormat    = errors.New("snapfile: not a snapshot file")
	ErrVersion   = errors.New("snapfile: made by a newer version")
	ErrTruncated = errors.New("snapfile: file ends early")
	ErrHash      = errors.New("snapfile: hash mismatch")
)

func preamble() []byte {
	b := binary.LittleEndian.AppendUint32(nil, skippableMagic)
	b = binary.LittleEndian.AppendUint32(b, preambleBytes-8)
	b = append(b, magic...)
	return binary.LittleEndian.AppendUint32(b, Version)
}

// checkPreamble returns what is wrong with b, and at which byte of it.
func checkPreamble(b []byte) (at int64, err error) {
	switch v := binary.LittleEndian.Uint32(b[16:]); {
	case binary.LittleEndian.Uint32(b) != skippableMagic:
		return 0, ErrFormat
	case binary.LittleEndian.Uint32(b[4:]) != preambleBytes-8:
		return 4, ErrFormat
	case string(b[8:16]) != magic:
		return 8, ErrFormat
	case v != Version:
		return 16, fmt.Errorf("%w: version %d, this program reads %d", ErrVersion, v, Version)
	}
	return 0, nil
}

// appendHead appends what begins a section.
func appendHead(b []byte, kind Kind, name string) []byte {
	b = binary.AppendUvarint(append(b, byte(kind)), uint64(len(name)))
	return append(b, name...)
}

// readHead reads what appendHead wrote.
func readHead(r io.ByteReader, full io.Reader) (Kind, string, error) {
	kind, err := r.ReadByte()
	if err != nil {
		return 0, "", err
	}
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, "", err
	}
	if n > maxNameBytes {
		return 0, "", fmt.Errorf("%w: section name of %d bytes", ErrFormat, n)
	}
	name := make([]byte, n)
	_, err = io.ReadFull(full, name)
	return Kind(kind), string(name), err
}

// appendLength appends the length of a chunk.
func appendLength(b []byte, n int) []byte { return binary.AppendUvarint(b, uint64(n)) }

// readLength reads the length of a chunk, 0 at the end of the section.
func readLength(r io.ByteReader) (uint64, error) {
	n, err := binary.ReadUvarint(r)
	if err == nil && n > maxChunkBytes {
		err = fmt.Errorf("%w: chunk of %d bytes", ErrFormat, n)
	}
	return n, err
}

const tailBytes = 8 + hashBytes

// fileTail returns the data of the last section.
func fileTail(sections uint64, all *blake3.Hasher) []byte {
	return all.Sum(binary.LittleEndian.AppendUint64(nil, sections))
}

func checkTail(tail []byte, sections uint64, all *blake3.Hasher) error {
	if !bytes.Equal(tail, fileTail(sections, all)) {
		return fmt.Errorf("%w of the whole file", ErrHash)
	}
	return nil
}

// sectionHash binds the hash of a section's data to its kind, name and length.
func sectionHash(kind Kind, name string, size uint64, data *blake3.Hasher) []byte {
	b := binary.LittleEndian.AppendUint64([]byte{byte(kind)}, uint64(len(name)))
	b = binary.LittleEndian.AppendUint64(append(b, name...), size)
	sum := blake3.Sum256(data.Sum(b))
	return sum[:]
}
