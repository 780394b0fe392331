// Package port is the byte stream to the host: a virtio port, or a process's stdin and stdout.
package port

import (
	"io"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Conn reads and writes non-blocking descriptors through the runtime's poller with raw system
// calls: at 4 KiB a read (all that a virtio port gives at once) the ordinary path costs as much as
// the read itself.
type Conn struct {
	in, out *os.File
	r, w    side
	stopped bool
}

type side struct {
	raw   syscall.RawConn
	try   func(fd uintptr) bool
	buf   []byte
	done  int
	errno unix.Errno
}

// New takes over two descriptors, which may be the same.
func New(in, out int) (*Conn, error) {
	c := &Conn{}
	for _, fd := range []int{in, out} {
		if err := unix.SetNonblock(fd, true); err != nil {
			return nil, err
		}
	}
	c.in = os.NewFile(uintptr(in), "link")
	c.out = c.in
	if out != in {
		c.out = os.NewFile(uintptr(out), "link")
	}
	var err error
	if c.r.raw, err = c.in.SyscallConn(); err != nil {
		return nil, err
	}
	if c.w.raw, err = c.out.SyscallConn(); err != nil {
		return nil, err
	}
	c.r.try, c.w.try = c.r.read, c.w.write
	return c, nil
}

func (s *side) read(fd uintptr) bool {
	for s.done < len(s.buf) {
		n, _, e := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&s.buf[s.done])), uintptr(len(s.buf)-s.done))
		switch {
		case e == unix.EINTR:
		case e == unix.EAGAIN:
			return s.done > 0
		case e != 0:
			s.errno = e
			return true
		case n == 0:
			return true
		default:
			s.done += int(n)
		}
	}
	return true
}

func (s *side) write(fd uintptr) bool {
	for s.done < len(s.buf) {
		n, _, e := unix.RawSyscall(unix.SYS_WRITE, fd, uintptr(unsafe.Pointer(&s.buf[s.done])), uintptr(len(s.buf)-s.done))
		switch {
		case e == unix.EINTR:
		case e == unix.EAGAIN:
			return false
		case e != 0:
			s.errno = e
			return true
		default:
			s.done += int(n)
		}
	}
	return true
}

// Read fills p with all that is there, waiting for at least one byte. One reader at a time.
func (c *Conn) Read(p []byte) (int, error) {
	s := &c.r
	s.buf, s.done, s.errno = p, 0, 0
	err := s.raw.Read(s.try)
	switch {
	case s.done > 0:
		return s.done, nil
	case err != nil:
		return 0, err
	case s.errno != 0:
		return 0, s.errno
	}
	return 0, io.EOF
}

// Write writes all of p. One writer at a time.
func (c *Conn) Write(p []byte) (int, error) {
	s := &c.w
	s.buf, s.done, s.errno = p, 0, 0
	if err := s.raw.Write(s.try); err != nil {
		return s.done, err
	}
	if s.errno != 0 {
		return s.done, s.errno
	}
	return s.done, nil
}

// StopWriting wakes whoever waits in Write and makes it fail, until ResumeWriting. Both are for the reader.
func (c *Conn) StopWriting() {
	c.stopped = true
	_ = c.out.SetWriteDeadline(time.Unix(1, 0))
}

// ResumeWriting allows writes again.
func (c *Conn) ResumeWriting() {
	if c.stopped {
		c.stopped = false
		_ = c.out.SetWriteDeadline(time.Time{})
	}
}
