//go:build cgo

package main

import _ "github.com/mattn/go-sqlite3" // the driver written in C

// cgoDriver is the name of the driver written in C.
const cgoDriver = "sqlite3"
