package exec

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// stdio is both sides of a command's three descriptors.
type stdio struct {
	child  [3]int   // for the command
	stdin  *os.File // nil: /dev/null
	stdout *os.File // the terminal, with a tty
	stderr *os.File // nil with a tty
	tty    bool
	close  []int // child ends to close once the command has them
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
		_ = unix.Close(fd)
	}
	io.close = nil
}

// discard closes everything, for a command that did not start.
func (io *stdio) discard() {
	io.closeChild()
	for _, f := range []*os.File{io.stdin, io.stdout, io.stderr} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// pipe makes one: which end is ours, we poll; the other blocks as programs expect. The command's
// user owns it, so that opening /dev/stdout works for others than root.
func (io *stdio) pipe(ours int, id identity) (*os.File, int, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, -1, err
	}
	theirs := fds[1-ours]
	io.close = append(io.close, theirs)
	if id.uid != 0 && os.Geteuid() == 0 {
		_ = unix.Fchown(theirs, int(id.uid), int(id.gid))
	}
	if err := unix.SetNonblock(fds[ours], true); err != nil {
		_ = unix.Close(fds[ours])
		return nil, -1, err
	}
	return os.NewFile(uintptr(fds[ours]), "pipe"), theirs, nil
}

func openPipes(stdin bool, id identity) (io *stdio, err error) {
	io = &stdio{child: [3]int{devNull, -1, -1}}
	if stdin {
		if io.stdin, io.child[0], err = io.pipe(1, id); err != nil {
			io.discard()
			return nil, err
		}
	}
	if io.stdout, io.child[1], err = io.pipe(0, id); err == nil {
		io.stderr, io.child[2], err = io.pipe(0, id)
	}
	if err != nil {
		io.discard()
		return nil, err
	}
	return io, nil
}

func openTerminal(rows, cols uint16, id identity) (*stdio, error) {
	master, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	term := &stdio{tty: true}
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
	term.stdout = os.NewFile(uintptr(master), "tty")
	return term, nil
}

// Forget closes what Prepare opened, so that its file system can be unmounted.
func Forget() {
	_ = unix.Close(devNull)
	devNull = -1
}
