package sqldriver

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"

	"github.com/seed69692123/netdb"
)

// Name is the name of the driver in database/sql.
const Name = "netdb"

// Importing the package registers it: that is how database/sql finds drivers.
func init() { sql.Register(Name, &Driver{}) }

// ErrOptions is returned for a data source name whose directory is open with other options.
var ErrOptions = errors.New("sqldriver: the directory is open with other options")

// Driver opens data source names. Connectors on one directory share one handle, which is closed with the last of them. The zero
// value is ready to use.
type Driver struct {
	mu   sync.Mutex
	open map[string]*shared // by path
}

var (
	_ driver.Driver        = (*Driver)(nil)
	_ driver.DriverContext = (*Driver)(nil)
)

// shared is a handle with those who use it.
type shared struct {
	refs int // guarded by Driver.mu

	mu      sync.Mutex // held while the handle is opened or closed, which nobody else may do meanwhile
	options options
	db      *netdb.DB
}

// OpenConnector implements driver.DriverContext. The directory is opened by the first connection.
func (d *Driver) OpenConnector(dsn string) (driver.Connector, error) {
	s, err := parseDSN(dsn)
	if err != nil {
		return nil, err
	}
	return &connector{driver: d, source: s}, nil
}

// Open implements driver.Driver: a connection that holds the handle by itself.
func (d *Driver) Open(dsn string) (driver.Conn, error) {
	c, err := d.OpenConnector(dsn)
	if err != nil {
		return nil, err
	}
	owner := c.(*connector)
	conn, err := owner.Connect(context.Background())
	if err != nil {
		return nil, err
	}
	conn.(*Conn).release = owner.Close
	return conn, nil
}

// acquire returns the handle on a directory, opened when nobody has it.
func (d *Driver) acquire(ctx context.Context, s source) (*shared, error) {
	d.mu.Lock()
	h := d.open[s.path]
	if h == nil {
		h = &shared{options: s.options}
		if d.open == nil {
			d.open = map[string]*shared{}
		}
		d.open[s.path] = h
	}
	h.refs++
	d.mu.Unlock()

	h.mu.Lock()
	var err error
	switch {
	case h.db == nil:
		h.options = s.options
		h.db, err = netdb.Open(ctx, s.path, s.options.netdb())
	case h.options != s.options:
		err = fmt.Errorf("%w: %s", ErrOptions, s.path)
	}
	h.mu.Unlock()
	if err != nil {
		return nil, errors.Join(err, d.release(s.path, h))
	}
	return h, nil
}

// release gives the handle back; the last one closes it. Who comes meanwhile waits and opens it anew.
func (d *Driver) release(path string, h *shared) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	d.mu.Lock()
	h.refs--
	last := h.refs == 0
	d.mu.Unlock()
	if !last {
		return nil
	}
	var err error
	if h.db != nil {
		err = h.db.Close()
		h.db = nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if h.refs == 0 {
		delete(d.open, path)
	}
	return err
}

// connector makes connections to a data source name. database/sql closes it with its sql.DB.
type connector struct {
	driver *Driver
	source source

	mu     sync.Mutex // held while the handle is opened
	shared *shared    // nil until the first connection, and for a database in memory
	db     *netdb.DB
	closed bool
}

// Connect implements driver.Connector.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return nil, netdb.ErrClosed
	case c.db != nil:
		return &Conn{db: c.db}, nil
	}
	var err error
	if c.source.path == "" {
		c.db, err = netdb.OpenMemory(ctx, c.source.options.netdb())
	} else if c.shared, err = c.driver.acquire(ctx, c.source); err == nil {
		c.db = c.shared.db
	}
	if err != nil {
		return nil, err
	}
	return &Conn{db: c.db}, nil
}

// Driver implements driver.Connector.
func (c *connector) Driver() driver.Driver { return c.driver }

// Close implements io.Closer.
func (c *connector) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	switch {
	case c.shared != nil:
		return c.driver.release(c.source.path, c.shared)
	case c.db != nil:
		return c.db.Close()
	}
	return nil
}

// handle makes connections to a database that somebody else has opened, and closes.
type handle struct{ db *netdb.DB }

// NewConnector returns a connector for an open database, for sql.OpenDB. Closing the sql.DB does not close db.
func NewConnector(db *netdb.DB) driver.Connector { return handle{db} }

// Connect implements driver.Connector.
func (h handle) Connect(context.Context) (driver.Conn, error) { return &Conn{db: h.db}, nil }

// Driver implements driver.Connector.
func (h handle) Driver() driver.Driver { return &Driver{} }
