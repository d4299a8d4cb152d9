package journal

// FS is the directory a journal lives in. Names have no separators. An FS is safe for concurrent use; so are its files,
// except that a caller must not write one range from two goroutines.
type FS interface {
	// BootID identifies the run of the operating system, to tell the death of a process from a restart of the machine.
	// The zero value is "unknown".
	BootID() [16]byte
	// List returns the names of all files.
	List() ([]string, error)
	// Create makes a new file of size zero bytes, with its space allocated. Its length and allocation are on disk when it
	// returns, its directory entry is so after SyncDir. A lack of room is an error for which IsDiskFull is true, and leaves
	// no file behind.
	Create(name string, size int64) (File, error)
	// Open opens an existing file.
	Open(name string, write bool) (File, error)
	// Remove removes a file. It may come back after a power loss until SyncDir.
	Remove(name string) error
	// Rename renames a file, replacing another of the new name.
	Rename(from, to string) error
	// SyncDir makes creations, removals and renames durable.
	SyncDir() error
}

// File is one file of an FS.
type File interface {
	// Size returns the length in bytes.
	Size() int64
	// Map returns the file's bytes as shared memory, or nil if the file is to be written by WriteAt. It is the same slice at
	// each call and valid until Close. Touching it may fault.
	Map() []byte
	// ReadAt and WriteAt are those of io.ReaderAt and io.WriterAt. WriteAt is used when Map returns nil.
	ReadAt(p []byte, off int64) (int, error)
	WriteAt(p []byte, off int64) (int, error)
	// Populate makes [off, off+n) of the memory writable without a fault and returns the end of the range that now is, which
	// is at least off+n. An error means that there is no room.
	Populate(off, n int64) (int64, error)
	// SyncRange returns when the bytes of [off, off+n) that were written before the call are on disk. After an error their
	// state is unknown and no later success says otherwise.
	SyncRange(off, n int64) error
	// Truncate shortens the file and makes that durable. The memory must not be touched afterwards.
	Truncate(size int64) error
	Close() error
}

// UnitPopulator is implemented by files that can be populated in another way: PopulateUnits is Populate, which may write zeros
// to [off, off+n), and asks the system to manage that memory in pieces of unit bytes, a power of 2.
type UnitPopulator interface {
	PopulateUnits(off, n int64, unit int) (int64, error)
}

// Recycler is implemented by an FS whose files can be used again for another segment, with the memory they have.
type Recycler interface {
	// Recyclable reports whether a file that is open may be written to again: not if it has a name elsewhere, whose owner
	// wants it as it is.
	Recyclable(f File) (bool, error)
	// Recycle renames such a file. The new name is durable after SyncDir; before that either name may survive a power loss.
	Recycle(f File, from, to string) error
}

// WriteObserver is implemented by files of simulated disks that give out memory: the journal brackets each write to it, one
// at a time per file. It is how a test cuts power between two frames and how the race detector is satisfied.
type WriteObserver interface {
	BeginWrite()
	EndWrite(off, n int64)
}
