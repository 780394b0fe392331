package exec

import (
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/wire"
)

// lookUp finds argv[0] as execvp does: with a slash it is a path (from cwd), else PATH is searched.
func lookUp(command, cwd string, env []string) (string, *wire.Failure) {
	if strings.Contains(command, "/") {
		return command, nil
	}
	search := ""
	for _, e := range env {
		if rest, ok := strings.CutPrefix(e, "PATH="); ok {
			search = rest
		}
	}
	denied := false
	for search != "" {
		dir, rest, _ := strings.Cut(search, ":")
		search = rest
		if !strings.HasPrefix(dir, "/") {
			dir = path.Join(cwd, dir)
		}
		candidate := dir + "/" + command
		var st unix.Stat_t
		if unix.Stat(candidate, &st) != nil || st.Mode&unix.S_IFMT == unix.S_IFDIR {
			continue
		}
		if st.Mode&0o111 != 0 {
			return candidate, nil
		}
		denied = true
	}
	if denied {
		return "", notStarted(unix.EACCES, strconv.Quote(command)+" is in PATH but not executable")
	}
	return "", notStarted(unix.ENOENT, strconv.Quote(command)+" is not in PATH")
}

func notStarted(errno unix.Errno, message string) *wire.Failure {
	return &wire.Failure{Code: wire.NotStarted, Errno: errno, Message: message}
}

// explain names what the kernel refused: one errno stands for the directory, the file, its
// interpreter and the limits.
func explain(err error, file, cwd string) *wire.Failure {
	if enter, ok := err.(enterError); ok {
		return notStarted(enter.Errno, "Could not enter working directory "+strconv.Quote(cwd)+": "+wire.ErrnoText(enter.Errno))
	}
	errno, ok := err.(unix.Errno)
	if !ok {
		return notStarted(unix.EIO, "Could not start "+strconv.Quote(file)+": "+err.Error())
	}
	why := ": " + wire.ErrnoText(errno)
	switch errno {
	case unix.ENOENT, unix.ENOTDIR, unix.EACCES:
		var st unix.Stat_t
		if dirErr := unix.Stat(cwd, &st); dirErr != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
			return notStarted(errno, "Could not enter working directory "+strconv.Quote(cwd)+why)
		}
		target := file
		if !strings.HasPrefix(file, "/") {
			target = path.Join(cwd, file)
		}
		if errno == unix.ENOENT && unix.Stat(target, &st) == nil {
			return notStarted(errno, "The interpreter that "+strconv.Quote(file)+" asks for is missing")
		}
	case unix.EAGAIN:
		why += "; the machine's limit of processes is reached"
	}
	return notStarted(errno, "Could not start "+strconv.Quote(file)+why)
}
