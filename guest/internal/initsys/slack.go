package initsys

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// sysmonSlack lets the runtime's watcher thread sleep longer than the 20 microseconds it asks
// for. After every pause it wakes fifty times in a row; where programming a timer means leaving the machine
// (emulation), that costs more than starting a process does.
const sysmonSlack = "8000000" // nanoseconds

// calmWatcher applies it to the threads that run already, all but the main one: the watcher is among
// them. Threads and commands they start later would inherit it; exec sets it back.
func calmWatcher() {
	self := unix.Gettid()
	for _, name := range names("/proc/self/task") {
		if tid, err := strconv.Atoi(name); err == nil && tid != self && tid != 1 {
			write("/proc/"+name+"/timerslack_ns", sysmonSlack)
		}
	}
}
