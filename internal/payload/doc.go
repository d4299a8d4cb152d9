// Package payload reads JSON and MessagePack payloads in place: it checks them, finds fields by path and lists all paths,
// without building a tree and without allocating.
//
// In: the bytes of one payload and its Format. Out: Values, which point into those bytes and are valid as long as they are.
//
// A payload has fields only if it is well-formed as a whole (Check) and its top is an object. Well-formed is, for JSON, RFC
// 8259 in UTF-8; for MessagePack, one complete value with nothing behind it, whose strings are UTF-8; for both, nested at most
// MaxDepth deep. The first of duplicate keys counts. The finding functions stop early, so that they may be asked only about
// payloads that Check has passed; on others they give an arbitrary answer, but never fail.
//
// Types: a JSON number without point and exponent is Int, or Big when it does not fit int64; others are Float, an infinity when
// out of range. A MessagePack timestamp is Time if it fits 64 bits of nanoseconds; other extensions, like bin, are Blob. Map keys
// that are not strings cannot be named in a path.
//
// CheckLengths is for payloads that another decoder will read: it says that no length in them leads to more than is there.
//
// Everything is safe for concurrent use except a Selector.
package payload
