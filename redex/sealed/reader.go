package sealed

import (
	"context"
	"io"
	"iter"
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
	Cache  Cache  // nil means none. Run.Read looks there and puts what it loads; cursors only look
}

// Reader reads a row file. It keeps no descriptor of its own and needs no Close.
type Reader struct {
	r io.ReaderAt
}

// NewReader reads the file's header, 32 bytes, and nothing else. size is the length of the file. ErrFormat is returned for
// other files, CorruptError for a damaged header.
func NewReader(r io.ReaderAt, size int64, o ReaderOptions) (*Reader, error) {
	return &Reader{r: r}, nil
}

// Info returns the file's totals from its footer.
func (r *Reader) Info() (FileInfo, error) { return FileInfo{}, nil }

// Runs yields the directory in order, page by page. The error is the last pair.
func (r *Reader) Runs() iter.Seq2[RunInfo, error] { return func(func(RunInfo, error) bool) {} }

// Find returns the run of log that holds seq, or would if the row existed. It reads one page of the directory.
func (r *Reader) Find(log, seq uint64) (RunInfo, bool, error) { return RunInfo{}, false, nil }

// Run reads the index of the run at loc, as EndRun or the directory returned it.
func (r *Reader) Run(loc Location) (*Run, error) { return &Run{}, nil }

// Check reads and verifies the whole file and compares directory, indexes and blocks. It calls damage for each damaged place,
// with the run it lies in when that is known, and returns only what stopped it: ctx, or an I/O error.
func (r *Reader) Check(ctx context.Context, damage func(RunInfo, *CorruptError)) error { return nil }
