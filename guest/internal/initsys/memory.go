package initsys

import (
	"os"
	"strconv"
	"strings"
)

// memoryBytes reads how much memory the kernel manages and how much of it is to be had; 0 when
// unknown.
func memoryBytes() (total, available int64) {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, 0
	}
	return parseMeminfo(string(data))
}

func parseMeminfo(text string) (total, available int64) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kib, _ := strconv.ParseInt(fields[1], 10, 64)
		switch fields[0] {
		case "MemTotal:":
			total = kib << 10
		case "MemAvailable:":
			return total, kib << 10
		}
	}
	return total, total
}
