package relay

import (
	"errors"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Socket is one end of a TCP connection.
type Socket interface {
	Read([]byte) (int, error)
	Write([]byte) (int, error)
	CloseWrite() error
	SetLinger(seconds int) error
	Close() error
}

// socket is a TCP connection without package net, whose set-up every boot would pay for.
type socket struct {
	*os.File
	raw syscall.RawConn
}

func dialTCP(to netip.AddrPort) (*socket, error) {
	family := unix.AF_INET
	var address unix.Sockaddr = &unix.SockaddrInet4{Port: int(to.Port()), Addr: [4]byte(to.Addr().AsSlice()[:4])}
	if to.Addr().Is6() {
		family, address = unix.AF_INET6, &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	err = unix.Connect(fd, address)
	if err == unix.EINPROGRESS || err == unix.EINTR {
		err = connected(fd)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	s := &socket{File: os.NewFile(uintptr(fd), "tcp")}
	if s.raw, err = s.SyscallConn(); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// connectMS bounds a connection within the machine.
const connectMS = 10_000

func connected(fd int) error {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, connectMS)
		if err == unix.EINTR {
			continue
		}
		if err == nil && n == 0 {
			err = unix.ETIMEDOUT
		}
		if err != nil {
			return err
		}
		code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code != 0 {
			err = unix.Errno(code)
		}
		return err
	}
}

func (s *socket) on(act func(fd int) error) error {
	var failed error
	return errors.Join(s.raw.Control(func(fd uintptr) { failed = act(int(fd)) }), failed)
}

func (s *socket) CloseWrite() error {
	return s.on(func(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) })
}

func (s *socket) SetLinger(seconds int) error {
	return s.on(func(fd int) error {
		return unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: int32(seconds)})
	})
}
