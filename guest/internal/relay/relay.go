// Package relay joins a socket of the machine with a stream of the host.
package relay

import (
	"io"
	"net/netip"
	"strconv"
	"sync"

	"microagent.dev/guest/internal/fault"
	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/wire"
)

// Connect serves the host's wish to reach a TCP port of the machine: whatever address a service
// listens on, loopback first, then the machine's own.
func Connect(st *mux.Stream, c *wire.Connect, own []netip.Addr) {
	conn, err := dial(c.Port, own)
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

func dial(port int, own []netip.Addr) (*socket, error) {
	var first error
	for _, ip := range append([]netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, own...) {
		conn, err := dialTCP(netip.AddrPortFrom(ip, uint16(port)))
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
func abort(conn Socket) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

// Join carries both directions until both have ended; a failure of one side resets the other.
func Join(conn Socket, st *mux.Stream) {
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

func upload(conn Socket, st *mux.Stream) error {
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

func download(conn Socket, st *mux.Stream) error {
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
