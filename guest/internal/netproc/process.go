package netproc

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/eth"
	"microagent.dev/guest/internal/fault"
	"microagent.dev/guest/internal/ledger"
	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/wire"
)

const (
	// restartPause is the least time between two starts.
	restartPause = time.Second
	// stopWait bounds the wait for a process that is to let go of the port.
	stopWait = 2 * time.Second
)

// pieceBytes is the most of a frame that is passed on at once; the host's frames are no larger in practice.
const pieceBytes = 64 << 10

// Process is the machine's network: what it ends in stays open whatever becomes of the process that serves it.
type Process struct {
	args      Args
	program   int // descriptor of the program
	port      int // descriptor of the port to the host
	tun       int // -1 where there is none, as below
	secrets   int
	mediation int
	stop      int // an eventfd
	done      chan struct{}

	piece [mux.HeaderBytes + pieceBytes]byte // of the session's reader

	mu      sync.Mutex
	child   *child
	session *mux.Session
	next    uint32 // number of the next stream of the session
	cut     bool
}

// Open creates the interface and the listeners that are asked for. program is a descriptor of the network process's file and
// stays the caller's, as does port; session is the current one.
func Open(c *wire.Network, s *wire.Services, program, port int, session *mux.Session) (*Process, *wire.Failure) {
	p := &Process{program: -1, port: port, tun: -1, secrets: -1, mediation: -1, stop: -1, done: make(chan struct{}), session: session, next: 2}
	if failure := p.open(c, s, program); failure != nil {
		p.release()
		return nil, failure
	}
	go p.watch()
	return p, nil
}

func (p *Process) open(c *wire.Network, s *wire.Services, program int) (failure *wire.Failure) {
	var err error
	if p.stop, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return wire.AsFailure(err, "open", "an event")
	}
	if program < 0 {
		return wire.Fail(wire.NotFound, "The machine has no network program")
	}
	// Above the numbers that the process gets: it is started by way of this one when those are in place.
	if p.program, err = unix.FcntlInt(uintptr(program), unix.F_DUPFD_CLOEXEC, MediationFD+1); err != nil {
		return wire.AsFailure(err, "open", "the network program")
	}
	if c != nil {
		p.args.MTU, p.args.Tun = min(c.MTU, eth.PacketBytesMax), true
		p.args.Gateways[0], p.args.Gateways[1] = c.IPv4.Gateway, c.IPv6.Gateway
		if p.tun, failure = eth.Open(c); failure != nil {
			return failure
		}
	}
	if s != nil && s.SecretsSocket != "" {
		p.args.Secrets = true
		if p.secrets, failure = listenUnix(s.SecretsSocket); failure != nil {
			return failure
		}
	}
	if s != nil && s.MediationPort != 0 {
		p.args.Mediation = true
		if p.mediation, failure = listenTCP(s.MediationPort); failure != nil {
			return failure
		}
	}
	return nil
}

func (p *Process) release() {
	for _, fd := range []int{p.program, p.tun, p.secrets, p.mediation, p.stop} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}

// Close ends the process and removes what it served.
func (p *Process) Close() {
	_, _ = unix.Write(p.stop, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	<-p.done
	p.release()
}

// Began says that there is a session, before its first frame.
func (p *Process) Began(s *mux.Session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.session, p.next = s, 2
	if p.child != nil {
		p.child.begin(2)
	}
}

// Ended says that there is none any more. Nothing of it is written to the port once this returns.
func (p *Process) Ended() {
	p.mu.Lock()
	p.session = nil
	c := p.child
	p.mu.Unlock()
	if c != nil {
		c.begin(0)
		c.settle(c.stopped)
	}
}

// Cut makes the cable fall out, or puts it back: packets are lost in both directions, and nobody is told.
func (p *Process) Cut(out bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = out
	if p.child == nil {
		return
	}
	value := byte(0)
	if out {
		value = 1
	}
	p.child.tell([]byte{MessageCut, value})
	p.child.settle(p.child.cut)
}

func (p *Process) isCut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cut
}

