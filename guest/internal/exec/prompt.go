package exec

import (
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/framing"
	"microagent.dev/guest/internal/wire"
)

// promptReads bounds what is read of each output: somebody who holds it may write for ever. It stays
// below the window, so that nothing waits for the host here.
const promptReads = 3

// prompt serves a command that is over before anything else has happened, as most short ones are on
// a machine with one processor if it is left to them for a moment. Reply, output and result
// then go out in one write, and nothing is registered to be waited for. It answers the request in any
// case; false: the command goes on, or somebody still holds its outputs.
func (c *command) prompt(reply []byte, started time.Time) bool {
	if c.io.tty {
		_ = c.st.SendLine(reply, false)
		return false
	}
	over := false
	first := renewed.Load() && renewed.Swap(false) && !c.req.Stdin
	if first {
		over = c.waitLonger(started, silentWait)
	} else {
		if runtime.NumCPU() == 1 {
			c.process.waitBriefly()
		}
		over = c.process.reap()
	}
	if failure := c.failure(); failure != nil {
		_ = c.st.SendLine(failure.Reply().Line(), true)
		c.tidy()
		return true
	}
	if !over {
		_ = c.st.SendLine(reply, false)
		reply = nil
		if !first || !c.waitLonger(started, longerWait) {
			return false
		}
	}
	endedAt := time.Now()
	out := framing.NewTree(c.st)
	defer out.Close()
	var err error
	if reply != nil {
		err = out.Raw(reply)
	}
	drained := true
	for at, kind := range []wire.Kind{1: wire.KindStdout, 2: wire.KindStderr} {
		if at == 0 {
			continue
		}
		more := true
		for tries := 0; more && err == nil && c.io.ours[at] >= 0 && tries < promptReads; tries++ {
			more, err = c.rest(out, at, kind)
		}
		drained = drained && c.io.ours[at] < 0
	}
	if err == nil && !drained {
		err = out.Flush(false)
	}
	if err != nil || !drained {
		return false
	}
	c.finished.Store(true)
	if out.Frame(wire.KindResult, c.result(started, endedAt, true)) == nil {
		_ = out.Flush(true)
	}
	c.tidy()
	return true
}

// tidy closes what a command leaves that is over; nobody waits for that.
func (c *command) tidy() {
	c.io.discard()
	if c.process.pidfd >= 0 {
		_ = unix.Close(c.process.pidfd)
	}
}

// promptWait is how long a command may run before it is waited for in the ordinary way.
const promptWait = 1500 * time.Microsecond

// waitBriefly leaves the processor to the command without telling the scheduler: it has nobody else
// to run meanwhile.
func (p *process) waitBriefly() {
	if p.pidfd < 0 {
		return
	}
	poll := &struct {
		fd      unix.PollFd
		timeout unix.Timespec
	}{unix.PollFd{Fd: int32(p.pidfd), Events: unix.POLLIN}, unix.NsecToTimespec(int64(promptWait))}
	_, _, _ = unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&poll.fd)), 1, uintptr(unsafe.Pointer(&poll.timeout)), 0, 0, 0)
}

// renewed is set for the first command of a machine that was just started from a saved one.
var renewed atomic.Bool

// Renewed says that everything runs for the first time again. Under emulation that is slow, and to wait for a command
// in the ordinary way is as much code as the command itself often is: its first one is waited for longer.
func Renewed() { renewed.Store(true) }

const (
	// silentWait is how long the host may wait to hear that it runs.
	silentWait = 100 * time.Millisecond
	// longerWait bounds what the host's signals to such a command may wait.
	longerWait = 250 * time.Millisecond
	// otherwiseWait is how long everybody else in the agent may. It is longer than a first command that does little takes
	// under emulation: to wake up in between costs as much as a quarter of that.
	otherwiseWait = silentWait
)

// waitLonger waits until the command has ended, false: it has something to say, or goes on.
func (c *command) waitLonger(started time.Time, limit time.Duration) bool {
	if c.process.pidfd < 0 {
		return false
	}
	poll := &struct {
		fds     [3]unix.PollFd
		timeout unix.Timespec
	}{timeout: unix.NsecToTimespec(int64(otherwiseWait))}
	for i, fd := range []int{c.process.pidfd, c.io.ours[1], c.io.ours[2]} {
		poll.fds[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	}
	if t := time.Duration(c.req.TimeoutMS) * time.Millisecond; t > 0 {
		limit = min(limit, t-time.Since(started))
	}
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); runtime.Gosched() {
		_, _, _ = unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&poll.fds[0])), uintptr(len(poll.fds)), uintptr(unsafe.Pointer(&poll.timeout)), 0, 0, 0)
		if c.process.reap() {
			return true
		}
		for i := range poll.fds[1:] {
			switch out := &poll.fds[1+i]; {
			case out.Revents&unix.POLLIN != 0:
				return false
			case out.Revents != 0:
				out.Fd = -1 // closed: there is nothing to wait for
			}
		}
	}
	return false
}

// rest adds what lies in an output; at its end it closes it. more: there may be more.
func (c *command) rest(out *framing.Tree, at int, kind wire.Kind) (more bool, err error) {
	n, err := out.Data(kind, 1<<20, func(buf []byte) (int, error) {
		for {
			n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(c.io.ours[at]), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)))
			switch {
			case errno == unix.EINTR:
				continue
			case errno == unix.EAGAIN:
				return 0, nil
			case errno != 0 || n == 0:
				c.io.close = append(c.io.close, c.io.ours[at])
				c.io.ours[at] = -1
				return 0, nil
			}
			return int(n), nil
		}
	})
	return n > 0, err
}
