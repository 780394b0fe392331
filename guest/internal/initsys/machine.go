package initsys

import (
	"sync/atomic"
	"time"

	"microagent.dev/guest/internal/exec"
	"microagent.dev/guest/internal/net"
	"microagent.dev/guest/internal/server"
	"microagent.dev/guest/internal/services"
	"microagent.dev/guest/internal/uplink"
	"microagent.dev/guest/internal/wire"
)

// machine is the Machine that PID 1 serves.
type machine struct {
	modulesTook time.Duration
	loaded      chan struct{} // closed when the modules are
	box         exec.Box
	up          uplink.Uplink
	net         atomic.Pointer[net.Network] // nil: no network
	services    *services.Services
	asked       ways
	root        *root // nil until the root is switched
	named       wire.Identity

	bootIDCovered bool
	poised        *poised // nil unless the machine is being saved
	random        int     // the kernel's generator, opened at the first seed; 0: not yet
	secrets       bool    // whether their file system is mounted
	pressed       []byte  // memory taken away from the workload
}

func (*machine) Hello() wire.GuestHello { return server.DescribeMachine() }

func (m *machine) Uplink() *uplink.Uplink { return &m.up }

// SessionEnded ends what processes have open to a host that is gone; the next one finds all closed.
func (m *machine) SessionEnded() {
	if n := m.net.Load(); n != nil {
		n.Reset()
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
	m.asked = ways{c.Network, c.Services}
	m.named = wire.Identity{Hostname: c.Hostname, Hosts: c.Hosts}
	return server.Timings{Modules: m.modulesTook, Root: rootTook, Total: time.Since(from)}, nil
}

// reach opens the machine's ways to the host. What an earlier attempt opened is replaced.
func (m *machine) reach(network *wire.Network, listen *wire.Services) *wire.Failure {
	if old := m.net.Swap(nil); old != nil {
		old.Close()
	}
	if m.services != nil {
		m.services.Close()
		m.services = nil
	}
	var failure *wire.Failure
	if network != nil {
		opened, failure := net.Open(network, &m.up)
		if failure != nil {
			return failure
		}
		m.net.Store(opened)
	}
	if listen != nil {
		m.services, failure = services.Open(listen, &m.up)
	}
	return failure
}
