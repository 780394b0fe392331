package initsys

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/exec"
	"microagent.dev/guest/internal/fault"
)

const (
	cgroupRoot = "/sys/fs/cgroup"
	cgroupBox  = cgroupRoot + "/workload"
	// threadsKept of the system's threads are for the agent and the kernel.
	threadsKept = 512
	// memoryFloorBytes is the least a box is given, however small the machine.
	memoryFloorBytes = 16 << 20
	// processBytesMin is about what the smallest process costs. A fork bomb should meet the limit of
	// processes, which refuses at once, before that of memory, where every process searches in
	// vain for pages to free.
	processBytesMin = 128 << 10
	pidsFloor       = 256
)

// makeBox makes the cgroup that commands run in. PID 1 itself needs no shield from the memory
// killer (the kernel never picks it), but it needs room: memory, process numbers and, with the cpu
// controller, its share of time beside however many processes a command starts.
func makeBox(box *exec.Box, pidsMax, reserve int64) {
	if err := unix.Mount("cgroup2", cgroupRoot, "cgroup2", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		fault.Log("cannot mount cgroup2: " + err.Error())
		return
	}
	enableControllers(cgroupRoot)
	if err := unix.Mkdir(cgroupBox, 0o755); err != nil && err != unix.EEXIST {
		fault.Log("cannot create the workload cgroup: " + err.Error())
		return
	}
	write("/proc/sys/kernel/pid_max", "4194304")
	// What is in use now will stay so: a reserve counted from the total would not be there when it
	// is needed, and then the whole machine reclaims without end.
	total, free := memoryBytes()
	if total > 0 {
		limit := max(min(total, free)-reserve, min(total/4, memoryFloorBytes))
		write(cgroupBox+"/memory.max", strconv.FormatInt(limit, 10))
		pidsMax = min(pidsMax, max(limit/processBytesMin, pidsFloor))
	}
	pidsMax = clampPids(pidsMax)
	write(cgroupBox+"/pids.max", strconv.FormatInt(pidsMax, 10))
	enableControllers(cgroupBox)
	if err := box.Open(cgroupBox, pidsMax); err != nil {
		fault.Log("cannot open the workload cgroup: " + err.Error())
	}
}

// clampPids raises the system's own limit of threads, and stays under it: without a thread the
// agent's runtime would die.
func clampPids(pidsMax int64) int64 {
	const path = "/proc/sys/kernel/threads-max"
	write(path, strconv.FormatInt(pidsMax+2*threadsKept, 10))
	text, _ := read(path)
	threads, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || threads < 2*threadsKept {
		return pidsMax
	}
	return min(pidsMax, threads-threadsKept)
}

// enableControllers gives a cgroup's children the controllers that confine a command, in one step
// where the kernel has them all.
func enableControllers(path string) {
	const file = "/cgroup.subtree_control"
	if write(path+file, "+memory +pids +cpu") {
		return
	}
	for _, controller := range []string{"+memory", "+pids", "+cpu"} {
		write(path+file, controller)
	}
}
