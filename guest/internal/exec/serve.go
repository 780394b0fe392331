package exec

import (
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/fault"
	"microagent.dev/guest/internal/framing"
	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/wire"
)

const (
	killGrace  = 250 * time.Millisecond
	drainGrace = 5 * time.Second
	// runningMax bounds the buffers that stalled outputs may hold.
	runningMax = 512
)

var running atomic.Int32

// command is a running exec and its stream.
type command struct {
	st       *mux.Stream
	frames   *wire.FrameReader
	req      *wire.Exec
	place    *slot
	process  *process
	io       *stdio
	in       *input
	timedOut atomic.Bool
	finished atomic.Bool
	kept     atomic.Bool   // outlives its session, see Keep
	gone     chan struct{} // the host reset or closed the stream
}

// Serve runs a request to its end: reply, output, result. It owns the stream.
func Serve(st *mux.Stream, frames *wire.FrameReader, req *wire.Exec, box *Box) {
	defer st.Release()
	if running.Add(1) > runningMax {
		running.Add(-1)
		_ = st.SendLine(notStarted(unix.EAGAIN, "The machine runs "+strconv.Itoa(runningMax)+" commands already").Reply().Line(), true)
		return
	}
	defer running.Add(-1)
	ready := foreseenFor(req, box)
	place := ready.place
	defer box.give(place)
	started := time.Now()
	p, io, failure := start(req, ready)
	if failure != nil {
		ready.retire()
		_ = st.SendLine(failure.Reply().Line(), true)
		heedChildren()
		return
	}
	c := &command{st: st, frames: frames, req: req, place: place, process: p, io: io, gone: make(chan struct{})}
	reply := wire.OK().Int("pid", int64(p.pid)).Line()
	over := c.prompt(reply, started)
	heedChildren()
	if over {
		c.listen()
		return
	}
	io.poll()
	switch {
	case io.tty && req.Stdin:
		c.in = &input{file: io.stdout, tty: true, credit: st.Credit}
	case io.stdin != nil:
		c.in = &input{file: io.stdin, credit: st.Credit}
	}
	c.register()
	defer c.unregister()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer fault.Recover("a command")
		c.follow(started)
	}()
	c.listen()
	close(c.gone)
	if !c.finished.Load() && !c.kept.Load() {
		_ = p.signal(unix.SIGKILL)
	}
	<-ended
}

// listen obeys the host's frames until its side of the stream ends.
func (c *command) listen() {
	for {
		h, err := c.frames.Next()
		if err != nil {
			return
		}
		switch h.Kind {
		case wire.KindStdin:
			in := c.in
			err = c.frames.Each(h, in != nil, func(p []byte) error {
				if in != nil {
					in.write(p)
				}
				return nil
			})
		case wire.KindStdinEOF:
			if c.in != nil {
				c.in.end()
			}
		case wire.KindResize, wire.KindSignal:
			var payload []byte
			if payload, err = c.frames.Payload(h); err == nil {
				err = c.obey(h.Kind, payload)
			}
		default:
			return
		}
		if err != nil {
			return
		}
	}
}

func (c *command) obey(kind wire.Kind, payload []byte) error {
	if kind == wire.KindSignal {
		name, err := wire.ParseSignal(payload)
		if sig := signalOf(name); err == nil && sig != 0 && !c.finished.Load() {
			_ = c.process.signal(sig)
		}
		return err
	}
	rows, cols, err := wire.ParseResize(payload)
	if err == nil && c.io.tty {
		if raw, rawErr := c.io.stdout.SyscallConn(); rawErr == nil {
			_ = raw.Control(func(fd uintptr) {
				_ = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols})
			})
		}
	}
	return err
}

// follow sends the output, waits for the end and reports it.
func (c *command) follow(started time.Time) {
	out := framing.NewSender(c.st)
	pumps := make([]*pump, 0, 2)
	if c.io.stdout != nil {
		pumps = append(pumps, startPump(out, wire.KindStdout, c.io.stdout, &c.kept))
	}
	if c.io.stderr != nil {
		pumps = append(pumps, startPump(out, wire.KindStderr, c.io.stderr, &c.kept))
	}
	timeout := c.armTimeout(started)
	c.process.wait()
	ended := time.Now()
	if timeout != nil {
		timeout.Stop()
	}
	drained := c.drain(pumps)
	if c.in != nil {
		c.in.stop()
	}
	// Before the report: the host may close the stream as soon as it has it.
	c.finished.Store(true)
	c.report(out, started, ended, drained)
}

func (c *command) armTimeout(started time.Time) *time.Timer {
	if c.req.TimeoutMS == 0 {
		return nil
	}
	left := time.Duration(c.req.TimeoutMS)*time.Millisecond - time.Since(started)
	return time.AfterFunc(left, func() {
		if c.process.signalRunning(unix.SIGTERM) {
			c.timedOut.Store(true)
			// The whole group: also what outlives its leader.
			time.AfterFunc(killGrace, func() { _ = c.process.signal(unix.SIGKILL) })
		}
	})
}

// drain waits until nobody holds the outputs, a grace, or the host's leaving.
func (c *command) drain(pumps []*pump) bool {
	var grace *time.Timer
	stop := make(chan struct{})
	expired := false
	for _, p := range pumps {
		select {
		case <-p.done:
			continue
		default:
		}
		if grace == nil {
			grace = time.AfterFunc(drainGrace, func() { close(stop) })
			defer grace.Stop()
		}
		if !expired {
			select {
			case <-p.done:
				continue
			case <-stop:
			case <-c.gone:
			}
			expired = true
			for _, each := range pumps {
				each.stop()
			}
		}
		<-p.done
	}
	all := true
	for _, p := range pumps {
		all = all && p.drained
	}
	return all
}

func (c *command) report(out *framing.Sender, started, ended time.Time, drained bool) {
	_ = out.Last(wire.KindResult, c.result(started, ended, drained))
}

func (c *command) result(started, ended time.Time, drained bool) []byte {
	r := wire.ExecResult{
		Status: "exited", StartedNS: started.UnixNano(), EndedNS: ended.UnixNano(),
		OOMKilled: c.place.newOOMKills(), Drained: drained,
	}
	if ws := c.process.status; ws.Signaled() {
		r.Status = "signaled"
		if r.Signal = unix.SignalName(ws.Signal()); r.Signal == "" {
			r.Signal = "SIG" + strconv.Itoa(int(ws.Signal()))
		}
	} else {
		r.ExitCode = ws.ExitStatus()
	}
	if c.timedOut.Load() {
		r.Status = "timed_out"
	}
	return r.Encode()
}

// wait returns when the process is reaped.
func (p *process) wait() {
	if p.pidfd < 0 || unix.SetNonblock(p.pidfd, true) != nil {
		p.waitBlocking()
		return
	}
	file := os.NewFile(uintptr(p.pidfd), "pidfd")
	defer file.Close()
	raw, err := file.SyscallConn()
	if err == nil {
		err = raw.Read(func(uintptr) bool { return p.reap() })
	}
	if err != nil {
		p.waitBlocking()
	}
}

// waitBlocking is for kernels whose process descriptors cannot be polled.
func (p *process) waitBlocking() {
	for !p.reap() {
		time.Sleep(2 * time.Millisecond)
	}
}
