//go:build !cgo

package main

// cgoDriver is "": the driver written in C is not in this program.
const cgoDriver = ""
