// Package fold (CortEX) keeps typed state that follows logs.
package fold
