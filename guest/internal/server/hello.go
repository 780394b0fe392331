package server

import (
	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/wire"
)

// AgentVersion is told in the handshake; the build sets it.
var AgentVersion = "0.1.0"

// DescribeMachine fills a hello from the running kernel.
func DescribeMachine() wire.GuestHello {
	h := wire.GuestHello{Agent: AgentVersion}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		h.Kernel = unix.ByteSliceToString(u.Release[:])
		h.Arch = unix.ByteSliceToString(u.Machine[:])
	}
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) == nil {
		h.UptimeMS = t.Nano() / 1_000_000
	}
	return h
}
