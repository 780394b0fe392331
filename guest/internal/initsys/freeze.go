package initsys

import (
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/wire"
)

// freezeWait bounds the wait for processes that are busy in the kernel.
const freezeWait = 5 * time.Second

// Quiesce stops every process of the workload, so that none of them runs in a machine started from the
// saved one before that has numbers, a clock and a name of its own; then it writes the disks.
func (m *machine) Quiesce() *wire.Failure {
	if !freeze() {
		thaw()
		return wire.Fail(wire.IOError, "Could not stop the workload's processes within "+freezeWait.String())
	}
	m.coverBootID()
	unix.Sync()
	return nil
}

func freeze() bool {
	if !write(cgroupBox+"/cgroup.freeze", "1") {
		return false
	}
	for deadline := time.Now().Add(freezeWait); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if text, ok := read(cgroupBox + "/cgroup.events"); ok && strings.Contains(text, "frozen 1") {
			return true
		}
	}
	return false
}

func thaw() { write(cgroupBox+"/cgroup.freeze", "0") }
