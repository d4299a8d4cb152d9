package fold

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/seed69692123/netdb/redex"
	"github.com/vmihailenco/msgpack/v5"
)

func memoryStore(t testing.TB) (*redex.Store, *redex.Log) {
	t.Helper()
	s, err := redex.OpenMemory(t.Context(), redex.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	l, err := s.OpenLog(t.Context(), "in", redex.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s, l
}

func fill(t testing.TB, l *redex.Log, n int) redex.Position {
	t.Helper()
	a, err := l.AppendBatch(t.Context(), make([]redex.Entry, n), redex.AppendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return a.Position
}

type sums struct{ Seen Table[uint64, int] }

func sumDef(o Options) Definition[sums] {
	return Definition[sums]{Name: "sums", Logs: []string{"in"}, Options: o, Fold: Func[sums](func(s *sums, ev redex.Event) error {
		s.Seen.Set(uint64(ev.Seq), 1)
		return nil
	})}
}

// trimmed is a tail of a log below whose floor nothing can be read.
type trimmed struct {
	tail
	floor, from redex.Seq
}

func (t *trimmed) Next(ctx context.Context) bool    { return t.from >= t.floor && t.tail.Next(ctx) }
func (t *trimmed) TryNext(ctx context.Context) bool { return t.from >= t.floor && t.tail.TryNext(ctx) }

func (t *trimmed) Err() error {
	if t.from < t.floor {
		return &redex.RangeLostError{Log: "in", From: t.from, To: t.floor}
	}
	return t.tail.Err()
}

func trimTo(floor redex.Seq) tailFunc {
	return func(l *redex.Log, from redex.Seq) tail { return &trimmed{storeTail(l, from), floor, from} }
}

// TestRangeLost: what retention removed before it was folded is never skipped silently: not at a fresh start (6.4, 63), not
// behind a checkpoint (73).
func TestRangeLost(t *testing.T) {
	s, l := memoryStore(t)
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	last := TokenOf(fill(t, l, 10))
	for _, want := range []redex.Seq{0, 10} {
		h, err := Open(ctx, s, sumDef(Options{tail: trimTo(want + 5)}))
		if err != nil {
			t.Fatal(err)
		}
		err = h.Wait(ctx, last)
		stopped, ok := errors.AsType[*StoppedError](err)
		lost, ok2 := errors.AsType[*redex.RangeLostError](err)
		if !ok || !ok2 || !errors.Is(err, redex.ErrRangeLost) || stopped.Seq != want || lost.To != want+5 {
			t.Fatal(err)
		}
		if h.Stats().State != Stopped || h.Marks()[0].Next != want {
			t.Fatalf("%+v", h.Stats())
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		if want == 0 { // let a fold write a checkpoint at 10, and the log go on
			h, err := Open(ctx, s, sumDef(Options{}))
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(h.CatchUp(ctx), h.Close()); err != nil {
				t.Fatal(err)
			}
			last = TokenOf(fill(t, l, 10))
		}
	}
}

// TestAcceptLost: a range that is declared lost counts as covered, is told, and its tokens learn it (6.4, 67).
func TestAcceptLost(t *testing.T) {
	s, l := memoryStore(t)
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	pos := fill(t, l, 10)
	open := func() *Handle[sums] {
		h, err := Open(ctx, s, sumDef(Options{AcceptLost: true, tail: trimTo(4)}))
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	h := open()
	for round := range 2 {
		if err := h.Wait(ctx, TokenOf(pos)); err != nil {
			t.Fatal(err)
		}
		gone := pos
		gone.Seq = 3
		if err := h.Wait(ctx, TokenOf(gone)); !errors.Is(err, ErrSkipped) || !errors.Is(err, redex.ErrRangeLost) {
			t.Fatal(err)
		}
		m := h.Marks()[0]
		if m.Next != 10 || m.Applied != 10 || m.Skipped != 0 || h.Snapshot().State.Seen.Len() != 6 {
			t.Fatalf("%+v", m)
		}
		if d := cmp.Diff([]LostRange{{"in", 0, 4}}, h.Stats().Lost); d != "" {
			t.Fatal(d)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			h = open()
			if st := h.Stats(); !st.Resumed || st.Events != 0 {
				t.Fatalf("%+v", st)
			}
		}
	}
}

// holed is a tail that leaves out one event, which no tail may do.
type holed struct {
	tail
	hole redex.Seq
}

func (t *holed) TryNext(ctx context.Context) bool {
	return t.tail.TryNext(ctx) && (t.tail.Event().Seq != t.hole || t.tail.TryNext(ctx))
}

func TestHole(t *testing.T) {
	s, l := memoryStore(t)
	pos := fill(t, l, 5)
	h, err := Open(t.Context(), s, sumDef(Options{tail: func(l *redex.Log, from redex.Seq) tail { return &holed{storeTail(l, from), 2} }}))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Wait(t.Context(), TokenOf(pos)); !errors.Is(err, ErrFoldStopped) || !errors.Is(err, redex.ErrRangeLost) {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCheckpointOfAnotherHistory: one that is ahead of the log, or of another store or epoch, is refused (6.4, 68).
func TestCheckpointOfAnotherHistory(t *testing.T) {
	s, l := memoryStore(t)
	fill(t, l, 10)
	cases := map[string]func(*header){
		"ahead of the log":  func(h *header) { h.logs[0].mark.Next = 11 },
		"another store":     func(h *header) { h.store[0]++ },
		"another log":       func(h *header) { h.logs[0].mark.Log += 5 },
		"a later epoch":     func(h *header) { h.epoch++ },
		"a lost epoch":      func(h *header) { h.epoch--; h.logs[0].mark.Ordinal = 1 << 40 },
		"the greatest seq":  func(h *header) { h.logs[0].mark.Next, h.logs[0].mark.Applied = math.MaxInt64, math.MaxInt64 },
		"another fold":      func(h *header) { h.fold = "other" },
		"a log more":        func(h *header) { h.logs = append(h.logs, h.logs[0]) },
		"another table":     func(h *header) { h.layout = "?" },
		"one applied more":  func(h *header) { h.logs[0].mark.Applied++ },
		"no such version":   func(h *header) { h.version++ },
		"skips not reached": func(h *header) { h.logs[0].skips.ranges = []skipRange{{3, 99}} },
	}
	for name, spoil := range cases {
		h, err := Open(t.Context(), s, sumDef(Options{}))
		if err != nil {
			t.Fatal(err)
		}
		if err := h.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := h.Snapshot().State.Seen.Len(); n != 10 {
			t.Fatal(name, n)
		}
		fr, err := h.Frozen()
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		f := *fr.(*frozen)
		f.head.logs = append([]logHeader(nil), f.head.logs...)
		spoil(&f.head)
		if _, err := writeFrozen(t.Context(), h.views, &f, h.generation); err != nil {
			t.Fatal(err)
		}
		h, err = Open(t.Context(), s, sumDef(Options{}))
		if err != nil {
			t.Fatal(name, err)
		}
		st := h.Stats()
		if st.Resumed || !errors.Is(st.Rebuilt, ErrCheckpoint) && !errors.Is(st.Rebuilt, ErrLayout) {
			t.Errorf("%s: %+v", name, st)
		}
		if err := h.CatchUp(t.Context()); err != nil {
			t.Fatal(name, err)
		}
		if n := h.Snapshot().State.Seen.Len(); n != 10 {
			t.Error(name, n)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSkipSet(t *testing.T) {
	var s skipSet
	var copies []skipSet
	var ends []redex.Seq
	for seq := range redex.Seq(1000) {
		if seq%7 < 3 {
			s.add(seq)
		}
		if seq%50 == 0 {
			copies, ends = append(copies, s.share()), append(ends, seq)
		}
	}
	for i, c := range append(copies, s) {
		end := redex.Seq(999)
		if i < len(ends) {
			end = ends[i]
		}
		for seq := range redex.Seq(1010) {
			if want := seq <= end && seq < 1000 && seq%7 < 3; c.has(seq) != want {
				t.Fatal(i, seq, want)
			}
		}
	}
	// Full: ranges that touch are joined, then the oldest are forgotten, and it is known which.
	s = skipSet{}
	for i := range redex.Seq(maxSkipRanges) {
		s.add(2 * i)
	}
	s.add(2 * maxSkipRanges)
	if len(s.ranges) > maxSkipRanges || s.forgotten < 3 || s.forgotten%2 != 1 {
		t.Fatal(len(s.ranges), s.forgotten)
	}
	for seq := s.forgotten; seq <= 2*maxSkipRanges; seq++ {
		if s.has(seq) != (seq%2 == 0) {
			t.Fatal(seq)
		}
	}
	h := &Handle[sums]{logs: []foldLog{{name: "in"}}}
	p := &published[sums]{places: places{{{skips: s}}}}
	if err, ok := errors.AsType[*SkippedError](h.skipOf(p, 0, 1)); !ok || !err.Forgotten {
		t.Fatal(err)
	}
	if err := h.skipOf(p, 0, s.forgotten); err != nil {
		t.Fatal(err)
	}
}

// TestLayout: what must and what must not change the layout of a table.
func TestLayout(t *testing.T) {
	type a struct{ X int }
	type b struct{ Y int }
	type c struct{ X int64 }
	type tagged struct {
		X int `msgpack:"x"`
	}
	type nested struct{ A []map[string]*a }
	type tree struct{ Kids []tree }
	type hidden struct{ x int }
	seen := map[string]reflect.Type{}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[a](), reflect.TypeFor[b](), reflect.TypeFor[c](), reflect.TypeFor[tagged](), reflect.TypeFor[nested](), reflect.TypeFor[tree](),
		reflect.TypeFor[time.Time](), reflect.TypeFor[[4]byte](), reflect.TypeFor[[5]byte](), reflect.TypeFor[[]byte](), reflect.TypeFor[string](),
		reflect.TypeFor[*a](), reflect.TypeFor[map[int]a](), reflect.TypeFor[map[a]int](),
	} {
		l, err := layoutOf(typ, false)
		if err != nil || seen[l] != nil {
			t.Error(typ, "has the layout of", seen[l], l, err)
		}
		seen[l] = typ
	}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[hidden](), reflect.TypeFor[func()](), reflect.TypeFor[chan int](), reflect.TypeFor[any](), reflect.TypeFor[complex128](), reflect.TypeFor[[]hidden](),
	} {
		if l, err := layoutOf(typ, false); err == nil {
			t.Error(typ, "can be stored:", l)
		}
	}
	if _, err := layoutOf(reflect.TypeFor[hidden](), true); err != nil {
		t.Error(err)
	}
	_ = hidden{}.x
	// Indexes, codec, name and key count too.
	one := func(o TableOptions[int, a]) string {
		l, err := newCore(&o).layout()
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	of := func(_ int, v *a) int { return v.X }
	variants := []string{
		one(TableOptions[int, a]{}), one(TableOptions[int, a]{Name: "n"}),
		one(TableOptions[int, a]{Indexes: []Index[int, a]{Ordered("x", of)}}),
		one(TableOptions[int, a]{Indexes: []Index[int, a]{FewValued("x", of)}}),
		one(TableOptions[int, a]{Indexes: []Index[int, a]{Ordered("y", of)}}),
	}
	k, err := newCore(&TableOptions[int32, a]{}).layout()
	if err != nil {
		t.Fatal(err)
	}
	variants = append(variants, k)
	for i, x := range variants {
		for _, y := range variants[:i] {
			if x == y {
				t.Error(i, x)
			}
		}
	}
}

func sampleHeader() *header {
	return &header{
		fold: "f", version: -3, layout: "table t\n", store: redex.StoreID{1, 2, 3}, epoch: 4,
		logs: []logHeader{
			{mark: Mark{Log: 7, Name: "in", Next: 100, Applied: 99, Ordinal: 5, Time: -6, Skipped: 9}, undecodable: 2, skips: skipSet{ranges: []skipRange{{3, 5}, {5, 6}, {90, 100}}, forgotten: 2}},
			{mark: Mark{Log: 8, Name: "other"}, skips: skipSet{ranges: []skipRange{}}},
		},
		lost:    []LostRange{{"in", 0, 3}},
		skipped: []SkippedEvent{{"in", 99, true, "why"}},
		tables:  []tableHeader{{"t", 3}, {"u", 0}},
	}
}

var headerOptions = cmp.AllowUnexported(header{}, logHeader{}, skipSet{}, skipRange{}, tableHeader{})

func FuzzHeader(f *testing.F) {
	f.Add(sampleHeader().append(nil))
	f.Add((&header{plain: true}).append(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var h header
		if h.parse(b) != nil {
			return
		}
		var again header
		if err := again.parse(h.append(nil)); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(h, again, headerOptions); d != "" {
			t.Fatal(d)
		}
	})
}

func TestHeader(t *testing.T) {
	h := sampleHeader()
	b := h.append(nil)
	var got header
	if err := got.parse(b); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(*h, got, headerOptions); d != "" {
		t.Fatal(d)
	}
	for n := range b {
		if new(header).parse(b[:n]) == nil {
			t.Fatal("a part of", n, "bytes was taken for the whole")
		}
	}
}

// FuzzStream reads any bytes as a fold's state.
func FuzzStream(f *testing.F) {
	s, l := memoryStore(f)
	fill(f, l, 3)
	h, err := Open(f.Context(), s, sumDef(Options{}))
	if err != nil {
		f.Fatal(err)
	}
	if err := h.CatchUp(f.Context()); err != nil {
		f.Fatal(err)
	}
	fr, err := h.Frozen()
	if err != nil {
		f.Fatal(err)
	}
	var file bytes.Buffer
	if err := errors.Join(fr.Export(&file), h.Close()); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add(file.Bytes()[:20])
	f.Add(append([]byte(streamMagic), 0xff, 0xff, 0xff, 0xff, 0x03))
	f.Fuzz(func(t *testing.T, b []byte) {
		rr, err := newRecordReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		head, err := rr.header()
		if err != nil {
			return
		}
		var tab Table[uint64, int]
		c := tab.live()
		for _, th := range head.tables {
			if err := c.decode(rr, th.rows); err != nil {
				return
			}
		}
		if !head.plain && rr.finish() == nil && c.len() > len(b) {
			t.Fatal("rows from nowhere")
		}
	})
}

// FuzzMsgpack: what is found well-formed can be decoded without exhausting anything; what the encoder makes is well-formed.
func FuzzMsgpack(f *testing.F) {
	for _, v := range []any{nil, true, 1, -1, 300, 70000, uint64(1) << 63, 1.5, "s", []byte("b"), []any{1, "x", nil}, map[string]any{"a": []int{1, 2}}, time.Unix(1, 2)} {
		b, err := msgpack.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		if err := checkMsgpack(b); err != nil {
			f.Fatal(v, err)
		}
		f.Add(b)
	}
	deep := bytes.Repeat([]byte{0x91}, 1<<16)
	if checkMsgpack(append(deep, 0xc0)) == nil {
		f.Fatal("a depth of 65,536 was taken")
	}
	f.Add(deep)
	f.Add([]byte{0xdd, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if checkMsgpack(b) != nil {
			return
		}
		dec := msgpack.NewDecoder(bytes.NewReader(b))
		if err := dec.Skip(); err == nil {
			if _, err := dec.PeekCode(); err == nil {
				t.Fatal("bytes are left behind a value")
			}
		}
	})
}

func FuzzToken(f *testing.F) {
	for _, p := range []redex.Position{
		{Store: redex.StoreID{1}},
		{Log: 1, Epoch: 1, Ordinal: 1},
		{Store: redex.StoreID{15: 255}, Log: math.MaxUint64, Epoch: math.MaxUint64, Ordinal: math.MaxUint64, Seq: math.MaxInt64},
	} {
		tok := TokenOf(p)
		got, err := ParseToken(tok.String())
		if err != nil || got != tok || len(tok.String()) > maxTokenChars {
			f.Fatal(tok, err)
		}
		f.Add(tok.String())
	}
	f.Add("")
	f.Add("w1")
	f.Fuzz(func(t *testing.T, s string) {
		tok, err := ParseToken(s)
		if err != nil {
			if !errors.Is(err, ErrToken) || !tok.IsZero() {
				t.Fatal(tok, err)
			}
			return
		}
		if tok.String() != s {
			t.Fatalf("%q is a second text of %q", s, tok)
		}
	})
}

// TestToken: one text each, any mistyped character is found, and texts nest in other formats.
func TestToken(t *testing.T) {
	tok := TokenOf(redex.Position{Store: redex.StoreID{0xde, 0xad}, Log: 3, Epoch: 1, Ordinal: 12345, Seq: 678})
	text := tok.String()
	if text != "w13q0AAAAAAAAAAAAAAAAAAAMBuWCmBdhAdm0" {
		t.Error(text)
	}
	for i := range text {
		for _, c := range []byte("A0_z!") {
			bad := text[:i] + string(c) + text[i+1:]
			if got, err := ParseToken(bad); bad != text && (err == nil || !got.IsZero()) {
				t.Error(bad, "was taken")
			}
		}
		if _, err := ParseToken(text[:i]); err == nil {
			t.Error(text[:i], "was taken")
		}
	}
	for _, bad := range []string{text + "A", text + "=", " " + text, text + "\n", "W1" + text[2:]} {
		if _, err := ParseToken(bad); !errors.Is(err, ErrToken) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	var back WriteToken
	b, err := tok.MarshalText()
	if err != nil || back.UnmarshalText(b) != nil || back != tok {
		t.Fatal(back, err)
	}
	if back.UnmarshalText(nil) != nil || !back.IsZero() || (WriteToken{}).String() != "" {
		t.Fatal("the zero token")
	}
	back = tok
	if back.UnmarshalText([]byte("w1?")) == nil || back != tok {
		t.Fatal("a failed parse changed the token")
	}
	if over := TokenOf(redex.Position{Log: 1, Seq: 1 << 63}); over.String() == "" {
		t.Fatal(over)
	} else if _, err := ParseToken(over.String()); !errors.Is(err, ErrToken) {
		t.Fatal("a sequence above 2^63-1 was taken", err)
	}
}

// TestSpecification compares the constants in docs/format/fold.md with those of the code.
func TestSpecification(t *testing.T) {
	text, err := os.ReadFile("../docs/format/fold.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{
		"stream magic": "`" + strings.ReplaceAll(streamMagic, "\x01", `\1`) + "`", "manifest magic": "`" + strings.ReplaceAll(manifestMagic, "\x01", `\1`) + "`",
		"piece bytes": pieceBytes, "pieces per batch": batchPieces, "record bytes": maxRecord, "header bytes": maxHeader,
	} {
		if line := fmt.Sprintf("\n| %s | %v |\n", name, v); !strings.Contains(string(text), line) {
			t.Errorf("the page does not say %q", line)
		}
	}
}
