package netproc

import (
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/ledger"
	"microagent.dev/guest/internal/mux"
)

const (
	// downBytes is what may be on its way to the process: a wide window, so that the port is read on while the process works.
	downBytes = 1 << 20
	// sendWait is after which a process that takes nothing is as good as dead.
	sendWait = 10 * time.Second
)

// child is one life of the network process.
type child struct {
	pid     int
	pidfd   int
	down    *os.File
	downFD  int
	control *os.File
	ledger  *ledger.Ledger
	stopped chan struct{} // it has let go of the port
	cut     chan struct{}
	gone    chan struct{} // closed when it has ended

	mu   sync.Mutex
	dead bool // pidfd is not its any more
}

// start gives the process everything that PID 1 keeps, and the session.
func (p *Process) start(died bool) (*child, error) {
	var opened []int
	closeAll := func() {
		for _, fd := range opened {
			_ = unix.Close(fd)
		}
	}
	var down, control [2]int
	if err := unix.Pipe2(down[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, err
	}
	opened = append(opened, down[:]...)
	_, _ = unix.FcntlInt(uintptr(down[1]), unix.F_SETPIPE_SZ, downBytes)
	control, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		closeAll()
		return nil, err
	}
	opened = append(opened, control[:]...)
	book, table, err := ledger.Create()
	if err != nil {
		closeAll()
		return nil, err
	}
	opened = append(opened, table)
	p.mu.Lock()
	defer p.mu.Unlock()
	args := p.args
	args.Cut, args.Died = p.cut, died
	c := &child{ledger: book, pidfd: -1, stopped: make(chan struct{}, 1), cut: make(chan struct{}, 1), gone: make(chan struct{})}
	c.pid, err = syscall.ForkExec("/proc/self/fd/"+strconv.Itoa(p.program), args.Words(), &syscall.ProcAttr{
		Dir: "/",
		// One processor is enough, and work that moves between two costs an emulated machine more than itself.
		Env:   []string{"GOTRACEBACK=single", "GOMAXPROCS=1"},
		Files: []uintptr{0, 1, 2, uintptr(down[0]), uintptr(p.port), uintptr(control[1]), uintptr(table), uintptr(p.tun), uintptr(p.secrets), uintptr(p.mediation)},
		Sys:   &syscall.SysProcAttr{PidFD: &c.pidfd, Setsid: true},
	})
	if err != nil {
		closeAll()
		book.Close()
		return nil, err
	}
	for _, fd := range []int{down[0], control[1], table} {
		_ = unix.Close(fd)
	}
	protect(c.pid)
	c.down, c.control = os.NewFile(uintptr(down[1]), "down"), os.NewFile(uintptr(control[0]), "control")
	c.downFD = down[1]
	go c.listen()
	if p.session != nil {
		c.begin(p.next)
	}
	p.child = c
	return c, nil
}

// protect keeps the kernel from choosing the process when memory is short: the workload has a bound of its own.
func protect(pid int) {
	fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		_, _ = unix.Write(fd, []byte("-1000"))
		_ = unix.Close(fd)
	}
}

// leave resets what a dead process has left: its streams for the host, and, through the one that comes next, its
// connections for the machine.
func (p *Process) leave(c *child) (abandoned []ledger.Entry) {
	p.mu.Lock()
	p.child = nil
	session := p.session
	p.next = max(p.next, c.ledger.Next())
	p.mu.Unlock()
	close(c.gone)
	for _, e := range c.ledger.Entries() {
		if e.Src.IsValid() {
			abandoned = append(abandoned, e)
		}
		if session != nil {
			var reset [mux.HeaderBytes]byte
			mux.Header{Type: mux.TypeWindowUpdate, Flags: mux.FlagRST, StreamID: e.ID}.Put(reset[:])
			_ = session.Write(reset[:])
		}
	}
	c.mu.Lock()
	c.dead = true
	_ = unix.Close(c.pidfd)
	c.mu.Unlock()
	_ = c.down.Close()
	_ = c.control.Close()
	c.ledger.Close()
	return abandoned
}

// listen hears what the process answers.
func (c *child) listen() {
	var b [16]byte
	for {
		n, err := c.control.Read(b[:])
		if n == 0 || err != nil {
			return
		}
		to := c.stopped
		if b[0] == MessageCut {
			to = c.cut
		}
		select {
		case to <- struct{}{}:
		default:
		}
	}
}

// settle waits for an answer. A process that gives none is ended, and is gone when this returns.
func (c *child) settle(answer chan struct{}) {
	limit := time.NewTimer(stopWait)
	defer limit.Stop()
	select {
	case <-answer:
		return
	case <-c.gone:
		return
	case <-limit.C:
	}
	c.kill()
	<-c.gone
}

func (c *child) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dead {
		_ = unix.PidfdSendSignal(c.pidfd, unix.SIGKILL, nil, 0)
	}
}

// begin says which streams come next, 0: there is no host.
func (c *child) begin(next uint32) {
	b := [BeginBytes]byte{0: 1}
	for i := range 4 {
		b[8+i] = byte(next >> (24 - 8*i))
	}
	c.send(b[:])
}

// send passes frames on; a process that does not take them is ended.
func (c *child) send(b []byte) {
	n, err := unix.Write(c.downFD, b)
	if n == len(b) {
		return
	}
	if err == nil || err == unix.EAGAIN || err == unix.EINTR {
		_ = c.down.SetWriteDeadline(time.Now().Add(sendWait))
		_, err = c.down.Write(b[max(n, 0):])
	}
	if err != nil {
		c.kill()
	}
}

// abandon names a connection that died with the process before.
func (c *child) abandon(e ledger.Entry) {
	c.tell([]byte(string(rune(MessageAbandon)) + e.Src.String() + " " + e.Dst.String()))
}

func (c *child) tell(message []byte) {
	_ = c.control.SetWriteDeadline(time.Now().Add(sendWait))
	if _, err := c.control.Write(message); err != nil {
		c.kill()
	}
}
