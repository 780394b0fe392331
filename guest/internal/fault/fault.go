// Package fault is for what must not happen: it tells the console and keeps the agent alive.
package fault

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// ConsolePath is where faults are written; empty: standard error.
var ConsolePath string

// Log writes one short line to the console. It never waits for the console's reader.
func Log(message string) {
	line := []byte("microagent: " + message + "\n")
	if ConsolePath == "" {
		_, _ = unix.Write(2, line)
		return
	}
	for _, path := range []string{ConsolePath, "/dev/kmsg"} {
		fd, err := unix.Open(path, unix.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		_, err = unix.Write(fd, line)
		_ = unix.Close(fd)
		if err == nil {
			return
		}
	}
}

// Recover, deferred, keeps a panic to the goroutine it happened in and logs where that was.
func Recover(what string) {
	if cause := recover(); cause != nil {
		Report(what, cause)
	}
}

// Report logs a recovered panic.
func Report(what string, cause any) {
	text := "unknown cause"
	switch c := cause.(type) {
	case error:
		text = c.Error()
	case string:
		text = c
	}
	var stack [2048]byte
	n := runtime.Stack(stack[:], false)
	Log("a fault in " + what + ": " + text + "\n" + string(stack[:n]))
}
