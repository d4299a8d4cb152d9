package sealed

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"sort"
	"sync"
)

// BlockKey names a block among all files that share a cache.
type BlockKey struct {
	File   uint64 // ReaderOptions.FileID
	Offset int64
}

// Cache keeps decoded blocks between reads. It owns the bound; Block.SizeBytes says what one costs. Blocks in a cache are
// shared and never changed. It must be safe for concurrent use.
type Cache interface {
	Get(BlockKey) *Block // nil when it is not there
	Put(BlockKey, *Block)
}

// ReaderOptions are the choices of a reader.
type ReaderOptions struct {
	FileID uint64 // names the file in the cache
	Owner  uint64 // that of the file's writer
	Cache  Cache  // nil means none. Run.Read looks there and puts what it loads; cursors only look
}

// Reader reads a row file. It keeps no descriptor of its own and needs no Close. It is safe for concurrent use.
type Reader struct {
	r    io.ReaderAt
	size int64
	salt uint64
	o    ReaderOptions

	mu     sync.Mutex
	footer *footer // once it was read
}

type footer struct {
	info  FileInfo
	pages []pageEntry
}

// NewReader reads the file's header, 32 bytes, and nothing else. size is the length of the file. ErrFormat is returned for
// other files and newer versions, ForeignError for those of another owner, CorruptError for a damaged header.
func NewReader(r io.ReaderAt, size int64, o ReaderOptions) (*Reader, error) {
	rd := &Reader{r: r, size: size, o: o}
	var b [headerBytes]byte
	if size < headerBytes {
		return nil, &CorruptError{Err: errTruncated}
	}
	if err := rd.readAt(b[:], 0); err != nil {
		return nil, err
	}
	salt, owner, err := parseHeader(b[:])
	if err != nil {
		return nil, err
	}
	if owner != o.Owner {
		return nil, &ForeignError{Want: o.Owner, Have: owner}
	}
	rd.salt = salt
	return rd, nil
}

// readAt fills b from the file. A file that is shorter than its size is corrupt; other errors are passed on.
func (r *Reader) readAt(b []byte, off int64) error {
	n, err := r.r.ReadAt(b, off)
	switch {
	case n == len(b):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return &CorruptError{off, errTruncated}
	}
	return fmt.Errorf("sealed: read %d bytes at %d: %w", len(b), off, err)
}

// object reads and verifies an index, page or footer of at most limit bytes.
func (r *Reader) object(loc Location, kind uint8, limit uint32) ([]byte, error) {
	if loc.Offset < headerBytes || loc.Offset > r.size-int64(loc.Length) || loc.Length < objectHeaderBytes || loc.Length > limit {
		return nil, &CorruptError{loc.Offset, fmt.Errorf("%w: %d bytes there in a file of %d", errTruncated, loc.Length, r.size)}
	}
	b := make([]byte, loc.Length)
	if err := r.readAt(b, loc.Offset); err != nil {
		return nil, err
	}
	body, err := openObject(b, kind, r.salt, loc.Offset)
	if err != nil {
		return nil, &CorruptError{loc.Offset, err}
	}
	return body, nil
}

// loadFooter reads trailer and footer on the first call.
func (r *Reader) loadFooter() (*footer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.footer != nil {
		return r.footer, nil
	}
	at := r.size - trailerBytes
	if at < headerBytes {
		return nil, &CorruptError{0, errTruncated}
	}
	var b [trailerBytes]byte
	if err := r.readAt(b[:], at); err != nil {
		return nil, err
	}
	loc, err := parseTrailer(b[:], r.salt, at)
	if err != nil {
		return nil, &CorruptError{at, err}
	}
	body, err := r.object(loc, kindFooter, maxFooterBytes)
	if err != nil {
		return nil, err
	}
	f := &footer{}
	if f.info, f.pages, err = parseFooter(body, loc.Offset); err != nil {
		return nil, &CorruptError{loc.Offset, err}
	}
	f.info.Bytes = r.size
	r.footer = f
	return f, nil
}

// Info returns the file's totals from its footer.
func (r *Reader) Info() (FileInfo, error) {
	f, err := r.loadFooter()
	if err != nil {
		return FileInfo{}, err
	}
	return f.info, nil
}

// page calls yield with the runs of a page, in order, until it returns false.
func (r *Reader) page(p *pageEntry, yield func(*RunInfo) bool) error {
	body, err := r.object(p.loc, kindPage, maxPageBytes)
	if err != nil {
		return err
	}
	v := varints{b: body}
	var prev RunInfo
	for i := range p.runs {
		run, err := readPageEntry(&v, prev, p.loc.Offset)
		if err == nil && i == 0 && (run.Log != p.log || run.First != p.seq) || i == p.runs-1 && len(v.b) != 0 {
			err = errEncoding
		}
		if err != nil {
			return &CorruptError{p.loc.Offset, err}
		}
		prev = run
		if !yield(&run) {
			return nil
		}
	}
	return nil
}

// Runs yields the directory in order, page by page. The error is the last pair.
func (r *Reader) Runs() iter.Seq2[RunInfo, error] {
	return func(yield func(RunInfo, error) bool) {
		f, err := r.loadFooter()
		if err != nil {
			yield(RunInfo{}, err)
			return
		}
		for i := range f.pages {
			more := true
			err := r.page(&f.pages[i], func(run *RunInfo) bool {
				more = yield(*run, nil)
				return more
			})
			if err != nil {
				yield(RunInfo{}, err)
				return
			}
			if !more {
				return
			}
		}
	}
}

// Find returns the run of log with First ≤ seq ≤ Last, if there is one. It reads one page of the directory.
func (r *Reader) Find(log, seq uint64) (RunInfo, bool, error) {
	f, err := r.loadFooter()
	if err != nil {
		return RunInfo{}, false, err
	}
	// The last page that begins at or before (log, seq).
	i := sort.Search(len(f.pages), func(i int) bool {
		p := &f.pages[i]
		return p.log > log || p.log == log && p.seq > seq
	}) - 1
	if i < 0 {
		return RunInfo{}, false, nil
	}
	var found RunInfo
	var ok bool
	err = r.page(&f.pages[i], func(run *RunInfo) bool {
		if run.Log == log && run.First <= seq && seq <= run.Last {
			found, ok = *run, true
		}
		return !ok && (run.Log < log || run.Log == log && run.First <= seq)
	})
	if err != nil {
		return RunInfo{}, false, err
	}
	return found, ok, nil
}

// Run reads the index of the run at loc, as EndRun or the directory returned it.
func (r *Reader) Run(loc Location) (*Run, error) {
	body, err := r.object(loc, kindIndex, maxIndexBytes)
	if err != nil {
		return nil, err
	}
	info, blocks, err := parseIndex(body, loc)
	if err != nil {
		return nil, &CorruptError{loc.Offset, err}
	}
	run := &Run{r: r, info: info, blocks: blocks, offsets: make([]int64, len(blocks))}
	off := loc.Offset - (info.StoredBytes - int64(loc.Length))
	for i := range blocks {
		run.offsets[i] = off
		off += blocks[i].total
	}
	return run, nil
}
