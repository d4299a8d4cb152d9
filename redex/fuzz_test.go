package redex

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"
)

// FuzzNames has names of files and the text of LOCK that say anything.
func FuzzNames(f *testing.F) {
	f.Add([]byte("pid 12\nhost here\nsince 2026-01-01T00:00:00Z\nstate open\ninode 17\ndirectory 4\n"))
	f.Add([]byte("state\ninode 99999999999999999999999\npid -1\n\n\x00"))
	f.Add([]byte(rowFileName(7)))
	f.Add([]byte(pointName(7)))
	name := encodeBackupName(StoreID{1, 2})
	f.Add(name)
	f.Add(name[:bytes.Index(name, []byte("end "))])
	f.Add([]byte("99999999999999999999.rows"))
	f.Fuzz(func(t *testing.T, b []byte) {
		o := parseOwner(b)
		text := fmt.Appendf(nil, "pid %d\nhost %s\nstate %s\ninode %d\ndirectory %d\n", o.pid, o.host, o.state, o.inode, o.dir)
		if again := parseOwner(text); again != o {
			t.Errorf("%+v is read as %+v", o, again)
		}
		if id, n, ok := parseColumnFileName(string(b)); ok && columnFileName(id, n) != string(b) {
			t.Errorf("%q is read as %d, %d", b, id, n)
		}
		if n, ok := parseRowFileName(string(b)); ok && rowFileName(n) != string(b) {
			t.Errorf("%q is file %d", b, n)
		}
		if n, ok := parsePointName(string(b)); ok && pointName(n) != string(b) {
			t.Errorf("%q is point %d", b, n)
		}
		for _, text := range [][]byte{b, sealText(b)} { // with a hash that is right, too
			if id, err := decodeBackupName(text); err == nil && !bytes.EqualFold(encodeBackupName(id), text) {
				t.Errorf("%q is of store %v", text, id)
			}
		}
		if err := CheckName(string(b)); err == nil && (len(b) == 0 || len(b) > MaxNameBytes) {
			t.Errorf("%q is a name", b)
		}
	})
}

// FuzzKeys has keys of the catalog and options of logs that say anything.
func FuzzKeys(f *testing.F) {
	f.Add(logSeqKey(keyRun, 3, 9))
	f.Add(idKey(5))
	f.Add([]byte{keyRun})
	f.Add(cursorKey(3, "consumer", 1))
	o := LogOptions{CheckJSON: true, Fields: [][]string{{"a", "b"}}, Retention: Retention{Events: 3}, Quota: Quota{Bytes: 9}}
	f.Add(appendOptions(nil, o))
	f.Fuzz(func(t *testing.T, b []byte) {
		id, err1 := keyLog(b)
		seq, err2 := keySeq(b)
		if err1 == nil && err2 == nil && len(b) == 17 && string(logSeqKey(b[0], id, seq)) != string(b) {
			t.Errorf("key %x is of log %d sequence %d", b, id, seq)
		}
		if id, name, piece, err := parseCursorKey(b); err == nil && string(cursorKey(id, name, piece)[1:]) != string(b[1:]) {
			t.Errorf("key %x is of log %d consumer %q piece %d", b, id, name, piece)
		}
		if o, err := decodeOptions(b); err == nil {
			if again, err := decodeOptions(appendOptions(nil, o)); err != nil || !reflect.DeepEqual(o, again) {
				t.Errorf("%+v is read as %+v, %v", o, again, err)
			}
		}
	})
}
