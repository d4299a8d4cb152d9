package sealed

import "io"

// WriterOptions are the choices of a file. The zero value is the default of each field.
type WriterOptions struct {
	Compression Compression
	BlockBytes  int // row bytes per block before compression, at most 65,536; 0 means 65,536
}

// Writer writes a row file: BeginRun, Add…, EndRun for each run in ascending order of log and first sequence, then Finish. It
// streams: no call seeks. The first error is kept and returned by every later call; the file is then useless.
type Writer struct {
	w io.Writer
}

// NewWriter begins a file on w.
func NewWriter(w io.Writer, o WriterOptions) (*Writer, error) { return &Writer{w: w}, nil }

// BeginRun begins a run of a log. ErrOrder is returned when log is below the previous run's.
func (w *Writer) BeginRun(log uint64) error { return nil }

// Add adds a row to the run. Its slices may be reused after return. ErrOrder, ErrRunFull and ErrTooLarge leave the writer as
// it was.
func (w *Writer) Add(r *Row) error { return nil }

// EndRun ends the run and returns what was written. A run without rows is an error.
func (w *Writer) EndRun() (RunInfo, error) { return RunInfo{}, nil }

// Offset returns the number of bytes written so far.
func (w *Writer) Offset() int64 { return 0 }

// Finish writes directory and footer. It does not sync or close the underlying writer.
func (w *Writer) Finish() (FileInfo, error) { return FileInfo{}, nil }
