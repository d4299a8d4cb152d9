// Package netdb is an embedded, in-process event database.
package netdb
