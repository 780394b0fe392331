package exec

import "golang.org/x/sys/unix"

// ahead is a process that has done what every command's process does first: it is there, in a cgroup of its own, and
// waits for the rest of its steps. It shares our memory and reads them from there; it needs neither a stack nor
// anything of the runtime.
type ahead struct {
	sh      *shared
	process *process
	wake    int // a byte written here lets it take the steps
	began   int // reading here ends when its program runs, or it has ended
}

// startAhead makes one that knows our open files as they are now.
func startAhead(cgroup int) *ahead {
	var wake, began [2]int
	if unix.Pipe2(wake[:], unix.O_CLOEXEC) != nil {
		return nil
	}
	defer unix.Close(wake[0])
	if unix.Pipe2(began[:], unix.O_CLOEXEC) != nil {
		_ = unix.Close(wake[1])
		return nil
	}
	defer unix.Close(began[1])
	a := &ahead{sh: &shared{pidfd: -1}, wake: wake[1], began: began[0]}
	a.sh.do(unix.SYS_SETPGID, 0, 0, 0, 0)
	a.sh.do(unix.SYS_READ, uintptr(wake[0]), pointer(&a.sh.word), 1, 0)
	p, err := register(func() (pid, pidfd int, err error) {
		if pid = a.sh.begin(0, cgroup, len(a.sh.steps)); pid < 0 {
			err = unix.Errno(-pid)
		}
		return pid, int(a.sh.pidfd), err
	})
	if err != nil {
		a.close()
		return nil
	}
	a.process = p
	return a
}

// run lets it become l's program. False: it has ended meanwhile.
func (a *ahead) run(l *launching) bool {
	if a.process.reap() {
		return false
	}
	a.sh.become(l)
	_, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(a.wake), pointer(&a.sh.word), 1)
	return errno == 0
}

// verdict waits until the program runs or the process has ended, and says why it never ran.
func (a *ahead) verdict() error {
	for began := false; !began && !a.process.reap(); {
		// Mostly it runs, and then there is no waiting to be told to the scheduler.
		if began = hungUp(a.began); !began {
			var b [1]byte
			_, _ = unix.Read(a.began, b[:])
		}
	}
	a.close()
	return a.sh.verdict()
}

func hungUp(fd int) bool {
	poll := &struct {
		fd   unix.PollFd
		none unix.Timespec
	}{fd: unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}}
	n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, pointer(&poll.fd), 1, pointer(&poll.none), 0, 0, 0)
	return errno == 0 && n > 0
}

func (a *ahead) close() {
	_, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(a.wake), 0, 0)
	_, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(a.began), 0, 0)
}
