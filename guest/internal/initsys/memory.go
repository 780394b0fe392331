package initsys

import "golang.org/x/sys/unix"

// memoryBytes says how much memory the kernel manages and how much of it is free; 0 when unknown.
// At the time of configuring next to nothing is cached, so free is what is to be had.
func memoryBytes() (total, free int64) {
	var s unix.Sysinfo_t
	if unix.Sysinfo(&s) != nil {
		return 0, 0
	}
	unit := int64(max(s.Unit, 1))
	return int64(s.Totalram) * unit, int64(s.Freeram+s.Bufferram) * unit
}
