package exec

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// sigaction changes what the kernel does about a signal, past the runtime; with was it keeps the old one.
func sigaction(sig unix.Signal, to, was *[32]byte) bool {
	const maskBytes = 8
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(to)), uintptr(unsafe.Pointer(was)), maskBytes, 0, 0)
	return errno == 0
}
