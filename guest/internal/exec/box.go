package exec

import (
	"strconv"
	"sync"

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
			s.oomBefore = s.oomKills()
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

func (s *slot) read(fd int, key string) uint64 {
	if s == nil || fd < 0 {
		return 0
	}
	var text [256]byte
	n, err := unix.Pread(fd, text[:], 0)
	if err != nil {
		return 0
	}
	return counter(text[:n], key)
}

func (s *slot) empty() bool { return s.read(s.events, "populated") == 0 }

// oomKills is how many processes of the slot the kernel has killed for memory.
func (s *slot) oomKills() uint64 {
	if s == nil {
		return 0
	}
	return s.read(s.memory, "oom_kill")
}

// newOOMKills is oomKills since the last call.
func (s *slot) newOOMKills() bool {
	if s == nil {
		return false
	}
	now := s.oomKills()
	grew := now > s.oomBefore
	s.oomBefore = now
	return grew
}
