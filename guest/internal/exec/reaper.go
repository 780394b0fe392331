// Package exec starts commands and tells the host the truth about how they went.
package exec

import (
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// children holds the processes we started and have not reaped. As PID 1 we also inherit every
// orphan, and whoever waits for any child gets anybody's status. A start may take long on a machine
// that is short of everything, so reaping goes on meanwhile: statuses of strangers are kept until
// it is known whether one of them was the process just started.
var children = struct {
	sync.Mutex
	running  map[int]*process
	starting int
	strays   map[int]unix.WaitStatus
}{running: map[int]*process{}, strays: map[int]unix.WaitStatus{}}

// straysMax bounds the memory for them.
const straysMax = 1 << 16

// process is one started command.
type process struct {
	pid    int
	pidfd  int
	reaped bool
	status unix.WaitStatus
	ahead  *ahead // nil: its program has begun
}

// spawn starts a process and registers it before anybody can reap it.
func spawn(l *launching) (*process, error) {
	return register(func() (pid, pidfd int, err error) {
		if pid, pidfd, err = launch(l); err == unix.ENOSYS {
			pid, pidfd, err = launchPortable(l)
		}
		return pid, pidfd, err
	})
}

func register(begin func() (pid, pidfd int, err error)) (*process, error) {
	children.Lock()
	children.starting++
	children.Unlock()
	pid, pidfd, err := begin()
	p := &process{pid: pid, pidfd: pidfd}
	children.Lock()
	defer children.Unlock()
	if err == nil {
		children.running[pid] = p
		if status, ended := children.strays[pid]; ended {
			p.ended(status)
		}
	}
	if children.starting--; children.starting == 0 {
		clear(children.strays)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// reap collects the process if it has ended.
func (p *process) reap() bool {
	children.Lock()
	defer children.Unlock()
	if p.reaped {
		return true
	}
	status := new(uint32)
	// The scheduler is not told of a call that waits for nothing.
	pid, _, errno := unix.RawSyscall6(unix.SYS_WAIT4, uintptr(p.pid), uintptr(unsafe.Pointer(status)), unix.WNOHANG, 0, 0, 0)
	if errno != 0 || int(pid) != p.pid {
		return false
	}
	p.ended(unix.WaitStatus(*status))
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
			} else if children.starting > 0 && len(children.strays) < straysMax {
				children.strays[pid] = status
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
