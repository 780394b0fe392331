package exec

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The standard library's way to start a process holds the scheduler until the new program runs, and
// asks the kernel to reset each of 64 signals. On a machine short of memory that stops the whole
// agent; under emulation it doubles the price. This way the thread waits like in any other call.

// step is one system call of the child; result is where its error is left.
type step struct {
	number, a, b, c, d uintptr
	result             int
}

type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls, setTID, setTIDSize, cgroup uint64
}

// shared is what the kernel and the child read and write. Passing a part of it to vfork keeps all of
// it, and what it points to, on the heap, where nothing moves.
type shared struct {
	clone     cloneArgs
	mask      uint64
	pidfd     int32
	word      [1]byte
	path, dir *byte
	argv, env []*byte
	groups    []uint32
	steps     [12]step
	count     int
	enter     int // the step that goes to the working directory
}

func vfork(clone *cloneArgs, size uintptr, steps *step, count uintptr) (pid int)

// The runtime keeps these two reachable for programs that make blocking calls of their own.
//
//go:linkname entersyscall runtime.entersyscall
//go:nosplit
func entersyscall()

//go:linkname exitsyscall runtime.exitsyscall
//go:nosplit
func exitsyscall()

//go:nosplit
//go:noinline
func blockingVfork(clone *cloneArgs, size uintptr, steps *step, count uintptr) int {
	entersyscall()
	pid := vfork(clone, size, steps, count)
	exitsyscall()
	return pid
}

func pointer[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// launch starts l's program. ENOSYS: this kernel or sandbox cannot do it this way.
func launch(l *launching) (pid, pidfd int, err error) {
	sh := &shared{pidfd: -1}
	if l.session {
		sh.do(unix.SYS_SETSID, 0, 0, 0, 0)
	} else {
		sh.do(unix.SYS_SETPGID, 0, 0, 0, 0)
	}
	sh.become(l)
	pid = sh.begin(unix.CLONE_VFORK, l.cgroup, sh.count)
	if pid < 0 {
		return 0, -1, unix.Errno(-pid)
	}
	if err = sh.verdict(); err != nil {
		_ = unix.Close(int(sh.pidfd))
		reapFailed(pid)
		return 0, -1, err
	}
	return pid, int(sh.pidfd), nil
}

// do adds a step.
func (sh *shared) do(number, a, b, c, d uintptr) {
	sh.steps[sh.count] = step{number: number, a: a, b: b, c: c, d: d}
	sh.count++
}

// become adds what makes l's program of a child.
func (sh *shared) become(l *launching) {
	sh.argv, sh.env = cStrings(l.argv), cStrings(l.env)
	names := cStrings([]string{l.path, l.dir})
	sh.path, sh.dir = names[0], names[1]
	if l.user != nil {
		var groups uintptr
		if sh.groups = l.user.Groups; len(sh.groups) > 0 {
			groups = pointer(&sh.groups[0])
		}
		sh.do(unix.SYS_SETGROUPS, uintptr(len(sh.groups)), groups, 0, 0)
		sh.do(unix.SYS_SETGID, uintptr(l.user.Gid), 0, 0, 0)
		sh.do(unix.SYS_SETUID, uintptr(l.user.Uid), 0, 0, 0)
	}
	sh.enter = sh.count
	sh.do(unix.SYS_CHDIR, pointer(sh.dir), 0, 0, 0)
	for i, from := range l.files {
		sh.do(unix.SYS_DUP3, uintptr(from), uintptr(i), 0, 0)
	}
	if l.session {
		sh.do(unix.SYS_IOCTL, 0, unix.TIOCSCTTY, 1, 0)
	}
	// The usual accuracy of timers: this thread may descend from one that was told to sleep long.
	const slack = 50_000
	sh.do(unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, slack, 0, 0)
	sh.do(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, pointer(&sh.mask), 0, unsafe.Sizeof(sh.mask))
	sh.do(unix.SYS_EXECVE, pointer(sh.path), pointer(&sh.argv[0]), pointer(&sh.env[0]), 0)
}

// begin makes a child that takes the first count steps, which may still be to come.
func (sh *shared) begin(flags uint64, cgroup, count int) (pid int) {
	clone := &sh.clone
	clone.flags = unix.CLONE_VM | unix.CLONE_PIDFD | unix.CLONE_CLEAR_SIGHAND | flags
	clone.pidfd = uint64(pointer(&sh.pidfd))
	clone.exitSignal = uint64(unix.SIGCHLD)
	size := unsafe.Offsetof(clone.cgroup)
	if cgroup >= 0 {
		clone.flags |= unix.CLONE_INTO_CGROUP
		clone.cgroup = uint64(cgroup)
		size = unsafe.Sizeof(*clone)
	}
	pid = blockingVfork(clone, size, &sh.steps[0], uintptr(count))
	runtime.KeepAlive(sh)
	return pid
}

// verdict says which step the child has failed in, once it runs its program or has ended.
func (sh *shared) verdict() error {
	for i := range sh.steps[:sh.count] {
		if sh.steps[i].result == 0 {
			continue
		}
		errno := unix.Errno(-sh.steps[i].result)
		if i == sh.enter {
			return enterError{errno}
		}
		return errno
	}
	return nil
}

// reapFailed waits for a child that is about to end without having started its program.
func reapFailed(pid int) {
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); err != unix.EINTR {
			return
		}
	}
}

// cStrings is a vector as the kernel takes it: pointers to bytes, then nil.
func cStrings(list []string) []*byte {
	total := 0
	for _, s := range list {
		total += len(s) + 1
	}
	bytes := make([]byte, 0, total+1)
	out := make([]*byte, 0, len(list)+1)
	for _, s := range list {
		at := len(bytes)
		bytes = append(append(bytes, s...), 0)
		out = append(out, &bytes[at])
	}
	return append(out, nil)
}
