package journal

import "testing"

// FuzzSegmentName has names of files that say anything.
func FuzzSegmentName(f *testing.F) {
	f.Add("0000000001.seg")
	f.Add("4294967296.seg")
	f.Add("0000000000.seg")
	f.Add("+000000001.seg")
	f.Fuzz(func(t *testing.T, name string) {
		if n, ok := parseSegmentName(name); ok && (n == 0 || segmentName(n) != name) {
			t.Errorf("%q is segment %d", name, n)
		}
	})
}
