package net

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// tun is a TUN device.
type tun struct {
	file *os.File
	fd   int
}

// NewTUN takes over the non-blocking descriptor of a TUN device.
func NewTUN(fd int) Device { return &tun{os.NewFile(uintptr(fd), "tun"), fd} }

func (t *tun) Read(p []byte) (int, error) { return t.file.Read(p) }

// partsMax is more than a packet of the stack has: headers and the buffers of its payload.
const partsMax = 16

func (t *tun) Write(parts [][]byte) error {
	var vec [partsMax]unix.Iovec
	n := 0
	for i, part := range parts {
		if len(part) == 0 {
			continue
		}
		if n == partsMax-1 && i < len(parts)-1 {
			part = join(parts[i:])
			parts = parts[:i]
		}
		vec[n].Base = &part[0]
		vec[n].SetLen(len(part))
		if n++; n == partsMax {
			break
		}
	}
	for {
		_, _, e := unix.Syscall(unix.SYS_WRITEV, uintptr(t.fd), uintptr(unsafe.Pointer(&vec[0])), uintptr(n))
		runtime.KeepAlive(parts)
		switch e {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return e
		}
	}
}

func join(parts [][]byte) (all []byte) {
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

func (t *tun) Close() error { return t.file.Close() }
