package redex

import (
	"container/list"
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed69692123/netdb/redex/sealed"
)

// lru is a bounded cache: the least recently used goes first. It is safe for concurrent use.
type lru[K comparable, V any] struct {
	mu    sync.Mutex
	max   int64
	used  int64
	order list.List // of *lruItem[K, V]; the front is the newest
	items map[K]*list.Element
	hits  int64
	miss  int64
}

type lruItem[K comparable, V any] struct {
	key  K
	v    V
	size int64
}

func newLRU[K comparable, V any](max int64) *lru[K, V] {
	return &lru[K, V]{max: max, items: map[K]*list.Element{}}
}

func (c *lru[K, V]) get(k K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.items[k]
	if e == nil {
		c.miss++
		return v, false
	}
	c.hits++
	c.order.MoveToFront(e)
	return e.Value.(*lruItem[K, V]).v, true
}

// put keeps v unless it is larger than an eighth of the cache.
func (c *lru[K, V]) put(k K, v V, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.items[k]; e != nil {
		c.removeLocked(e)
	}
	if size > c.max/8 {
		return
	}
	c.items[k] = c.order.PushFront(&lruItem[K, V]{k, v, size})
	c.used += size
	for c.used > c.max {
		c.removeLocked(c.order.Back())
	}
}

func (c *lru[K, V]) removeLocked(e *list.Element) {
	it := c.order.Remove(e).(*lruItem[K, V])
	delete(c.items, it.key)
	c.used -= it.size
}

func (c *lru[K, V]) figures() (used, hits, miss int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used, c.hits, c.miss
}

// blockCache is the sealed.Cache of a store.
type blockCache struct {
	*lru[sealed.BlockKey, *sealed.Block]
}

func (c blockCache) Get(k sealed.BlockKey) *sealed.Block {
	b, _ := c.get(k)
	return b
}

func (c blockCache) Put(k sealed.BlockKey, b *sealed.Block) { c.put(k, b, b.SizeBytes()) }

// runKey names a run of an open file: a run reads from the file it was opened with.
type runKey struct {
	file   *rowFile
	offset int64
}

// rowFiles opens the row files of a store and keeps some of them open. It is safe for concurrent use.
type rowFiles struct {
	fs     vfs.FS
	dir    string
	owner  uint64 // of identity
	max    int
	blocks blockCache
	runs   *lru[runKey, *sealed.Run]

	mu   sync.Mutex
	open map[uint64]*rowFile
	idle list.List // of *rowFile without users; the front was used last

	pins  int      // while there are any, files stay in the directory
	later []uint64 // to be removed then
}

// rowFile is an open row file.
type rowFile struct {
	n    uint64
	f    vfs.File
	r    *sealed.Reader
	refs int           // guarded by rowFiles.mu, as what follows
	elem *list.Element // in idle, while refs is 0
	gone bool          // not in open any more: close it with the last user
}

func newRowFiles(fs vfs.FS, dir string, openFiles int, cacheBytes int64) *rowFiles {
	return &rowFiles{
		fs: fs, dir: dir, max: openFiles, open: map[uint64]*rowFile{},
		blocks: blockCache{newLRU[sealed.BlockKey, *sealed.Block](cacheBytes * 3 / 4)},
		runs:   newLRU[runKey, *sealed.Run](cacheBytes / 4),
	}
}

func (rf *rowFiles) path(n uint64) string { return rf.fs.PathJoin(rf.dir, rowFileName(n)) }

// acquire opens a file, or finds it open. The caller releases it.
func (rf *rowFiles) acquire(n uint64) (*rowFile, error) {
	rf.mu.Lock()
	if f := rf.open[n]; f != nil {
		f.refs++
		if f.elem != nil {
			rf.idle.Remove(f.elem)
			f.elem = nil
		}
		rf.mu.Unlock()
		return f, nil
	}
	rf.mu.Unlock()
	f, err := rf.load(n)
	if err != nil {
		return nil, err
	}
	rf.mu.Lock()
	defer rf.mu.Unlock()
	if other := rf.open[n]; other != nil { // someone was faster
		other.refs++
		if other.elem != nil {
			rf.idle.Remove(other.elem)
			other.elem = nil
		}
		_ = f.f.Close() // only read from, and nobody saw it
		return other, nil
	}
	rf.open[n] = f
	return f, nil
}

