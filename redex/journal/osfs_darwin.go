package journal

import (
	"encoding/hex"
	"strings"

	"golang.org/x/sys/unix"
)

// bootID returns the kernel's id of this boot, or zero.
func bootID() (id [16]byte) {
	text, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return id
	}
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(b) != len(id) {
		return id
	}
	return [16]byte(b)
}
