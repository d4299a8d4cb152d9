package netdb

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/seed69692123/netdb/redex"
)

// Options configure a database. The zero value is the default of each field.
type Options struct {
	// Store is the durability and the limits of the logs.
	Store redex.Options
	// Origin names this writer in the events that the models append. 0 is "unnamed".
	Origin redex.Origin
	// Zone is the zone in which queries read and print times; nil means UTC.
	Zone *time.Location
	// QueryBytes is the memory one query may hold; 0 means min(1 GiB, a quarter of the memory limit). Sorts, groups, DISTINCT,
	// joins, set operations and WITH tables that need more put rows into temporary files; what cannot, and a value or group that is too large, is ErrBudget.
	QueryBytes int64
	// TempDir is the directory of those files; "" means tmp in the store's directory, or the system's for temporary files when the
	// store is read-only or in memory. It is made with the first file. Files of ours that a crash has left there are removed by
	// Open; other files are not touched.
	TempDir string
	// TempBytes is what the temporary files of all queries may take together; 0 means 16 GiB. A query that needs more ends with
	// ErrBudget, and so does one on a full disk.
	TempBytes int64
	// QueryThreads is the number of goroutines one query may use; 0 means GOMAXPROCS.
	QueryThreads int
	// BatchRows is the number of rows queries work on at a time, 1 to 2,048; 0 means 2,048.
	BatchRows int
	// Columns says whether queries read events by column; ColumnsNever also keeps column files from being made in the background.
	Columns ColumnUse
	// Lineage says what the parents of an event are, for the table function lineage; nil leaves it to its argument parents.
	Lineage Lineage
	// MaxWaiters bounds the calls that wait for tokens at once, over all folds; 0 means 65,536.
	MaxWaiters int
}

// Validate reports everything that is wrong with the options.
func (o Options) Validate() error {
	var errs []error
	if o.QueryBytes < 0 {
		errs = append(errs, fmt.Errorf("netdb: QueryBytes %d is negative", o.QueryBytes))
	}
	if o.TempBytes < 0 {
		errs = append(errs, fmt.Errorf("netdb: TempBytes %d is negative", o.TempBytes))
	}
	if o.QueryThreads < 0 {
		errs = append(errs, fmt.Errorf("netdb: QueryThreads %d is negative", o.QueryThreads))
	}
	if o.BatchRows < 0 || o.BatchRows > maxBatchRows {
		errs = append(errs, fmt.Errorf("netdb: BatchRows %d is not in [0, %d]", o.BatchRows, maxBatchRows))
	}
	if o.Columns > ColumnsAlways {
		errs = append(errs, fmt.Errorf("netdb: Columns %d is none of the uses of columns", o.Columns))
	}
	if o.MaxWaiters < 0 {
		errs = append(errs, fmt.Errorf("netdb: MaxWaiters %d is negative", o.MaxWaiters))
	}
	return errors.Join(errs...)
}

const maxBatchRows = 2048

func (o Options) withDefaults() Options {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.QueryBytes == 0 {
		o.QueryBytes = defaultQueryBytes()
	}
	if o.TempBytes == 0 {
		o.TempBytes = 16 << 30
	}
	if o.QueryThreads == 0 {
		o.QueryThreads = runtime.GOMAXPROCS(0)
	}
	if o.BatchRows == 0 {
		o.BatchRows = maxBatchRows
	}
	if o.MaxWaiters == 0 {
		o.MaxWaiters = 65_536
	}
	return o
}

// tempDirName is the directory of temporary files in a store.
const tempDirName = "tmp"

// tempDir returns where temporary files go. A store that is not on a disk of the system has no directory for them.
func (o Options) tempDir(store string) string {
	switch {
	case o.TempDir != "":
		return o.TempDir
	case store == "" || o.Store.ReadOnly || o.Store.Disk != nil:
		return os.TempDir()
	}
	return filepath.Join(store, tempDirName)
}
