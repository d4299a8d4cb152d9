package sealed

import "golang.org/x/sys/cpu"

// haveLanes says that the processor has AVX2.
var haveLanes = cpu.X86.HasAVX2

// unpackWide decodes groups of eight numbers. It reads laneLoad bytes at src + l.high of the last group.
//
//go:noescape
func unpackWide(dst *uint64, src *byte, groups int, base uint64, l *lanes)

// unpackNarrow is unpackWide of numbers of 32 bits, and returns the greatest.
//
//go:noescape
func unpackNarrow(dst *uint32, src *byte, groups int, base uint32, l *lanes) (most uint32)
