package sqldriver

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/redex"
)

// ErrDSN is wrapped by errors of data source names.
var ErrDSN = errors.New("sqldriver: bad data source name")

// memoryName is the data source name of a database in memory.
const memoryName = ":memory:"

// source is a parsed data source name. It is comparable.
type source struct {
	path    string // absolute; empty: in memory
	options options
}

// options are those of a data source name, all comparable: two names for one directory must agree on them.
type options struct {
	readonly         bool
	sync             redex.SyncMode
	zone             string
	origin           redex.Origin
	bytes, tempBytes int64
	threads          int
	tempDir          string
}

// parseDSN reads a data source name.
func parseDSN(dsn string) (source, error) {
	fail := func(format string, args ...any) (source, error) {
		return source{}, fmt.Errorf("%w: "+format, append([]any{ErrDSN}, args...)...)
	}
	path, query, _ := strings.Cut(dsn, "?")
	if rest, ok := strings.CutPrefix(path, "file:"); ok {
		if strings.HasPrefix(rest, "//") {
			host, p, found := strings.Cut(rest[2:], "/")
			if host != "" && host != "localhost" || !found {
				return fail("a file is on this machine: write file:///path, not file://%s", host)
			}
			rest = "/" + p
		}
		p, err := url.PathUnescape(rest)
		if err != nil {
			return fail("%v", err)
		}
		path = p
	}
	if path == "" {
		return fail("it names no directory")
	}
	var s source
	if path != memoryName {
		abs, err := filepath.Abs(path)
		if err != nil {
			return fail("%v", err)
		}
		if real, err := filepath.EvalSymlinks(abs); err == nil { // so that two names of a directory are one
			abs = real
		}
		s.path = abs
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return fail("%v", err)
	}
	for name, v := range values {
		if len(v) > 1 {
			return fail("option %s is given twice", name)
		}
		if err := s.options.set(name, v[0]); err != nil {
			return fail("option %s: %v", name, err)
		}
	}
	if s.path == "" && s.options.readonly {
		return fail("a database in memory is never read-only")
	}
	return s, s.options.netdb().Validate()
}

// set takes one option.
func (o *options) set(name, v string) (err error) {
	switch name {
	case "readonly":
		if o.readonly, err = strconv.ParseBool(v); err != nil {
			return fmt.Errorf("%q is neither 0 nor 1", v)
		}
	case "sync":
		mode, ok := map[string]redex.SyncMode{"always": redex.SyncAlways, "interval": redex.SyncInterval, "never": redex.SyncNever}[v]
		if !ok {
			return fmt.Errorf("%q is none of always, interval, never", v)
		}
		o.sync = mode
	case "zone":
		if _, err := time.LoadLocation(v); err != nil {
			return err
		}
		o.zone = v
	case "origin":
		n, err := strconv.ParseUint(v, 16, 64)
		if err != nil {
			return fmt.Errorf("%q is no hexadecimal number of at most 16 digits", v)
		}
		o.origin = redex.Origin(n)
	case "query_bytes":
		return parseNumber(v, &o.bytes)
	case "temp_bytes":
		return parseNumber(v, &o.tempBytes)
	case "query_threads":
		var n int64
		if err := parseNumber(v, &n); err != nil || n > 1<<16 {
			return fmt.Errorf("%q is no number of threads", v)
		}
		o.threads = int(n)
	case "temp_dir":
		o.tempDir = v
	default:
		return errors.New("there is none of that name: they are readonly, sync, zone, origin, query_bytes, query_threads, temp_dir, temp_bytes")
	}
	return nil
}

func parseNumber(v string, n *int64) error {
	x, err := strconv.ParseUint(v, 10, 63)
	if err != nil {
		return fmt.Errorf("%q is no number from 0 on", v)
	}
	*n = int64(x)
	return nil
}

// netdb returns the options of the handle.
func (o options) netdb() netdb.Options {
	zone := time.UTC
	if o.zone != "" {
		if z, err := time.LoadLocation(o.zone); err == nil { // set has loaded it before
			zone = z
		}
	}
	return netdb.Options{
		Store:  redex.Options{ReadOnly: o.readonly, Sync: redex.SyncPolicy{Mode: o.sync}},
		Origin: o.origin, Zone: zone, QueryBytes: o.bytes, QueryThreads: o.threads, TempDir: o.tempDir, TempBytes: o.tempBytes,
	}
}
