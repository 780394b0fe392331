// Package server answers the host: one handshake, then one session of requests.
package server

import (
	"bytes"
	"io"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"microagent.dev/guest/internal/exec"
	"microagent.dev/guest/internal/fault"
	"microagent.dev/guest/internal/files"
	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/port"
	"microagent.dev/guest/internal/relay"
	"microagent.dev/guest/internal/watch"
	"microagent.dev/guest/internal/wire"
)

// Machine is what only the place the agent runs in can do.
type Machine interface {
	// Hello describes the machine for the handshake.
	Hello() wire.GuestHello
	// Configure mounts the root and sets identity; it is called until it succeeds once.
	Configure(*wire.Configure) (Timings, *wire.Failure)
	// SessionBegan is called before the session's first frame; whoever opens streams to the host does it in there.
	SessionBegan(*mux.Session)
	// SessionEnded resets whatever depends on the host that is gone.
	SessionEnded()
	// Addresses are the machine's own, but for loopback.
	Addresses() []netip.Addr
	// Box is where commands run.
	Box() *exec.Box
	// Quiesce stops what commands have started and brings the disks up to date.
	Quiesce() *wire.Failure
	// Resume gives another identity and lets what was stopped go on.
	Resume(*wire.Resume) *wire.Failure
	// PlaceSecrets makes room for secrets and says who owns them.
	PlaceSecrets(*wire.Secrets) (uid, gid uint32, failure *wire.Failure)
	// PurgeSecrets overwrites them and takes them away.
	PurgeSecrets() *wire.Failure
	// Disturb makes something of the machine go wrong, or right again.
	Disturb(*wire.Disturb) *wire.Failure
	// PowerOff ends everything and does not return.
	PowerOff(grace time.Duration)
}

// Timings says where the configuring time went.
type Timings struct{ Modules, Root, Total time.Duration }

// Server serves sessions one after the other.
type Server struct {
	machine    Machine
	setup      sync.Mutex
	configured atomic.Bool
	quiesced   atomic.Bool
	session    atomic.Int64 // number of the current session
	quiescedIn int64        // number of the session that asked for it
}

// New makes a server for a machine.
func New(machine Machine) *Server { return &Server{machine: machine} }

// Run waits for a handshake, answers it and serves the session until it ends. in is kept between
// calls: what one session did not take may be the next handshake.
func (s *Server) Run(in *mux.Reader, conn *port.Conn) error {
	hello, err := s.handshake(in, conn)
	if err != nil {
		return err
	}
	conn.ResumeWriting()
	answer := s.machine.Hello()
	answer.Session = hello.Session
	if _, err := conn.Write(answer.Line()); err != nil {
		return err
	}
	s.session.Add(1)
	session := mux.NewSession(in, conn, s.serve)
	s.machine.SessionBegan(session)
	err = session.Serve()
	// Rarely: waking a writer is much code for a machine that was just started from a saved one.
	if !session.Idle() {
		conn.StopWriting()
	}
	s.machine.SessionEnded()
	return err
}

// handshake skips whatever is not a host's hello. A hello may follow the rest of a broken frame, so
// it is looked for inside a line too.
func (s *Server) handshake(in *mux.Reader, conn *port.Conn) (wire.HostHello, error) {
	for {
		have := in.Buffered()
		end := bytes.IndexByte(have, '\n')
		if end < 0 {
			if len(have) > 2*wire.HelloBytesMax {
				in.Skip(len(have) - wire.HelloBytesMax)
			}
			if err := in.More(); err != nil {
				return wire.HostHello{}, err
			}
			continue
		}
		line := have[:end]
		if at := bytes.LastIndex(line, []byte(wire.HelloPrefix)); at > 0 {
			line = line[at:]
		}
		hello, err := wire.ParseHostHello(line)
		in.Skip(end + 1)
		if err != nil {
			continue
		}
		if hello.Version == wire.Version {
			return hello, nil
		}
		conn.ResumeWriting()
		_, _ = conn.Write(wire.RefusalLine(hello.Session, string(wire.Unsupported),
			"The agent speaks version "+strconv.Itoa(wire.Version)+", the host asks for "+strconv.FormatInt(hello.Version, 10)))
	}
}

