package exec

import (
	"bytes"
	"strconv"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Box is the cgroup that commands live in. Every running command has a cgroup of its own below it:
// time is then shared between commands, not between processes, and a command starts promptly beside
// one that forks without end. It also tells whose processes the kernel killed for memory. Making
// a cgroup costs as much as starting a process, so empty ones are used again. The zero Box has none.
type Box struct {
	dir   int    // 0: no cgroups here
	pids  string // pids.max of each slot
	mu    sync.Mutex
	made  int
	idle  []*slot
	stale []*slot // a command has ended, its children still live there
}

// slot is the cgroup of one command.
type slot struct {
	fd        int
	memory    int // memory.events
	events    int // cgroup.events
	oomBefore uint64
	calm      bool // nothing had ever happened to its memory when that was last read
}

// Open makes the box use a cgroup directory, whose processes are limited to pidsMax, and prepares the
// first slot. One command may have most of them: there is room for another to look what is wrong.
func (b *Box) Open(path string, pidsMax int64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dir = fd
	b.pids = strconv.FormatInt(pidsMax-pidsMax/8, 10)
	if s := b.make(); s != nil {
		b.idle = append(b.idle, s)
	}
	return nil
}

func (b *Box) make() *slot {
	name := strconv.Itoa(b.made)
	if err := unix.Mkdirat(b.dir, name, 0o755); err != nil && err != unix.EEXIST {
		return nil
	}
	b.made++
	fd, err := unix.Openat(b.dir, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	open := func(file string) int {
		fd, err := unix.Openat(fd, file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return -1
		}
		return fd
	}
	if limit, err := unix.Openat(fd, "pids.max", unix.O_WRONLY|unix.O_CLOEXEC, 0); err == nil {
		_, _ = unix.Write(limit, []byte(b.pids))
		_ = unix.Close(limit)
	}
	return &slot{fd: fd, memory: open("memory.events"), events: open("cgroup.events")}
}

// take gives a slot to a command; nil where there are no cgroups.
func (b *Box) take() *slot {
	if b.dir == 0 {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.idle); n > 0 {
		s := b.idle[n-1]
		b.idle = b.idle[:n-1]
		return s
	}
	for i, s := range b.stale {
		if s.empty() {
			b.stale = append(b.stale[:i], b.stale[i+1:]...)
			s.newOOMKills()
			return s
		}
	}
	return b.make()
}

func (b *Box) give(s *slot) {
	if s == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.empty() {
		b.idle = append(b.idle, s)
	} else {
		b.stale = append(b.stale, s)
	}
}

// read gives the text of an event file.
func (s *slot) read(fd int, into *[256]byte) []byte {
	if s == nil || fd < 0 {
		return nil
	}
	n, err := unix.Pread(fd, into[:], 0)
	if err != nil {
		return nil
	}
	return into[:n]
}

func (s *slot) empty() bool {
	var text [256]byte
	return counter(s.read(s.events, &text), "populated") == 0
}

// newOOMKills says whether the kernel has killed processes of the slot for memory since the last call.
func (s *slot) newOOMKills() bool {
	if s == nil || s.calm && !s.noted() {
		return false
	}
	var buf [256]byte
	text := s.read(s.memory, &buf)
	now := counter(text, "oom_kill")
	grew := now > s.oomBefore
	s.oomBefore = now
	s.calm = !bytes.ContainsAny(text, "123456789")
	return grew
}

// noted says whether something has happened to its memory since that was last read. Asking is a fraction of reading.
// The kernel tells of the first event at once and of what follows late, so it is good for the first one only.
func (s *slot) noted() bool {
	poll := &struct {
		fd   unix.PollFd
		none unix.Timespec
	}{fd: unix.PollFd{Fd: int32(s.memory), Events: unix.POLLPRI}}
	n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&poll.fd)), 1, uintptr(unsafe.Pointer(&poll.none)), 0, 0, 0)
	return n != 0 || errno != 0
}
