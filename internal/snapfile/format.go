package snapfile

import (
	"encoding/binary"
	"errors"
	"fmt"
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

// Conditions of a bad file.
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

func checkPreamble(b []byte) error {
	if binary.LittleEndian.Uint32(b) != skippableMagic || binary.LittleEndian.Uint32(b[4:]) != preambleBytes-8 || string(b[8:16]) != magic {
		return ErrFormat
	}
	if v := binary.LittleEndian.Uint32(b[16:]); v != Version {
		return fmt.Errorf("%w: version %d, this program reads %d", ErrVersion, v, Version)
	}
	return nil
}
