package initsys

import (
	"net/netip"
	"sync/atomic"
	"time"

	"microagent.dev/guest/internal/exec"
	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/netproc"
	"microagent.dev/guest/internal/server"
	"microagent.dev/guest/internal/wire"
)

// machine is the Machine that PID 1 serves.
type machine struct {
	modulesTook time.Duration
	loaded      chan struct{} // closed when the modules are
	box         exec.Box
	port        int // descriptor of the port to the host
	session     atomic.Pointer[mux.Session]
	net         atomic.Pointer[netproc.Process] // nil: neither network nor services
	asked       atomic.Pointer[ways]
	root        *root // nil until the root is switched
	named       wire.Identity

	bootIDCovered bool
	poised        *poised // nil unless the machine is being saved
	random        int     // the kernel's generator, opened at the first seed; 0: not yet
	secrets       bool    // whether their file system is mounted
	pressed       []byte  // memory taken away from the workload
}

func (*machine) Hello() wire.GuestHello { return server.DescribeMachine() }

// SessionBegan gives the frames of streams that we have opened to the process that did.
func (m *machine) SessionBegan(s *mux.Session) {
	s.Opened = m.forward
	m.session.Store(s)
	if n := m.net.Load(); n != nil {
		n.Began(s)
	}
}

func (m *machine) forward(h mux.Header, in *mux.Reader) error {
	return m.net.Load().Forward(h, in)
}

// SessionEnded ends what processes have open to a host that is gone; the next one finds all closed.
func (m *machine) SessionEnded() {
	m.session.Store(nil)
	if n := m.net.Load(); n != nil {
		n.Ended()
	}
}

func (m *machine) Box() *exec.Box { return &m.box }

// loadModules runs beside the search for the port: the host is answered as soon as its module is in.
func (m *machine) loadModules() {
	defer close(m.loaded)
	from := time.Now()
	loadModules("/modules")
	m.modulesTook = time.Since(from)
}

// Configure seeds, sets the clock, switches the root and gives the machine its identity.
func (m *machine) Configure(c *wire.Configure) (server.Timings, *wire.Failure) {
	from := time.Now()
	if failure := m.seed(c.Entropy); failure != nil {
		return server.Timings{}, failure
	}
	if failure := setClock(c.TimeUnixNS); failure != nil {
		return server.Timings{}, failure
	}
	<-m.loaded
	rootFrom := time.Now()
	if m.root == nil {
		root, failure := switchRoot(c)
		if failure != nil {
			return server.Timings{}, failure
		}
		m.root = root
		if failure := mountSystem(); failure != nil {
			return server.Timings{}, failure
		}
	}
	rootTook := time.Since(rootFrom)
	makeBox(&m.box, c.PidsMax, c.MemoryReserveBytes)
	for _, mount := range c.Mounts {
		if failure := mountExtra(mount); failure != nil {
			return server.Timings{}, failure
		}
	}
	if failure := identify(c); failure != nil {
		return server.Timings{}, failure
	}
	if failure := m.reach(c.Network, c.Services); failure != nil {
		return server.Timings{}, failure
	}
	m.asked.Store(&ways{c.Network, c.Services})
	m.named = wire.Identity{Hostname: c.Hostname, Hosts: c.Hosts}
	return server.Timings{Modules: m.modulesTook, Root: rootTook, Total: time.Since(from)}, nil
}

// reach opens the machine's ways to the host. What an earlier attempt opened is replaced.
func (m *machine) reach(network *wire.Network, listen *wire.Services) *wire.Failure {
	if old := m.net.Swap(nil); old != nil {
		old.Close()
	}
	if network == nil && listen == nil {
		return nil
	}
	opened, failure := netproc.Open(network, listen, m.root.network, m.port, m.session.Load())
	if failure != nil {
		return failure
	}
	m.net.Store(opened)
	return nil
}

// Addresses are those that the machine was told to have.
func (m *machine) Addresses() (own []netip.Addr) {
	if c := m.asked.Load(); c != nil && c.network != nil {
		for _, a := range []wire.Addressing{c.network.IPv4, c.network.IPv6} {
			if a.Address.IsValid() {
				own = append(own, a.Address.Addr())
			}
		}
	}
	return own
}