// Forward takes one frame of a stream that the network process has opened; without one it is dropped.
func (p *Process) Forward(h mux.Header, in *mux.Reader) error {
	if p == nil {
		return skip(h, in)
	}
	p.mu.Lock()
	c := p.child
	p.mu.Unlock()
	left := 0
	if h.Type == mux.TypeData {
		left = int(h.Length)
	}
	for first := true; first || left > 0; first = false {
		at := mux.HeaderBytes
		if left > 0 {
			if len(in.Buffered()) > 0 {
				n := copy(p.piece[at:], in.Buffered()[:min(len(in.Buffered()), left)])
				in.Skip(n)
				at, left = at+n, left-n
			}
			// What there is is not sent on at once: each time that wakes the process costs more than the bytes do.
			for left > 0 && at < len(p.piece) {
				n, err := in.Direct(p.piece[at : at+min(left, len(p.piece)-at)])
				if n == 0 && err != nil {
					return err
				}
				at, left = at+n, left-n
			}
		}
		part := h
		if h.Type == mux.TypeData {
			part.Length = uint32(at - mux.HeaderBytes)
		}
		if left > 0 {
			part.Flags &^= mux.FlagFIN | mux.FlagRST
		}
		part.Put(p.piece[:])
		if c != nil {
			c.send(p.piece[:at])
		}
	}
	return nil
}

func skip(h mux.Header, in *mux.Reader) error {
	for left := int(h.Length); h.Type == mux.TypeData && left > 0; {
		if len(in.Buffered()) == 0 {
			if err := in.More(); err != nil {
				return err
			}
		}
		n := min(len(in.Buffered()), left)
		in.Skip(n)
		left -= n
	}
	return nil
}

// watch starts the process when there is something for it to do, and again when it has died.
func (p *Process) watch() {
	defer close(p.done)
	defer fault.Recover("the network")
	var left []byte
	var abandoned []ledger.Entry
	for died := false; ; {
		if !died {
			var ok bool
			if left, ok = p.await(); !ok {
				return
			}
		}
		from := time.Now()
		c, err := p.start(died)
		if err != nil {
			fault.Log("cannot start the network: " + err.Error())
			died = false
			if p.poll(restartPause) {
				return
			}
			continue
		}
		if left != nil {
			c.tell(append([]byte{MessagePacket}, left...))
			left = nil
		}
		for _, e := range abandoned {
			c.abandon(e)
		}
		if p.poll(-1, c.pidfd) {
			c.kill()
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(c.pidfd), Events: unix.POLLIN}}, int(stopWait.Milliseconds()))
			p.leave(c)
			return
		}
		fault.Log("the network process died")
		abandoned = p.leave(c)
		died = true
		if p.poll(restartPause - time.Since(from)) {
			return
		}
	}
}

// poll waits for one of fds, and says whether it is time to stop.
func (p *Process) poll(limit time.Duration, fds ...int) (stop bool) {
	set := []unix.PollFd{{Fd: int32(p.stop), Events: unix.POLLIN}}
	for _, fd := range fds {
		set = append(set, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}) // -1 is passed over
	}
	ms := -1
	if limit >= 0 {
		ms = int(limit.Milliseconds())
	} else if len(fds) == 0 {
		ms = 0
	}
	for {
		_, err := unix.Poll(set, ms)
		if err != unix.EINTR {
			return set[0].Revents != 0
		}
	}
}

// await waits for the first packet or connection. What the kernel says to nobody in particular does not count.
func (p *Process) await() (packet []byte, ok bool) {
	for {
		if p.poll(-1, p.tun, p.secrets, p.mediation) {
			return nil, false
		}
		if p.tun < 0 {
			return nil, true
		}
		first := make([]byte, 10+eth.PacketBytesMax)
		n, err := unix.Read(p.tun, first)
		switch {
		case err == unix.EAGAIN:
			return nil, true
		case err != nil && err != unix.EINTR:
			// The process tells the host, and serves the listeners all the same.
			fault.Log("the interface is gone: " + err.Error())
			return nil, true
		case err == nil && !p.isCut() && wanted(first[:n]):
			return first[:n], true
		}
	}
}
