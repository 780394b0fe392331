// Package initsys makes the agent PID 1: mounts, modules, identity, orphans and the end.
package initsys

import (
	"io"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/exec"
	"microagent.dev/guest/internal/fault"
	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/port"
	"microagent.dev/guest/internal/server"
	"microagent.dev/guest/internal/sysmon"
)

// portName is what the VMM calls the agent's virtio-serial port.
const portName = "microagent.agent.0"

// Run is PID 1 and does not return: if it did, the kernel would panic.
func Run() {
	fault.ConsolePath = "/dev/console"
	defer func() {
		if cause := recover(); cause != nil {
			fault.Report("PID 1", cause)
		}
		restart()
	}()
	mountEarly()
	sysmon.Calm()
	ownSignals()
	raiseFileLimit()
	m := &machine{loaded: make(chan struct{})}
	go m.loadModules()
	fd, err := openPort(portName)
	if err != nil {
		fault.Log("cannot open port " + portName + ": " + err.Error())
		return
	}
	m.port = fd
	exec.Prepare()
	conn, err := port.New(fd, fd)
	if err != nil {
		fault.Log("cannot use port " + portName + ": " + err.Error())
		return
	}
	serve(server.New(m), conn)
}

// serve takes sessions for ever: the host may close its side, and a restored machine has a new host.
func serve(s *server.Server, conn *port.Conn) {
	in := mux.NewReader(conn)
	pause := time.Millisecond
	for {
		from := time.Now()
		err := s.Run(in, conn)
		if err != io.EOF && !mux.IsProtocol(err) {
			fault.Log("the link failed: " + err.Error())
		}
		if mux.IsProtocol(err) {
			continue // somebody speaks: the next host, or one that is confused and waits for nothing
		}
		// Without a host the port reads as ended, at once: ask again, ever more seldom.
		if time.Since(from) > 100*time.Millisecond {
			pause = time.Millisecond
		}
		time.Sleep(pause)
		pause = min(2*pause, 50*time.Millisecond)
	}
}

// ownSignals takes the signals that the runtime would otherwise die of: a command may send PID 1
// anything. SIGCHLD means that there may be orphans to reap.
func ownSignals() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGILL, unix.SIGTRAP, unix.SIGABRT,
		unix.SIGBUS, unix.SIGFPE, unix.SIGSEGV, unix.SIGTERM, unix.SIGSTKFLT, unix.SIGSYS, unix.SIGXCPU, unix.SIGXFSZ, unix.SIGPIPE)
	go func() {
		for range ended {
			exec.ReapOrphans()
		}
	}()
}

// raiseFileLimit serves many commands at once. They inherit it: the soft limit stays small enough
// for programs that close every descriptor in turn.
func raiseFileLimit() {
	_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 8192, Max: 524288})
}
