package initsys

import (
	"time"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/exec"
)

// killWait bounds the wait for killed processes: one may hang in the kernel.
const killWait = 2 * time.Second

// PowerOff ends every process, lets go of the disks and turns the machine off.
func (m *machine) PowerOff(grace time.Duration) {
	thaw()
	// Its process would be started again.
	if n := m.net.Swap(nil); n != nil {
		n.Close()
	}
	_ = unix.Kill(-1, unix.SIGTERM)
	_ = unix.Kill(-1, unix.SIGCONT)
	if !waitAlone(grace, func() {}) {
		waitAlone(killWait, func() {
			write(cgroupBox+"/cgroup.kill", "1")
			_ = unix.Kill(-1, unix.SIGKILL)
		})
	}
	turnOff := canTurnOff()
	unix.Sync()
	if m.root != nil {
		m.root.leave()
		unix.Sync()
	}
	if turnOff {
		_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	}
	restart()
}

// waitAlone repeats act until PID 1 has no children; all processes are its descendants.
func waitAlone(limit time.Duration, act func()) bool {
	deadline := time.Now().Add(limit)
	for {
		act()
		exec.ReapOrphans()
		if exec.Alone() {
			return true
		}
		if !time.Now().Before(deadline) {
			return false
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// canTurnOff: asking a machine without a way to power off would halt it for ever.
func canTurnOff() bool {
	var st unix.Stat_t
	return unix.Stat("/sys/firmware/acpi", &st) == nil || unix.Stat("/sys/firmware/devicetree/base/psci", &st) == nil
}

func restart() {
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	for {
		time.Sleep(time.Second)
	}
}

// leave goes back to the initramfs and drops the tree of mounts; the last reference unmounts the
// upper's disk in order.
func (r *root) leave() {
	if unix.Fchdir(r.overlay) != nil {
		return
	}
	_ = unix.Unmount(".", unix.MNT_DETACH)
	if unix.Fchdir(r.initramfs) != nil {
		return
	}
	_ = unix.Chroot(".")
	_ = unix.Close(r.overlay)
	exec.Forget()
}
