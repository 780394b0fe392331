package files

import (
	"strings"

	"golang.org/x/sys/unix"
)

// openBeneath opens a relative path so that no symbolic link leads out of root.
func openBeneath(root int, path string, flags int) (int, error) {
	how := unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS,
	}
	for tries := 0; ; tries++ {
		fd, err := unix.Openat2(root, path, &how)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN && tries < 100: // a rename crossed the walk
		case err == unix.ENOSYS || err == unix.EPERM && tries == 0:
			return openStepwise(root, path, flags)
		default:
			return fd, err
		}
	}
}

// openStepwise serves kernels and sandboxes without openat2: it follows no link at all.
func openStepwise(root int, path string, flags int) (int, error) {
	at := root
	for {
		part, rest, more := strings.Cut(path, "/")
		f := unix.O_PATH | unix.O_DIRECTORY
		if !more {
			f = flags
		}
		fd, err := retry(func() (int, error) {
			return unix.Openat(at, part, f|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		})
		if at != root {
			_ = unix.Close(at)
		}
		if err != nil || !more {
			return fd, err
		}
		at, path = fd, rest
	}
}

// splitPath gives a path's directory ("" for none) and its last name.
func splitPath(path string) (dir, name string) {
	at := strings.LastIndexByte(path, '/')
	if at < 0 {
		return "", path
	}
	return path[:at], path[at+1:]
}

// makeParents creates the missing directories of an absolute path, as mkdir -p does.
func makeParents(path string) error {
	for at := 1; at < len(path); at++ {
		if path[at] != '/' {
			continue
		}
		if err := unix.Mkdir(path[:at], 0o755); err != nil && err != unix.EEXIST {
			var st unix.Stat_t
			if unix.Stat(path[:at], &st) != nil {
				return err
			}
		}
	}
	return nil
}

// clean drops a trailing slash and doubled ones; the kernel resolves the rest.
func clean(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	return path
}
