package initsys

import (
	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/wire"
)

// fillName is the file that takes a disk's room.
const fillName = "/.filled"

// Disturb makes something go wrong, or right again.
func (m *machine) Disturb(d *wire.Disturb) *wire.Failure {
	switch d.What {
	case "link":
		n := m.net.Load()
		if n == nil {
			return wire.Fail(wire.NotFound, "The machine has no network")
		}
		n.Cut(!d.Up)
		return nil
	case "disk":
		return fill(d.Path, d.Bytes, d.Up)
	case "memory":
		return m.press(d.Bytes)
	}
	return setClock(d.TimeUnixNS)
}

// fill leaves `free` bytes on the file system of a directory, or gives all of it back.
func fill(dir string, free int64, giveBack bool) *wire.Failure {
	path := dir + fillName
	if err := unix.Unlink(path); err != nil && err != unix.ENOENT {
		return wire.AsFailure(err, "empty", dir)
	}
	if giveBack {
		return nil
	}
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return wire.AsFailure(err, "fill", dir)
	}
	defer unix.Close(fd)
	for at := int64(0); ; {
		var fs unix.Statfs_t
		if err := unix.Fstatfs(fd, &fs); err != nil {
			return wire.AsFailure(err, "fill", dir)
		}
		// Root may use what is kept for root, so all that is free counts.
		room := int64(fs.Bfree)*int64(fs.Bsize) - free
		if room < int64(fs.Bsize) {
			return nil
		}
		if err := allocate(fd, at, room); err != nil {
			// The last blocks hold what describes the file.
			if room /= 2; room >= int64(fs.Bsize) && allocate(fd, at, room) == nil {
				at += room
				continue
			}
			return nil
		}
		at += room
	}
}

func allocate(fd int, at, size int64) error {
	for {
		err := unix.Fallocate(fd, 0, at, size)
		if err != unix.EINTR {
			return err
		}
	}
}

// press takes memory away from everybody else; 0 gives it back.
func (m *machine) press(size int64) *wire.Failure {
	if m.pressed != nil {
		_ = unix.Munmap(m.pressed)
		m.pressed = nil
	}
	if size == 0 {
		return nil
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err == nil && uint64(size) > uint64(info.Totalram)*uint64(info.Unit) {
		return wire.Fail(wire.TooLarge, "The machine has not as much memory")
	}
	taken, err := unix.Mmap(-1, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return wire.AsFailure(err, "take", "memory")
	}
	m.pressed = taken
	for at := 0; at < len(taken); at += 4096 {
		taken[at] = 1
	}
	return nil
}
