// Package sysmon calms the thread with which the Go runtime watches itself.
package sysmon

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// slack lets the runtime's watcher sleep longer than the 20 microseconds it asks for. After every pause it wakes
// fifty times in a row; where programming a timer means leaving the machine (emulation), that costs more than
// starting a process does.
const slack = "8000000" // nanoseconds

// Calm applies it to the threads that run already, all but the caller's and the main one: the watcher is among
// them. Threads and commands they start later would inherit it; exec sets it back.
func Calm() {
	self, leader := unix.Gettid(), unix.Getpid()
	for _, name := range threads() {
		if tid, err := strconv.Atoi(name); err == nil && tid != self && tid != leader {
			write("/proc/"+name+"/timerslack_ns", slack)
		}
	}
}

// threads are numbers of this process's; few, so one read has them all. Package os would cost every boot.
func threads() (list []string) {
	fd, err := unix.Open("/proc/self/task", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	buf := make([]byte, 4096)
	if n, err := unix.ReadDirent(fd, buf); err == nil && n > 0 {
		_, _, list = unix.ParseDirent(buf[:n], -1, nil)
	}
	return list
}

func write(path, text string) {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	_, _ = unix.Write(fd, []byte(text))
	_ = unix.Close(fd)
}
