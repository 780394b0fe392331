package port

import (
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Shared reads one descriptor and writes another, which is another process's port too.
type Shared struct {
	*Conn
	out     uintptr
	stopped atomic.Bool
}

// NewShared takes over in and uses out, which does not wait.
func NewShared(in, out int) (*Shared, error) {
	c, err := New(in, in)
	if err != nil {
		return nil, err
	}
	return &Shared{Conn: c, out: uintptr(out)}, nil
}

// fullPause is after which a port that was full is tried again. Waiting for it with the poller would be better, but when a
// second process does that, the first misses what arrives: answers came seconds late.
const fullPause = 200 * time.Microsecond

// Write writes all of p. One writer at a time.
func (s *Shared) Write(p []byte) (int, error) {
	for done := 0; done < len(p); {
		if s.stopped.Load() {
			return done, os.ErrClosed
		}
		n, _, e := unix.RawSyscall(unix.SYS_WRITE, s.out, uintptr(unsafe.Pointer(&p[done])), uintptr(len(p)-done))
		switch e {
		case 0:
			done += int(n)
		case unix.EINTR:
		case unix.EAGAIN:
			time.Sleep(fullPause)
		default:
			return done, e
		}
	}
	return len(p), nil
}

// StopWriting makes Write fail until ResumeWriting.
func (s *Shared) StopWriting() { s.stopped.Store(true) }

// ResumeWriting allows writes again.
func (s *Shared) ResumeWriting() { s.stopped.Store(false) }
