// Package services listens inside the machine for what the host serves: secrets and mediation.
package services

import (
	"errors"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/fault"
	"microagent.dev/guest/internal/uplink"
	"microagent.dev/guest/internal/wire"
)

// connectionsMax bounds what one listener serves at once; more wait to be accepted.
const connectionsMax = 128

// Services are the open listeners.
type Services struct{ listeners []net.Listener }

// Open starts the listeners that c asks for.
func Open(c *wire.Services, up *uplink.Uplink) (*Services, *wire.Failure) {
	s := &Services{}
	if c.SecretsSocket != "" {
		l, err := listenUnix(c.SecretsSocket)
		if err != nil {
			return nil, failure(err, c.SecretsSocket)
		}
		s.serve(l, func(conn net.Conn) { serveSecret(conn, up) })
	}
	if c.MediationPort != 0 {
		address := "127.0.0.1:" + strconv.Itoa(c.MediationPort)
		l, err := net.Listen("tcp4", address)
		if err != nil {
			s.Close()
			return nil, failure(err, address)
		}
		s.serve(l, func(conn net.Conn) { mediate(conn.(*net.TCPConn), up) })
	}
	return s, nil
}

// Close ends the listeners; connections that are open go on.
func (s *Services) Close() {
	for _, l := range s.listeners {
		_ = l.Close()
	}
}

func failure(err error, where string) *wire.Failure {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return wire.FailErrno(errno, "listen on", where)
	}
	return wire.AsFailure(err, "listen on", where)
}

// listenUnix makes a socket that only its owner may open: it has its mode before it listens.
func listenUnix(path string) (net.Listener, error) {
	var st unix.Stat_t
	if unix.Lstat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK {
		_ = unix.Unlink(path)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), path)
	defer file.Close()
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return nil, err
	}
	if err := unix.Chmod(path, 0o600); err != nil {
		return nil, err
	}
	if err := unix.Listen(fd, connectionsMax); err != nil {
		return nil, err
	}
	return net.FileListener(file)
}

// acceptPause keeps a listener without descriptors from turning in circles.
const acceptPause = 20 * time.Millisecond

func (s *Services) serve(l net.Listener, handle func(net.Conn)) {
	s.listeners = append(s.listeners, l)
	room := make(chan struct{}, connectionsMax)
	var closed atomic.Bool
	go func() {
		defer fault.Recover("a listener")
		for !closed.Load() {
			room <- struct{}{}
			conn, err := l.Accept()
			if err != nil {
				<-room
				closed.Store(errors.Is(err, net.ErrClosed))
				time.Sleep(acceptPause)
				continue
			}
			go func() {
				defer func() { <-room }()
				defer fault.Recover("a service")
				handle(conn)
			}()
		}
	}()
}
