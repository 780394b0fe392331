package exec

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// stdio is both sides of a command's three descriptors.
type stdio struct {
	child [3]int // for the command
	ours  [3]int // -1: none; with a tty only ours[1], the terminal
	tty   bool
	close []int // child ends to close once the command has them

	// ours, once they are polled: a command that has ended already never is
	stdin, stdout, stderr *os.File
}

func newStdio() *stdio { return &stdio{ours: [3]int{-1, -1, -1}} }

// poll lets the runtime wait for our ends.
func (io *stdio) poll() {
	for i, file := range []**os.File{&io.stdin, &io.stdout, &io.stderr} {
		if io.ours[i] >= 0 {
			*file = os.NewFile(uintptr(io.ours[i]), "stdio")
			io.ours[i] = -1
		}
	}
}

// devNull is opened once, so that a workload which removes /dev/null does no harm.
var devNull = -1

// Prepare opens what every exec needs.
func Prepare() {
	if devNull < 0 {
		devNull, _ = unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	}
}

func (io *stdio) closeChild() {
	for _, fd := range io.close {
		_, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
	}
	io.close = nil
}

// discard closes everything that is not polled.
func (io *stdio) discard() {
	io.closeChild()
	for i, fd := range io.ours {
		if fd >= 0 {
			_ = unix.Close(fd)
			io.ours[i] = -1
		}
	}
}

// pipe makes one for the command's descriptor at. Our end never blocks, the other blocks as programs expect. The
// command's user owns it, so that opening /dev/stdout works for others than root.
func (io *stdio) pipe(at int, id identity) error {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return err
	}
	ours := 0
	if at == 0 {
		ours = 1
	}
	io.ours[at], io.child[at] = fds[ours], fds[1-ours]
	io.close = append(io.close, io.child[at])
	if id.uid != 0 && os.Geteuid() == 0 {
		_ = unix.Fchown(io.child[at], int(id.uid), int(id.gid))
	}
	_, err := unix.FcntlInt(uintptr(io.child[at]), unix.F_SETFL, 0)
	return err
}

func openPipes(stdin bool, id identity) (*stdio, error) {
	io := newStdio()
	io.child[0] = devNull
	for at := range 3 {
		if at == 0 && !stdin {
			continue
		}
		if err := io.pipe(at, id); err != nil {
			io.discard()
			return nil, err
		}
	}
	return io, nil
}

func openTerminal(rows, cols uint16, id identity) (*stdio, error) {
	master, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	term := newStdio()
	term.tty = true
	n, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(master, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols})
	}
	slave := -1
	if err == nil {
		slave, err = unix.Open("/dev/pts/"+strconv.Itoa(n), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		_ = unix.Close(master)
		return nil, err
	}
	if os.Geteuid() == 0 {
		_ = unix.Fchown(slave, int(id.uid), -1)
	}
	term.child = [3]int{slave, slave, slave}
	term.close = []int{slave}
	term.ours[1] = master
	return term, nil
}

// Forget closes what Prepare opened, so that its file system can be unmounted.
func Forget() {
	_ = unix.Close(devNull)
	devNull = -1
}
