// Package files moves trees between the host and the guest's file system.
package files

import (
	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/wire"
)

func typeOf(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return "file"
	case unix.S_IFDIR:
		return "dir"
	case unix.S_IFLNK:
		return "symlink"
	case unix.S_IFIFO:
		return "fifo"
	case unix.S_IFCHR:
		return "char"
	case unix.S_IFBLK:
		return "block"
	}
	return "socket"
}

// entryOf describes a node; name is its path in the tree.
func entryOf(path string, st *unix.Stat_t) wire.Entry {
	e := wire.Entry{
		Path: path, Type: typeOf(st.Mode), Mode: st.Mode & 0o7777, UID: st.Uid, GID: st.Gid,
		MTimeS: int64(st.Mtim.Sec), MTimeNS: int64(st.Mtim.Nsec),
	}
	switch e.Type {
	case "file", "symlink":
		e.Size = st.Size
	case "char", "block":
		e.DevMajor, e.DevMinor = unix.Major(uint64(st.Rdev)), unix.Minor(uint64(st.Rdev))
	}
	return e
}

// readLink reads a link's target relative to a directory.
func readLink(dir int, name string) (string, error) {
	var buf [wire.PathBytesMax + 1]byte
	n, err := unix.Readlinkat(dir, name, buf[:])
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// retry repeats a call that a signal interrupted.
func retry[T any](call func() (T, error)) (T, error) {
	for {
		v, err := call()
		if err != unix.EINTR {
			return v, err
		}
	}
}
