package exec

import (
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/fault"
	"microagent.dev/guest/internal/framing"
	"microagent.dev/guest/internal/wire"
)

// pump moves one output to the stream. It holds a buffer only while there are bytes in it.
type pump struct {
	out     *framing.Sender
	kind    wire.Kind
	file    *os.File
	kept    *atomic.Bool
	drained bool // the writers' end was closed, all was sent
	ended   bool
	done    chan struct{}
}

func startPump(out *framing.Sender, kind wire.Kind, file *os.File, kept *atomic.Bool) *pump {
	p := &pump{out: out, kind: kind, file: file, kept: kept, done: make(chan struct{})}
	go p.run()
	return p
}

func (p *pump) run() {
	defer close(p.done)
	defer p.file.Close()
	defer fault.Recover("a command's output")
	raw, err := p.file.SyscallConn()
	if err != nil {
		return
	}
	for {
		var buf []byte
		var n int
		err := raw.Read(func(fd uintptr) bool {
			buf = framing.TakeBuffer()
			var again bool
			n, again = p.read(int(fd), buf[framing.Headroom:])
			if again {
				framing.GiveBuffer(buf)
				buf = nil
			}
			return !again
		})
		if err != nil {
			p.rest(raw)
			return
		}
		if n > 0 {
			err = p.out.Frame(p.kind, buf, n, false)
		}
		framing.GiveBuffer(buf)
		if err != nil && !p.ended && p.kept.Load() {
			continue // a kept command must not die of a pipe that nobody reads
		}
		if err != nil || p.ended {
			p.drained = err == nil
			return
		}
	}
}

// read reads once; again means nothing is there yet.
func (p *pump) read(fd int, buf []byte) (n int, again bool) {
	for {
		n, err := unix.Read(fd, buf)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return 0, true
		case n <= 0: // the end, or EIO: a terminal whose last user is gone
			p.ended = true
			return 0, false
		}
		return n, false
	}
}

// rest sends what lies in the pipe when its time is up, and no more: whoever still holds the
// other end may write for ever.
func (p *pump) rest(raw syscall.RawConn) {
	_ = raw.Control(func(fd uintptr) {
		left, err := unix.IoctlGetInt(int(fd), unix.TIOCINQ)
		for err == nil && left > 0 && !p.ended {
			buf := framing.TakeBuffer()
			n, again := p.read(int(fd), buf[framing.Headroom:][:min(left, len(buf)-framing.Headroom)])
			if n > 0 {
				err = p.out.Frame(p.kind, buf, n, false)
			}
			framing.GiveBuffer(buf)
			left -= n
			if again {
				break
			}
		}
		p.drained = p.ended && err == nil
	})
}

// stop ends the waiting for more output.
func (p *pump) stop() { _ = p.file.SetReadDeadline(time.Unix(1, 0)) }
