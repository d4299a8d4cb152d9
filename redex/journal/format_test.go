package journal

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestSpecification compares the constants of docs/format/journal.md with those of the code.
func TestSpecification(t *testing.T) {
	text, err := os.ReadFile("../../docs/format/journal.md")
	if err != nil {
		t.Fatal(err)
	}
	spec := strings.Join(strings.Fields(string(text)), " ")
	for _, want := range []string{
		fmt.Sprintf("`%s`", segmentName(1)),
		fmt.Sprintf("`%s%s`", segmentName(7), damagedSuffix),
		fmt.Sprintf("| `%s` |", poisonName),
		fmt.Sprintf("%d bytes. The header is %d bytes long and stands at offset 0 and once more at offset %d", headerPageBytes, headerBytes, headerCopyAt),
		fmt.Sprintf("| 0 | 8 | magic `%s`", magic),
		fmt.Sprintf("| 8 | 4 | version, %d;", version),
		fmt.Sprintf("count of epochs, at most %d", maxHeaderEpochs),
		fmt.Sprintf("| %d | 16 × %d | the newest epochs", headerFixed, maxHeaderEpochs),
		fmt.Sprintf("| %d | 4 | crc32c of the %d bytes before, not seeded", headerBytes-4, headerBytes-4),
		fmt.Sprintf("Its header is %d bytes long", frameHeaderBytes),
		fmt.Sprintf("in the lower %d bits, kind in the upper %d", maxBodyBits, 32-maxBodyBits),
		fmt.Sprintf("%d: unknown", uint32(lagUnknown)),
		fmt.Sprintf("| %d | frame | a body of 1 to %d bytes", kindFrame, blockBytes),
		fmt.Sprintf("| %d | large frame | a table of one seeded crc32c for each %d bytes", kindLarge, blockBytes),
		fmt.Sprintf("| %d | end frame |", kindEnd),
		fmt.Sprintf("| %d | idle mark |", kindIdle),
		fmt.Sprintf("| %d | end mark |", kindClean),
	} {
		if !strings.Contains(spec, want) {
			t.Errorf("docs/format/journal.md does not say %q", want)
		}
	}
}

// TestGoldenFrame keeps the bytes of version 1 as they are.
func TestGoldenFrame(t *testing.T) {
	b := make([]byte, frameBytes(5))
	putFrame(b, 0x01020304, 258, 1000, 256, []byte("he"), []byte("llo"))
	const want = "0201000000000000e8030000000000000500001002000000bf46db444441ced868656c6c6f000000"
	if got := fmt.Sprintf("%x", b); got != want {
		t.Errorf("frame is %s", got)
	}
	h := encodeHeader(&header{number: 2, salt: 3, first: 4, durable: 2, lastTime: 5, prev: 1, prevEnd: 4096, epoch: 6, size: 65536, id: ID{7, 15: 8}, epochs: []EpochStart{{6, 4}}})
	const wantHead = "4e45544442" + "4a4e4c" + "01000000" + "02000000" + "00000000000000000000000000000000" + "0300000000000000" +
		"0400000000000000" + "0200000000000000" + "0500000000000000" + "01000000" + "00100000" + "0600000000000000" + "0000010000000000" + "01000000" +
		"00000000" + "07000000000000000000000000000008"
	if got := fmt.Sprintf("%x", h[:112]); got != wantHead {
		t.Errorf("header is %s", got)
	}
	if got := fmt.Sprintf("%x", h[headerBytes-4:headerBytes]); got != "3967ada8" {
		t.Errorf("header's checksum is %s", got)
	}
}

func TestFrameBytes(t *testing.T) {
	for size, want := range map[int64]int64{
		1: 40, 8: 40, 9: 48, blockBytes: 32 + blockBytes, blockBytes + 1: 32 + 8 + blockBytes + 8, 2*blockBytes + 8: 32 + 16 + 2*blockBytes + 8,
	} {
		if got := frameBytes(size); got != want {
			t.Errorf("frameBytes(%d) = %d, want %d", size, got, want)
		}
	}
}
