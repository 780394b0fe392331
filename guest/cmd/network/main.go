// The network process of the guest agent: the TCP/IP stack behind the machine's interface, and the sockets that the host serves.
package main

import (
	"os"
	"runtime/debug"

	"microagent.dev/guest/internal/fault"
	"microagent.dev/guest/internal/netmain"
	"microagent.dev/guest/internal/sysmon"
)

const (
	gcPercent        = 400
	memoryLimitBytes = 20 << 20
)

func main() {
	sysmon.Calm()
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(memoryLimitBytes)
	if err := netmain.Run(os.Args); err != nil {
		fault.Log("the network ended: " + err.Error())
		os.Exit(1)
	}
}
