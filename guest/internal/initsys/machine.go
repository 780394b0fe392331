package initsys

import (
	"time"

	"microagent.dev/guest/internal/exec"
	"microagent.dev/guest/internal/server"
	"microagent.dev/guest/internal/wire"
)

// machine is the Machine that PID 1 serves.
type machine struct {
	modulesTook time.Duration
	loaded      chan struct{} // closed when the modules are
	box         exec.Box
	root        *root // nil until the root is switched
	named       wire.Identity
	secrets     bool // whether their file system is mounted
}

func (*machine) Hello() wire.GuestHello { return server.DescribeMachine() }

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
	if failure := seed(c.Entropy); failure != nil {
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
	m.named = wire.Identity{Hostname: c.Hostname, Hosts: c.Hosts}
	return server.Timings{Modules: m.modulesTook, Root: rootTook, Total: time.Since(from)}, nil
}
