package sealed

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// WriterOptions are the choices of a file. The zero value is the default of each field.
type WriterOptions struct {
	Compression Compression
	BlockBytes  int    // row bytes per block before compression, at most 65,536; 0 means 65,536
	Salt        uint64 // makes the checksums of this file its own; 0 means random
	Owner       uint64 // of the file, by which its readers know it as theirs
}

// Writer writes a row file: BeginRun, Add…, EndRun for each run in ascending order of log and first sequence, then Finish. It
// streams: no call seeks. The first failure to write is kept and returned by every later call; the file is then useless.
type Writer struct {
	w     io.Writer
	limit int
	salt  uint64
	off   int64
	err   error

	pack compressor
	cols packer
	out  []byte // object being assembled

	// The block being filled: a slice per column, in the order of the format, and the row bytes.
	col      [11][]uint64
	payloads []byte
	keys     []byte
	headers  []byte

	open     bool
	finished bool
	run      RunInfo
	blocks   []blockEntry

	last  RunInfo // the run before, for the order
	page  []byte  // entries of the page being filled
	prev  RunInfo // the last entry of the page
	first RunInfo // the first
	count int64
	pages []pageEntry
	info  FileInfo
}

// NewWriter begins a file on w.
func NewWriter(w io.Writer, o WriterOptions) (*Writer, error) {
	if o.BlockBytes < 0 || o.BlockBytes > maxBlockBytes || o.Compression > None {
		return nil, fmt.Errorf("sealed: options out of range: block of %d bytes, compression %d", o.BlockBytes, o.Compression)
	}
	if o.BlockBytes == 0 {
		o.BlockBytes = maxBlockBytes
	}
	for o.Salt == 0 {
		var b [8]byte
		if _, err := rand.Read(b[:]); err != nil {
			return nil, fmt.Errorf("sealed: salt: %w", err)
		}
		o.Salt = binary.LittleEndian.Uint64(b[:])
	}
	wr := &Writer{w: w, limit: o.BlockBytes, salt: o.Salt, pack: compressor{how: o.Compression}}
	return wr, wr.write(appendHeader(nil, o.Salt, o.Owner))
}

func (w *Writer) write(b []byte) error {
	if w.err != nil {
		return w.err
	}
	n, err := w.w.Write(b)
	if err == nil && n != len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		w.err = fmt.Errorf("sealed: write at %d: %w", w.off, err)
		return w.err
	}
	w.off += int64(n)
	return nil
}

// BeginRun begins a run of a log. ErrOrder is returned when log is below the previous run's.
func (w *Writer) BeginRun(log uint64) error {
	if w.err != nil {
		return w.err
	}
	if w.open || w.finished {
		return errors.New("sealed: BeginRun inside a run or after Finish")
	}
	if w.info.Runs > 0 && log < w.last.Log {
		return fmt.Errorf("%w: log %d after %d", ErrOrder, log, w.last.Log)
	}
	w.open = true
	w.run = RunInfo{Log: log, MinTime: math.MaxInt64, MaxTime: math.MinInt64}
	w.blocks = w.blocks[:0]
	return nil
}

// Add adds a row to the run. Its slices may be reused after return. ErrOrder, ErrRunFull and ErrTooLarge leave the writer as
// it was.
func (w *Writer) Add(r *Row) error {
	size := len(r.Payload) + len(r.Key) + len(r.Headers)
	switch {
	case w.err != nil:
		return w.err
	case !w.open:
		return errors.New("sealed: Add outside of a run")
	case len(r.Payload) > MaxRowBytes || len(r.Key) > MaxRowBytes || len(r.Headers) > MaxRowBytes || size > MaxRowBytes:
		return fmt.Errorf("%w: %d bytes, limit %d", ErrTooLarge, size, MaxRowBytes)
	case w.run.Rows > 0 && r.Seq <= w.run.Last:
		return fmt.Errorf("%w: sequence %d after %d", ErrOrder, r.Seq, w.run.Last)
	case w.run.Rows == 0 && w.info.Runs > 0 && w.run.Log == w.last.Log && r.Seq <= w.last.Last:
		return fmt.Errorf("%w: sequence %d of log %d after %d of the run before", ErrOrder, r.Seq, w.run.Log, w.last.Last)
	}
	rows := len(w.col[0])
	if rows == maxBlockRows || rows > 0 && w.rawBytes()+size > w.limit {
		if len(w.blocks) == maxRunBlocks-1 {
			return ErrRunFull
		}
		if err := w.flushBlock(); err != nil {
			return err
		}
	}
	if w.run.Rows == 0 {
		w.run.First = r.Seq
	}
	w.run.Last = r.Seq
	w.run.Rows++
	w.run.MinTime, w.run.MaxTime = min(w.run.MinTime, r.Time), max(w.run.MaxTime, r.Time)
	w.run.RawBytes += int64(size)
	key := uint64(0)
	if r.Key != nil {
		key = uint64(len(r.Key)) + 1
	}
	for i, x := range [...]uint64{
		r.Seq, uint64(r.Time), r.Origin, r.Idempotency, uint64(r.Kind), uint64(r.SchemaVersion), uint64(r.Encoding), uint64(r.Flags),
		uint64(len(r.Payload)), key, uint64(len(r.Headers)),
	} {
		w.col[i] = append(w.col[i], x)
	}
	w.payloads = append(w.payloads, r.Payload...)
	w.keys = append(w.keys, r.Key...)
	w.headers = append(w.headers, r.Headers...)
	return nil
}

