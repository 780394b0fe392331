package exec

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// launching is everything the kernel is told about a new process.
type launching struct {
	path    string
	argv    []string
	env     []string
	dir     string
	files   [3]int              // become 0, 1 and 2
	user    *syscall.Credential // nil: as we are
	session bool                // a session of its own, on the terminal that files[0] is
	cgroup  int                 // directory to start in, -1 for ours
}

// enterError says that the working directory was refused, not the program.
type enterError struct{ unix.Errno }

// launchPortable starts a process through the standard library.
func launchPortable(l *launching) (pid, pidfd int, err error) {
	pidfd = -1
	sys := &syscall.SysProcAttr{Credential: l.user, PidFD: &pidfd}
	if l.session {
		sys.Setsid, sys.Setctty, sys.Ctty = true, true, 0
	} else {
		sys.Setpgid = true
	}
	if l.cgroup >= 0 {
		sys.UseCgroupFD, sys.CgroupFD = true, l.cgroup
	}
	pid, err = syscall.ForkExec(l.path, l.argv, &syscall.ProcAttr{
		Dir: l.dir, Env: l.env, Sys: sys,
		Files: []uintptr{uintptr(l.files[0]), uintptr(l.files[1]), uintptr(l.files[2])},
	})
	return pid, pidfd, err
}
