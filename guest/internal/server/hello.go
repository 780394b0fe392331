package server

import (
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/wire"
)

// AgentVersion is told in the handshake; the build sets it.
var AgentVersion = "0.1.0"

// system is what a running kernel says about itself, always the same.
var system = sync.OnceValue(func() (h wire.GuestHello) {
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		h.Kernel = unix.ByteSliceToString(u.Release[:])
		h.Arch = unix.ByteSliceToString(u.Machine[:])
	}
	return h
})

// DescribeMachine fills a hello from the running kernel.
func DescribeMachine() wire.GuestHello {
	h := system()
	h.Agent = AgentVersion
	var t unix.Timespec
	if _, _, errno := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_BOOTTIME, uintptr(unsafe.Pointer(&t)), 0); errno == 0 {
		h.UptimeMS = t.Nano() / 1_000_000
	}
	return h
}
