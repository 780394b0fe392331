// Package exec starts commands and tells the host the truth about how they went.
package exec

import (
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// children holds the processes we started and have not reaped. As PID 1 we also inherit every
// orphan; whoever calls wait gets anybody's status, so starting and reaping share one lock.
var children struct {
	sync.Mutex
	running map[int]*process
}

// process is one started command.
type process struct {
	pid    int
	pidfd  int
	reaped bool
	status unix.WaitStatus
}

// spawn starts a process and registers it before anybody can reap it.
func spawn(path string, argv []string, attr *syscall.ProcAttr) (*process, error) {
	children.Lock()
	defer children.Unlock()
	p := &process{pidfd: -1}
	attr.Sys.PidFD = &p.pidfd
	pid, err := syscall.ForkExec(path, argv, attr)
	if err != nil {
		return nil, err
	}
	p.pid = pid
	if children.running == nil {
		children.running = map[int]*process{}
	}
	children.running[pid] = p
	return p, nil
}

// reap collects the process if it has ended.
func (p *process) reap() bool {
	children.Lock()
	defer children.Unlock()
	if p.reaped {
		return true
	}
	var status unix.WaitStatus
	pid, err := unix.Wait4(p.pid, &status, unix.WNOHANG, nil)
	if err != nil || pid != p.pid {
		return false
	}
	p.ended(status)
	return true
}

func (p *process) ended(status unix.WaitStatus) {
	p.reaped, p.status = true, status
	delete(children.running, p.pid)
}

// signal reaches the process group. A group whose leader is reaped may still have members, and
// numbers are not used again soon: pid_max is raised at configure.
func (p *process) signal(sig unix.Signal) error { return unix.Kill(-p.pid, sig) }

// signalRunning is signal for a leader that is not reaped; false when it is.
func (p *process) signalRunning(sig unix.Signal) bool {
	children.Lock()
	defer children.Unlock()
	if p.reaped {
		return false
	}
	_ = unix.Kill(-p.pid, sig)
	return true
}

// ReapOrphans collects every ended child; statuses of our own processes are kept for them.
func ReapOrphans() {
	for {
		children.Lock()
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		if err == nil && pid > 0 {
			if p := children.running[pid]; p != nil {
				p.ended(status)
			}
		}
		children.Unlock()
		if err == unix.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
	}
}

// KillAll ends every process group we started; used when an agent that is not PID 1 stops.
func KillAll() {
	children.Lock()
	defer children.Unlock()
	for pid := range children.running {
		_ = unix.Kill(-pid, unix.SIGKILL)
	}
}

// Alone says whether no child is left.
func Alone() bool {
	err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err == unix.ECHILD
}
