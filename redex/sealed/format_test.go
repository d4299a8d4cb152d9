package sealed

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestSpecification compares the constants in docs/format/rows.md with those of the code.
func TestSpecification(t *testing.T) {
	text, err := os.ReadFile("../../docs/format/rows.md")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"header magic": "`" + strings.ReplaceAll(headerMagic, "\x00", `\0`) + "`", "trailer magic": "`" + strings.ReplaceAll(trailerMagic, "\x00", `\0`) + "`",
	}
	for name, v := range map[string]int{
		"version": version, "header bytes": headerBytes, "trailer bytes": trailerBytes, "block header bytes": blockHeaderBytes,
		"object header bytes": objectHeaderBytes, "kind of a block": kindBlock, "kind of an index": kindIndex, "kind of a page": kindPage,
		"kind of a footer": kindFooter, "codec none": codecNone, "codec s2": codecS2, "codec zstd": codecZstd, "rows per block": maxBlockRows,
		"row bytes per block": maxBlockBytes, "row bytes": MaxRowBytes, "blocks per run": maxRunBlocks, "index bytes": maxIndexBytes,
		"page bytes": maxPageBytes, "footer bytes": maxFooterBytes,
	} {
		want[name] = fmt.Sprint(v)
	}
	_, table, _ := strings.Cut(string(text), "| constant | value |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	for _, m := range regexp.MustCompile(`(?m)^\| (.+?) \| (.+?) \|$`).FindAllStringSubmatch(table, -1) {
		if want[m[1]] != m[2] {
			t.Errorf("%s: the page says %s, the code %s", m[1], m[2], want[m[1]])
		}
		delete(want, m[1])
	}
	for name := range want {
		t.Errorf("%s is not on the page", name)
	}
}

// TestGolden pins the bytes of version 1: a file without compression must stay as it is.
func TestGolden(t *testing.T) {
	file, runs := smallFile(t, None)
	const want = "369f00d32e582029bb879b0a68490b63dfde8fc33234cb6bb26551c7bed82319"
	if got := fmt.Sprintf("%x", sha256.Sum256(file)); got != want {
		t.Errorf("file of %d bytes with hash %s, want %s", len(file), got, want)
	}
	again, _, _ := write(t, WriterOptions{Compression: None, BlockBytes: 400, Salt: 5}, runs)
	if !bytes.Equal(file, again) {
		t.Error("writing is not deterministic")
	}
}
