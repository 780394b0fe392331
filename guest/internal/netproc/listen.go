package netproc

import (
	"strconv"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/wire"
)

const backlog = 128

// listenUnix makes a socket that only its owner may open: it has its mode before it listens.
func listenUnix(path string) (int, *wire.Failure) {
	var st unix.Stat_t
	if unix.Lstat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK {
		_ = unix.Unlink(path)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	}
	if err == nil {
		err = unix.Chmod(path, 0o600)
	}
	return listen(fd, path, err)
}

// listenTCP listens on a port of 127.0.0.1.
func listenTCP(port int) (int, *wire.Failure) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	}
	return listen(fd, "127.0.0.1:"+strconv.Itoa(port), err)
}

func listen(fd int, where string, err error) (int, *wire.Failure) {
	if err == nil {
		err = unix.Listen(fd, backlog)
	}
	if err == nil {
		return fd, nil
	}
	if fd >= 0 {
		_ = unix.Close(fd)
	}
	return -1, wire.AsFailure(err, "listen on", where)
}
