package exec

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// realTimeFirst is the first signal that C libraries leave to programs, realTimeLast the last one there is.
const realTimeFirst, realTimeLast = 34, 64

// signalOf is the signal of a name such as "SIGTERM", or "SIG37" for one that has no name of its
// own; 0 when there is none. Results name signals the same way.
func signalOf(name string) unix.Signal {
	if sig := unix.SignalNum(name); sig != 0 {
		return sig
	}
	number, err := strconv.Atoi(strings.TrimPrefix(name, "SIG"))
	if err != nil || !strings.HasPrefix(name, "SIG") || number < realTimeFirst || number > realTimeLast {
		return 0
	}
	return unix.Signal(number)
}
