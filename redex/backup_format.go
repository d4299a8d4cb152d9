package redex

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zeebo/blake3"

	"github.com/seed69692123/netdb/redex/journal"
)

// A backup directory; docs/format/backup.md is the specification.
//
//	BACKUP                  of which store it is
//	LOCK                    locked while something in it changes
//	points/0000000001.point one backup: a list of files
//	files/ab/ab12...        contents, by their BLAKE3, each once
//	new/                    what is being written
const (
	backupName     = "BACKUP"
	backupPoints   = "points"
	backupFiles    = "files"
	backupNew      = "new"
	pointSuffix    = ".point"
	backupVersion  = 1
	maxPointBytes  = 256 << 20
	rowHeaderBytes = 32 // of a row file: has a random number, so no two are alike
)

// hash names a content.
type hash [32]byte

func (h hash) String() string { return hex.EncodeToString(h[:]) }

// backupFile is a file of a backup.
type backupFile struct {
	path string // in the store's directory, with slashes
	size int64
	hash hash
	head string // of a row file: its header in hexadecimal digits; else ""
}

// backupPoint is what a point file says.
type backupPoint struct {
	number uint64
	store  StoreID
	files  journal.ID
	epoch  Epoch
	cut    Cut
	made   time.Time
	list   []backupFile // by path
}

// encodeBackupName returns the text of the BACKUP file.
func encodeBackupName(id StoreID) []byte {
	return sealText(fmt.Appendf(nil, "netdb backup\nformat %d\nstore %s\n", backupVersion, id))
}

// sealText adds a last line with the hash of those before it.
func sealText(b []byte) []byte { return fmt.Appendf(b, "end %s\n", hash(blake3.Sum256(b))) }

// openText returns what sealText was given.
func openText(b []byte) (string, error) {
	text := string(b)
	at := strings.LastIndex(strings.TrimSuffix(text, "\n"), "\n") + 1
	if at == 0 || !strings.HasPrefix(text[at:], "end ") {
		return "", errors.New("it has no end")
	}
	if text != string(sealText(b[:at:at])) {
		return "", errors.New("checksum mismatch")
	}
	return text[:at], nil
}

// decodeBackupName reads it.
func decodeBackupName(b []byte) (id StoreID, err error) {
	text, err := openText(b)
	if err != nil {
		return id, err
	}
	r := lineReader{lines: strings.Split(text, "\n")}
	r.literal("netdb backup")
	r.version()
	r.hex("store ", id[:])
	return id, r.done()
}

// pointName is the name of a point's file.
func pointName(n uint64) string { return fmt.Sprintf("%010d%s", n, pointSuffix) }

// parsePointName is the reverse of pointName.
func parsePointName(name string) (uint64, bool) {
	num, ok := strings.CutSuffix(name, pointSuffix)
	n, err := strconv.ParseUint(num, 10, 64)
	return n, ok && err == nil && n > 0 && pointName(n) == name
}

// encode returns the text of a point file. Its last line is the hash of those before it.
func (p *backupPoint) encode() []byte {
	b := fmt.Appendf(nil, "netdb backup point\nformat %d\npoint %d\nstore %s\nfiles %s\nepoch %d\nordinal %d\ntime %d\nmade %d\n",
		backupVersion, p.number, p.store, p.files, p.epoch, p.cut.Ordinal, p.cut.Time, p.made.UnixNano())
	for _, f := range p.list {
		head := f.head
		if head == "" {
			head = "-"
		}
		b = fmt.Appendf(b, "file %s %d %s %s\n", f.hash, f.size, head, f.path)
	}
	return sealText(b)
}

// decodePoint reads the text of a point file. What it names lies in the directories of a store, and nowhere else.
func decodePoint(b []byte) (*backupPoint, error) {
	text, err := openText(b)
	if err != nil {
		return nil, err
	}
	p := &backupPoint{}
	r := lineReader{lines: strings.Split(text, "\n")}
	r.literal("netdb backup point")
	r.version()
	p.number = r.uint("point ")
	r.hex("store ", p.store[:])
	r.hex("files ", p.files[:])
	p.epoch = Epoch(r.uint("epoch "))
	p.cut.Ordinal = Ordinal(r.uint("ordinal "))
	p.cut.Time = int64(r.uint("time "))
	p.made = time.Unix(0, int64(r.uint("made ")))
	for r.err == nil && len(r.lines) > 0 && r.lines[0] != "" {
		p.list = append(p.list, r.file())
	}
	for i := 1; i < len(p.list) && r.err == nil; i++ {
		if p.list[i].path <= p.list[i-1].path {
			r.fail("file %q is out of order", p.list[i].path)
		}
	}
	return p, r.done()
}

// lineReader reads a text line by line.
type lineReader struct {
	lines []string
	err   error
}

func (r *lineReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// next returns the next line behind its first word.
func (r *lineReader) next(word string) string {
	if len(r.lines) == 0 {
		r.fail("the line %q is missing", strings.TrimSpace(word))
		return ""
	}
	rest, ok := strings.CutPrefix(r.lines[0], word)
	if !ok {
		r.fail("line %.80q where %q was expected", r.lines[0], strings.TrimSpace(word))
	}
	r.lines = r.lines[1:]
	return rest
}

func (r *lineReader) literal(text string) {
	if rest := r.next(text); rest != "" {
		r.fail("%.80q behind %q", rest, text)
	}
}

func (r *lineReader) uint(word string) uint64 {
	n, err := strconv.ParseUint(r.next(word), 10, 64)
	if err != nil || n > math.MaxInt64 {
		r.fail("no number behind %q", strings.TrimSpace(word))
		return 0
	}
	return n
}

func (r *lineReader) hex(word string, dst []byte) {
	b, err := hex.DecodeString(r.next(word))
	if err != nil || len(b) != len(dst) {
		r.fail("no id behind %q", strings.TrimSpace(word))
		return
	}
	copy(dst, b)
}

func (r *lineReader) version() {
	if v := r.uint("format "); r.err == nil && v != backupVersion {
		r.err = fmt.Errorf("%w: a backup of format %d, this program knows %d", ErrFormat, v, backupVersion)
	}
}

// file reads the line of a file.
func (r *lineReader) file() (f backupFile) {
	parts := strings.Split(r.next("file "), " ")
	if len(parts) != 4 {
		r.fail("a file's line has %d parts", len(parts))
		return f
	}
	h, err := hex.DecodeString(parts[0])
	size, err2 := strconv.ParseInt(parts[1], 10, 64)
	f.path = parts[3]
	if f.head = parts[2]; f.head == "-" {
		f.head = ""
	}
	dir, name, _ := strings.Cut(f.path, "/")
	ok := slices.Contains([]string{journalDir, rowsDir, catalogDir}, dir) && name != "" && name[0] != '.' && !strings.ContainsAny(name, `/\:`+"\x00")
	if err != nil || err2 != nil || len(h) != len(f.hash) || size < 0 || !ok {
		r.fail("bad line of a file: %.200q", strings.Join(parts, " "))
		return f
	}
	copy(f.hash[:], h)
	f.size = size
	return f
}

// done returns the first fault, or one for lines that are left.
func (r *lineReader) done() error {
	if r.err == nil && !slices.Equal(r.lines, []string{""}) {
		r.fail("there are more lines than there should be")
	}
	return r.err
}
