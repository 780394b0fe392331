package initsys

import (
	"os"
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
)

// makeBox makes the cgroup that commands run in. PID 1 itself needs no shield from the memory
// killer (the kernel never picks it), but it needs room: memory, process numbers and, with the cpu
// controller, its share of time beside however many processes a command starts.
func makeBox(pidsMax, reserve int64) exec.Box {
	if err := unix.Mount("cgroup2", cgroupRoot, "cgroup2", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		fault.Log("cannot mount cgroup2: " + err.Error())
		return exec.Box{}
	}
	available, _ := os.ReadFile(cgroupRoot + "/cgroup.controllers")
	for controller := range strings.FieldsSeq(string(available)) {
		switch controller {
		case "memory", "pids", "cpu", "io", "cpuset":
			write(cgroupRoot+"/cgroup.subtree_control", "+"+controller)
		}
	}
	if err := unix.Mkdir(cgroupBox, 0o755); err != nil && err != unix.EEXIST {
		fault.Log("cannot create the workload cgroup: " + err.Error())
		return exec.Box{}
	}
	write("/proc/sys/kernel/pid_max", "4194304")
	write(cgroupBox+"/pids.max", strconv.FormatInt(clampPids(pidsMax), 10))
	if total := memoryTotal(); total > 0 {
		limit := max(total-reserve, min(total/2, memoryFloorBytes))
		write(cgroupBox+"/memory.max", strconv.FormatInt(limit, 10))
	}
	var box exec.Box
	if fd, err := unix.Open(cgroupBox, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err == nil {
		box.CgroupFD = fd
	}
	if fd, err := unix.Open(cgroupBox+"/memory.events", unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil {
		box.EventsFD = fd
	}
	return box
}

// clampPids raises the system's own limit of threads, and stays under it: without a thread the
// agent's runtime would die.
func clampPids(pidsMax int64) int64 {
	const path = "/proc/sys/kernel/threads-max"
	write(path, strconv.FormatInt(pidsMax+2*threadsKept, 10))
	data, err := os.ReadFile(path)
	if err != nil {
		return pidsMax
	}
	threads, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if err != nil || threads < 2*threadsKept {
		return pidsMax
	}
	return min(pidsMax, threads-threadsKept)
}

// write sets a kernel's file; what a kernel lacks is only missed.
func write(path, text string) bool {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(text))
	return err == nil
}
