// Package netmain is the network process: what PID 1 keeps open for it, joined with the host's streams.
package netmain

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/fault"
	"microagent.dev/guest/internal/ledger"
	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/net"
	"microagent.dev/guest/internal/netproc"
	"microagent.dev/guest/internal/port"
	"microagent.dev/guest/internal/services"
	"microagent.dev/guest/internal/uplink"
	"microagent.dev/guest/internal/wire"
)

type process struct {
	up      uplink.Uplink
	net     *net.Network // nil: there is no interface
	control *os.File
	ledger  *ledger.Ledger
	asked   sync.Once
	ready   chan struct{} // closed when there is, or was, a session
}

// Run serves until PID 1 lets go.
func Run(words []string) error {
	args, ok := netproc.ParseArgs(words)
	if !ok {
		return errors.New("the program is started by the agent only")
	}
	// Whoever may signal this process may end it, but not by accident.
	signal.Ignore(unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGPIPE)
	conn, err := port.NewShared(netproc.DownFD, netproc.PortFD)
	if err != nil {
		return err
	}
	p := &process{control: os.NewFile(netproc.ControlFD, "control"), ready: make(chan struct{})}
	if p.ledger, err = ledger.Open(netproc.LedgerFD); err != nil {
		return err
	}
	if args.Tun {
		config := wire.Network{MTU: args.MTU}
		config.IPv4.Gateway, config.IPv6.Gateway = args.Gateways[0], args.Gateways[1]
		p.net = net.Serve(net.NewTUN(netproc.TunFD), &config, &p.up)
		p.net.Named = p.ledger.Connection
		p.net.Cut(args.Cut)
	}
	go p.serveSockets(args)
	go p.obey()
	if args.Died && p.net != nil {
		go p.net.TellDeath()
	}
	return p.serve(mux.NewReader(conn), conn)
}

func file(there bool, fd uintptr) *os.File {
	if !there {
		return nil
	}
	return os.NewFile(fd, "listener")
}

// serve takes one session after the other.
func (p *process) serve(in *mux.Reader, conn *port.Shared) error {
	for {
		if err := in.Need(netproc.BeginBytes); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
		head := in.Buffered()
		if head[0] != 1 {
			return errors.New("bytes between two sessions are no beginning")
		}
		next := binary.BigEndian.Uint32(head[8:])
		in.Skip(netproc.BeginBytes)
		if next == 0 {
			_, _ = p.control.Write([]byte{netproc.MessageStopped})
			continue
		}
		p.ledger.Begin(next)
		conn.ResumeWriting()
		session := mux.NewSession(in, conn, (*mux.Stream).Release)
		session.StartAt(next)
		session.Changed = p.ledger.Changed
		p.up.Attach(session)
		p.asked.Do(func() { close(p.ready) })
		err := session.Serve()
		p.up.Detach()
		conn.StopWriting()
		session.Stop()
		p.ledger.Begin(0)
		if p.net != nil {
			p.net.Reset()
		}
		if !mux.IsProtocol(err) {
			if err == io.EOF {
				return nil
			}
			return err
		}
	}
}

// sessionWait bounds the wait for the host of what came before there was a session: what woke this process did.
const sessionWait = 2 * time.Second

func (p *process) await() {
	select {
	case <-p.ready:
	case <-time.After(sessionWait):
	}
}

// serveSockets takes the listeners over. A connection waits in the kernel until the host can be asked: sooner, it would
// be refused for that alone.
func (p *process) serveSockets(args netproc.Args) {
	p.await()
	if err := services.Serve(file(args.Secrets, netproc.SecretsFD), file(args.Mediation, netproc.MediationFD), &p.up); err != nil {
		fault.Log("the sockets cannot be served: " + err.Error())
		os.Exit(1)
	}
}

// obey does what PID 1 says.
func (p *process) obey() {
	message := make([]byte, 1<<17)
	for {
		n, err := p.control.Read(message)
		if n == 0 || err != nil {
			os.Exit(0)
		}
		if p.net == nil {
			continue
		}
		body := message[1:n]
		switch message[0] {
		case netproc.MessagePacket:
			// It came before the process did, which therefore waits for the host rather than refusing it.
			p.await()
			p.net.Take(body)
		case netproc.MessageCut:
			p.net.Cut(len(body) > 0 && body[0] == 1)
			_, _ = p.control.Write([]byte{netproc.MessageCut})
		case netproc.MessageAbandon:
			p.abandon(string(body))
		}
	}
}

// abandon makes a connection's end in the machine notice that nobody serves it any more.
func (p *process) abandon(text string) {
	for i := range text {
		if text[i] == ' ' {
			src, err := netip.ParseAddrPort(text[:i])
			if err == nil {
				if dst, err := netip.ParseAddrPort(text[i+1:]); err == nil {
					p.net.Abandon(src, dst)
				}
			}
			return
		}
	}
}
