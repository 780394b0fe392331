// The guest agent: PID 1 of a microVM, or with --stdio an ordinary process for tests.
package main

import (
	"os"
	"runtime/debug"

	"microagent.dev/guest/internal/fault"
	"microagent.dev/guest/internal/initsys"
	"microagent.dev/guest/internal/server"
)

// The collector runs seldom, and early enough that the agent stays within the memory the host
// keeps for it (memory_reserve_bytes, 32 MiB by default).
const (
	gcPercent        = 400
	memoryLimitBytes = 24 << 20
)

func main() {
	if initsys.IsLoader() {
		initsys.LoadExtra()
		return
	}
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(memoryLimitBytes)
	if os.Getpid() == 1 {
		initsys.Run()
	}
	switch arg := append(os.Args, "")[1]; arg {
	case "--version":
		_, _ = os.Stdout.WriteString(server.AgentVersion + "\n")
	case "--stdio":
		if err := server.ServeStdio(); err != nil && err.Error() != "EOF" {
			fault.Log("the session ended: " + err.Error())
			os.Exit(1)
		}
	default:
		_, _ = os.Stderr.WriteString("usage: agent --stdio | --version (or run as PID 1)\n")
		os.Exit(2)
	}
}
