package sealed

import (
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// compressor compresses the row bytes of blocks.
type compressor struct {
	how Compression
	buf []byte
	enc *zstd.Encoder
}

// compress returns the bytes to store and their codec. The result is src itself, or valid until the next call.
func (c *compressor) compress(src []byte) ([]byte, uint8, error) {
	const least = 64
	if c.how == None || len(src) < least {
		return src, codecNone, nil
	}
	codec := uint8(codecS2)
	switch c.how {
	case Zstd:
		codec = codecZstd
		if c.enc == nil {
			// Measured on JSON in blocks of 64 KiB: as fast as the level below it, a twentieth smaller, and read more than twice as fast.
			var err error
			c.enc, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithWindowSize(128<<10), zstd.WithLowerEncoderMem(true))
			if err != nil {
				return nil, 0, err
			}
		}
		c.buf = c.enc.EncodeAll(src, c.buf[:0])
	default:
		if need := s2.MaxEncodedLen(len(src)); cap(c.buf) < need {
			c.buf = make([]byte, need)
		}
		c.buf = s2.Encode(c.buf[:cap(c.buf)], src)
	}
	if len(c.buf) > len(src)-len(src)/16 {
		return src, codecNone, nil
	}
	return c.buf, codec, nil
}

// zstdDecoder is the decoder that all readers share. DecodeAll is safe for concurrent use and starts no goroutine; the capacity of its
// destination bounds what it decodes. It is made when the program starts, which takes some microseconds: it has a channel, and one that was
// made in a bubble of testing/synctest cannot be used outside of it.
var zstdDecoder, errZstdDecoder = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderLowmem(true), zstd.IgnoreChecksum(true))

// decompress decodes src into dst's memory, which has a capacity of at least n, and returns the n bytes.
func decompress(dst, src []byte, codec uint8, n int) ([]byte, error) {
	switch codec {
	case codecS2:
		if m, err := s2.DecodedLen(src); err != nil || m != n {
			return nil, errEncoding
		}
		return s2.Decode(dst[:n], src)
	case codecZstd:
		if errZstdDecoder != nil {
			return nil, errZstdDecoder
		}
		out, err := zstdDecoder.DecodeAll(src, dst[:0:n])
		if err == nil && len(out) != n {
			err = errEncoding
		}
		return out, err
	}
	return nil, errEncoding
}