func (w *Writer) rawBytes() int { return len(w.payloads) + len(w.keys) + len(w.headers) }

// flushBlock writes the block that was filled.
func (w *Writer) flushBlock() error {
	rows := len(w.col[0])
	times := w.col[1]
	e := blockEntry{rows: rows, first: w.col[0][0], last: w.col[0][rows-1], minTime: int64(times[0]), maxTime: int64(times[0])}
	for _, t := range times {
		e.minTime, e.maxTime = min(e.minTime, int64(t)), max(e.maxTime, int64(t))
	}
	w.out = append(w.out[:0], make([]byte, blockHeaderBytes)...)
	for i := range w.col {
		w.out = w.cols.appendColumn(w.out, w.col[i], i == 2 || i == 4)
		w.col[i] = w.col[i][:0]
	}
	e.columns = len(w.out) - blockHeaderBytes
	raw := append(append(w.payloads, w.keys...), w.headers...)
	stored, codec, err := w.pack.compress(raw)
	if err != nil {
		w.err = fmt.Errorf("sealed: compress: %w", err)
		return w.err
	}
	h := blockHeader{codec: codec, rows: rows, columns: e.columns, stored: len(stored), raw: len(raw), dataCRC: crc32.Checksum(stored, castagnoli)}
	h.put(w.out)
	binary.LittleEndian.PutUint32(w.out, crc32.Update(seed(w.salt, w.off), castagnoli, w.out[4:]))
	e.total = int64(len(w.out) + len(stored))
	if len(stored) <= maxBlockBytes {
		w.out = append(w.out, stored...)
		err = w.write(w.out)
	} else if err = w.write(w.out); err == nil { // a large row is not copied once more
		err = w.write(stored)
	}
	w.payloads, w.keys, w.headers = keep(raw), keep(w.keys), keep(w.headers)
	w.pack.buf = keep(w.pack.buf)
	w.run.StoredBytes += e.total
	w.blocks = append(w.blocks, e)
	return err
}

// keep returns b emptied, or nil when a large row made it large.
func keep(b []byte) []byte {
	if cap(b) > 8*maxBlockBytes {
		return nil
	}
	return b[:0]
}

// EndRun ends the run and returns what was written. A run without rows is an error, and leaves no trace in the file.
func (w *Writer) EndRun() (RunInfo, error) {
	if w.err != nil {
		return RunInfo{}, w.err
	}
	if !w.open {
		return RunInfo{}, errors.New("sealed: EndRun outside of a run")
	}
	if w.run.Rows == 0 {
		w.open = false
		return RunInfo{}, errors.New("sealed: run without rows")
	}
	if err := w.flushBlock(); err != nil {
		return RunInfo{}, err
	}
	w.open = false
	w.out = appendIndex(appendObjectHeader(w.out[:0], kindIndex), &w.run, w.blocks)
	sealObject(w.out, w.salt, w.off)
	w.run.Location = Location{w.off, uint32(len(w.out))}
	w.run.StoredBytes += int64(len(w.out))
	if err := w.write(w.out); err != nil {
		return RunInfo{}, err
	}
	if w.info.Runs == 0 {
		w.info.MinTime, w.info.MaxTime = w.run.MinTime, w.run.MaxTime
	}
	w.info.Runs++
	w.info.Rows += w.run.Rows
	w.info.RawBytes += w.run.RawBytes
	w.info.MinTime, w.info.MaxTime = min(w.info.MinTime, w.run.MinTime), max(w.info.MaxTime, w.run.MaxTime)
	w.last = w.run
	if w.count == 0 {
		w.first, w.prev = w.run, RunInfo{}
	}
	w.page = appendPageEntry(w.page, &w.prev, &w.run)
	w.prev = w.run
	w.count++
	if len(w.page) >= pageBytes {
		if err := w.flushPage(); err != nil {
			return RunInfo{}, err
		}
	}
	return w.run, nil
}

func (w *Writer) flushPage() error {
	w.out = append(appendObjectHeader(w.out[:0], kindPage), w.page...)
	sealObject(w.out, w.salt, w.off)
	w.pages = append(w.pages, pageEntry{loc: Location{w.off, uint32(len(w.out))}, runs: w.count, log: w.first.Log, seq: w.first.First})
	w.page, w.count = w.page[:0], 0
	return w.write(w.out)
}

// Offset returns the number of bytes written so far.
func (w *Writer) Offset() int64 { return w.off }

// Finish writes directory and footer. It does not sync or close the underlying writer.
func (w *Writer) Finish() (FileInfo, error) {
	if w.err != nil {
		return FileInfo{}, w.err
	}
	if w.open || w.finished {
		return FileInfo{}, errors.New("sealed: Finish inside a run or after Finish")
	}
	if w.count > 0 {
		if err := w.flushPage(); err != nil {
			return FileInfo{}, err
		}
	}
	at := w.off
	w.out = appendFooter(appendObjectHeader(w.out[:0], kindFooter), &w.info, w.pages)
	if len(w.out) > maxFooterBytes {
		w.err = fmt.Errorf("sealed: %d runs are too many for one file", w.info.Runs)
		return FileInfo{}, w.err
	}
	sealObject(w.out, w.salt, at)
	n := len(w.out)
	w.out = appendTrailer(w.out, w.salt, at+int64(n), at, n)
	if err := w.write(w.out); err != nil {
		return FileInfo{}, err
	}
	w.finished = true
	w.info.Bytes = w.off
	return w.info, nil
}
