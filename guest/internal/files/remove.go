package files

import (
	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/wire"
)

// removeDepthMax bounds the recursion; deeper trees are refused.
const removeDepthMax = 512

// Remove serves a remove request. Links are removed, never followed.
func Remove(st *mux.Stream, req *wire.Remove) {
	defer st.Release()
	path := clean(req.Path)
	if err := remove(unix.AT_FDCWD, path, req.Recursive, 0); err != nil {
		_ = st.SendLine(wire.AsFailure(err, "remove", path).Reply().Line(), true)
		return
	}
	_ = st.SendLine(wire.OK().Line(), true)
}

func remove(dir int, name string, recursive bool, depth int) error {
	err := unix.Unlinkat(dir, name, 0)
	if err != unix.EISDIR && err != unix.EPERM {
		return err
	}
	if err := unix.Unlinkat(dir, name, unix.AT_REMOVEDIR); err != unix.ENOTEMPTY || !recursive {
		return err
	}
	if depth >= removeDepthMax {
		return unix.ELOOP
	}
	fd, err := retry(func() (int, error) {
		return unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for {
		if _, err := unix.Seek(fd, 0, 0); err != nil {
			return err
		}
		list := dirList{fd: fd}
		names, err := list.next(1024)
		if err != nil {
			return err
		}
		if len(names) == 0 {
			return unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)
		}
		for _, each := range names {
			if err := remove(fd, each.name, true, depth+1); err != nil && err != unix.ENOENT {
				return err
			}
		}
	}
}
