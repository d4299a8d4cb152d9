// Package flatmap reads small MessagePack maps of numbers and texts in one pass, without reflection: what the models' own events
// are. It takes the plain forms only and gives up at anything else, where the caller turns to a general decoder; so it never has
// to agree with that one about what is unusual.
//
// Data in: the bytes of one payload. Data out: its keys and values, in order; bytes point into the payload.
package flatmap