// serve handles one stream. A panic costs the stream, never the agent.
func (s *Server) serve(st *mux.Stream) {
	defer func() {
		if cause := recover(); cause != nil {
			fault.Report("a request", cause)
			st.Release()
		}
	}()
	frames := wire.NewFrameReader(st)
	line, err := frames.Line(wire.HeaderBytesMax)
	if err != nil {
		if err != io.EOF {
			refuse(st, wire.Fail(wire.InvalidRequest, err.Error()))
		}
		st.Release()
		return
	}
	req, err := wire.ParseRequest(line)
	if err != nil {
		refuse(st, wire.Fail(wire.InvalidRequest, err.Error()))
		st.Release()
		return
	}
	s.dispatch(st, frames, &req)
}

func refuse(st *mux.Stream, f *wire.Failure) { _ = st.SendLine(f.Reply().Line(), true) }

// needsRoot says whether an operation is about the guest's root, which there is from configure on.
func needsRoot(op string) bool {
	switch op {
	case "exec", "put", "get", "stat", "readdir", "remove", "changes", "secrets", "connect", "wait", "disturb":
		return true
	}
	return false
}

func (s *Server) dispatch(st *mux.Stream, frames *wire.FrameReader, req *wire.Request) {
	if !s.configured.Load() && needsRoot(req.Op) {
		refuse(st, wire.Fail(wire.NotConfigured, "The machine is not configured yet"))
		st.Release()
		return
	}
	if s.quiesced.Load() && (req.Op == "exec" || req.Op == "put") {
		refuse(st, wire.Fail(wire.Quiesced, "The machine is being saved and waits for resume"))
		st.Release()
		return
	}
	switch req.Op {
	case "exec":
		exec.Serve(st, frames, req.Exec, s.machine.Box())
	case "put":
		exec.FilesChange()
		files.Put(st, frames, req.Put)
	case "get":
		files.Get(st, req.Get)
	case "stat":
		files.Stat(st, req.Stat)
	case "readdir":
		files.ReadDir(st, req.ReadDir)
	case "configure":
		s.configure(st, req.Configure)
	case "quiesce":
		s.quiesce(st)
	case "resume":
		s.resume(st, req.Resume)
	case "secrets":
		s.placeSecrets(st, req.Secrets)
	case "purge_secrets":
		s.purgeSecrets(st)
	case "connect":
		relay.Connect(st, req.Connect, s.machine.Addresses())
	case "wait":
		watch.Serve(st, req.Wait)
	case "remove":
		exec.FilesChange()
		files.Remove(st, req.Remove)
	case "changes":
		files.Changes(st, req.Changes)
	case "disturb":
		s.disturb(st, req.Disturb)
	case "poweroff":
		_ = st.SendLine(wire.OK().Line(), true)
		st.Release()
		s.machine.PowerOff(time.Duration(req.PowerOff.GraceMS) * time.Millisecond)
	case "ping":
		_ = st.SendLine(wire.OK().Decimal("time_unix_ns", time.Now().UnixNano()).Line(), true)
		st.Release()
	default:
		refuse(st, wire.Fail(wire.Unsupported, "Operation "+strconv.Quote(req.Op)+" is unknown"))
		st.Release()
	}
}

func (s *Server) configure(st *mux.Stream, c *wire.Configure) {
	defer st.Release()
	s.setup.Lock()
	defer s.setup.Unlock()
	if s.configured.Load() {
		refuse(st, wire.Fail(wire.AlreadyConfigured, "The machine is configured already"))
		return
	}
	t, failure := s.machine.Configure(c)
	if failure != nil {
		refuse(st, failure)
		return
	}
	s.configured.Store(true)
	timings := wire.NewObject().Int("modules", t.Modules.Milliseconds()).Int("root", t.Root.Milliseconds()).
		Int("total", t.Total.Milliseconds()).Bytes()
	_ = st.SendLine(wire.OK().Raw("timings_ms", timings).Line(), true)
}