func (rf *rowFiles) load(n uint64) (*rowFile, error) {
	path := rf.path(n)
	f, err := rf.fs.Open(path)
	if isNotExist(err) {
		return nil, &CorruptionError{File: path, Err: fmt.Errorf("file is missing: %w", err)}
	}
	if err != nil {
		return nil, fmt.Errorf("redex: open row file: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("redex: open row file: %w", err), f.Close())
	}
	r, err := sealed.NewReader(f, info.Size(), sealed.ReaderOptions{FileID: n, Cache: rf.blocks, Owner: rf.owner})
	if err != nil {
		return nil, errors.Join(fileError(path, err), f.Close())
	}
	return &rowFile{n: n, f: f, r: r, refs: 1}, nil
}

// release gives up what acquire returned.
func (rf *rowFiles) release(f *rowFile) error {
	rf.mu.Lock()
	var drop []*rowFile
	if f.refs--; f.refs == 0 {
		if f.gone {
			drop = append(drop, f)
		} else {
			f.elem = rf.idle.PushFront(f)
			for rf.idle.Len() > 0 && len(rf.open) > rf.max {
				old := rf.idle.Remove(rf.idle.Back()).(*rowFile)
				old.elem = nil
				delete(rf.open, old.n)
				drop = append(drop, old)
			}
		}
	}
	rf.mu.Unlock()
	var err error
	for _, f := range drop {
		err = errors.Join(err, f.f.Close())
	}
	return err
}

// run returns a run of an open file.
func (rf *rowFiles) run(f *rowFile, at sealed.Location) (*sealed.Run, error) {
	k := runKey{f, at.Offset}
	if r, ok := rf.runs.get(k); ok {
		return r, nil
	}
	r, err := f.r.Run(at)
	if err != nil {
		return nil, fileError(rf.path(f.n), err)
	}
	rf.runs.put(k, r, r.SizeBytes())
	return r, nil
}

// remove removes a file from the directory, or has that done when nobody pins the files any more. Who reads it goes on.
func (rf *rowFiles) remove(n uint64) error {
	rf.mu.Lock()
	later := rf.pins > 0
	if later {
		rf.later = append(rf.later, n)
	}
	rf.mu.Unlock()
	closeErr := rf.evict(n)
	if later {
		return closeErr
	}
	return errors.Join(closeErr, rf.unlink(n))
}

// evict closes a file, now or with its last user.
func (rf *rowFiles) evict(n uint64) error {
	rf.mu.Lock()
	defer rf.mu.Unlock()
	f := rf.open[n]
	if f == nil {
		return nil
	}
	delete(rf.open, n)
	f.gone = true
	if f.elem == nil {
		return nil
	}
	rf.idle.Remove(f.elem)
	f.elem = nil
	return f.f.Close()
}

func (rf *rowFiles) unlink(n uint64) error {
	err := rf.fs.Remove(rf.path(n))
	if isNotExist(err) {
		err = nil
	}
	return err
}

// pin keeps files that are removed in the directory until unpin.
func (rf *rowFiles) pin() {
	rf.mu.Lock()
	defer rf.mu.Unlock()
	rf.pins++
}

// unpin ends a pin, and removes what waited for the last one.
func (rf *rowFiles) unpin() error {
	rf.mu.Lock()
	var gone []uint64
	if rf.pins--; rf.pins == 0 {
		gone, rf.later = rf.later, nil
	}
	rf.mu.Unlock()
	var errs []error
	for _, n := range gone {
		errs = append(errs, rf.unlink(n))
	}
	return errors.Join(errs...)
}

// Close closes the files nobody uses; those in use are closed with their last user.
func (rf *rowFiles) Close() error {
	rf.mu.Lock()
	defer rf.mu.Unlock()
	var err error
	for n, f := range rf.open {
		delete(rf.open, n)
		f.gone = true
		if f.elem != nil {
			rf.idle.Remove(f.elem)
			f.elem = nil
			err = errors.Join(err, f.f.Close())
		}
	}
	return err
}

// fileError turns damage that package sealed found into a CorruptionError.
func fileError(path string, err error) error {
	if c, ok := errors.AsType[*sealed.CorruptError](err); ok {
		return &CorruptionError{File: path, Offset: c.Offset, Err: c.Err}
	}
	if errors.Is(err, sealed.ErrFormat) || errors.Is(err, sealed.ErrForeign) {
		return &CorruptionError{File: path, Err: err}
	}
	return fmt.Errorf("redex: read %s: %w", path, err)
}
