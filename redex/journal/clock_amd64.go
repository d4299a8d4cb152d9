package journal

// stamps says that the processor's time stamps count at one rate, whatever it does (CPUID 8000_0007h, EDX bit 8: Intel SDM volume
// 3, "Invariant TSC"; AMD APM volume 2, "TscInvariant").
var stamps = steadyStamps()

// timeStamp reads the processor's time stamp counter.
//
//go:noescape
func timeStamp() uint64

//go:noescape
func steadyStamps() bool
