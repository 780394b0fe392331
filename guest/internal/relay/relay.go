// Package relay joins a socket of the machine with a stream of the host.
package relay

import (
	"io"
	"net"
	"strconv"
	"sync"

	"microagent.dev/guest/internal/fault"
	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/wire"
)

// addressesMax bounds how many addresses of the machine are tried.
const addressesMax = 16

// Connect serves the host's wish to reach a TCP port of the machine: whatever address a service
// listens on, loopback first.
func Connect(st *mux.Stream, c *wire.Connect) {
	conn, err := dial(c.Port)
	if err != nil {
		failure := wire.Fail(wire.Refused, "Nothing listens on port "+strconv.Itoa(c.Port))
		_ = st.SendLine(failure.Reply().Line(), true)
		st.Release()
		return
	}
	if st.SendLine(wire.OK().Line(), false) != nil {
		abort(conn)
		st.Release()
		return
	}
	Join(conn, st)
}

func dial(port int) (*net.TCPConn, error) {
	targets := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	own, _ := net.InterfaceAddrs()
	for _, a := range own {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() && len(targets) < addressesMax {
			targets = append(targets, n.IP)
		}
	}
	var first error
	for _, ip := range targets {
		conn, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: ip, Port: port})
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// abort ends a connection with a reset.
func abort(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

// Join carries both directions until both have ended; a failure of one side resets the other.
func Join(conn *net.TCPConn, st *mux.Stream) {
	var once sync.Once
	fail := func() {
		once.Do(func() {
			abort(conn)
			st.Reset()
		})
	}
	var up sync.WaitGroup
	up.Go(func() {
		defer guard(fail)
		if upload(conn, st) != nil {
			fail()
		}
	})
	func() {
		defer guard(fail)
		if download(conn, st) != nil {
			fail()
		}
	}()
	up.Wait()
	once.Do(func() {
		_ = conn.Close()
		st.Release()
	})
}

func guard(fail func()) {
	if cause := recover(); cause != nil {
		fault.Report("a connection", cause)
		fail()
	}
}

var frames = sync.Pool{New: func() any { return new([mux.FrameBufferBytes]byte) }}

func upload(conn *net.TCPConn, st *mux.Stream) error {
	frame := frames.Get().(*[mux.FrameBufferBytes]byte)
	defer frames.Put(frame)
	for {
		n, err := conn.Read(frame[mux.HeaderBytes:])
		if n > 0 {
			if err := st.Send(frame[:mux.HeaderBytes+n], false); err != nil {
				return err
			}
		}
		if err == io.EOF {
			st.End()
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func download(conn *net.TCPConn, st *mux.Stream) error {
	for {
		view, err := st.Fill()
		if err == io.EOF {
			_ = conn.CloseWrite()
			return st.Watch()
		}
		if err != nil {
			return err
		}
		n, err := conn.Write(view)
		st.Take(n)
		st.Credit(n)
		if err != nil {
			return err
		}
	}
}
