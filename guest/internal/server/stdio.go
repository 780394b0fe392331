package server

import (
	"net/netip"
	"os"
	"time"

	"microagent.dev/guest/internal/exec"
	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/port"
	"microagent.dev/guest/internal/wire"
)

// process is a Machine that is an ordinary process: it configures nothing, runs commands as
// itself and ends instead of powering off.
type process struct {
	box exec.Box
}

func (*process) Hello() wire.GuestHello { return DescribeMachine() }

func (*process) Configure(*wire.Configure) (Timings, *wire.Failure) { return Timings{}, nil }

// SessionBegan: a process has nobody who would ask the host.
func (*process) SessionBegan(*mux.Session) {}

func (*process) Addresses() []netip.Addr { return nil }

func (*process) SessionEnded() {}

func (p *process) Box() *exec.Box { return &p.box }

func (*process) Quiesce() *wire.Failure { return nil }

func (*process) Resume(*wire.Resume) *wire.Failure { return nil }

// PlaceSecrets has no place for any: a process must not mount on the host it runs on.
func (*process) PlaceSecrets(*wire.Secrets) (uid, gid uint32, failure *wire.Failure) {
	return 0, 0, wire.Fail(wire.Unsupported, "A process has no place for secrets")
}

func (*process) PurgeSecrets() *wire.Failure { return nil }

// Disturb would disturb the host it runs on.
func (*process) Disturb(*wire.Disturb) *wire.Failure {
	return wire.Fail(wire.Unsupported, "A process has nothing to disturb")
}

func (*process) PowerOff(time.Duration) {
	exec.KillAll()
	os.Exit(0)
}

// ServeStdio serves sessions over stdin and stdout until stdin ends.
func ServeStdio() error {
	exec.Prepare()
	conn, err := port.New(0, 1)
	if err != nil {
		return err
	}
	defer exec.KillAll()
	in := mux.NewReader(conn)
	s := New(&process{})
	for {
		if err := s.Run(in, conn); err != nil && !mux.IsProtocol(err) {
			return err
		}
	}
}
