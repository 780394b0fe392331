package watch

import (
	"bytes"
	"strconv"

	"golang.org/x/sys/unix"
)

// process knows a program by its name: that of the process, or that of the file it was started from.
func process(name string, present bool) look {
	return func() (bool, string) {
		pids, count := processesNamed(name)
		if len(pids) > 0 {
			return present, "it runs as process " + strconv.Itoa(pids[0]) + " (" + strconv.Itoa(len(pids)) + " of that name)"
		}
		return !present, "none of " + strconv.Itoa(count) + " processes has that name"
	}
}

func processesNamed(name string) (pids []int, count int) {
	fd, err := unix.Open("/proc", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, 0
	}
	defer unix.Close(fd)
	buf := make([]byte, 16<<10)
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return pids, count
		}
		_, _, names := unix.ParseDirent(buf[:n], -1, nil)
		for _, each := range names {
			pid, err := strconv.Atoi(each)
			if err != nil || pid <= 1 {
				continue
			}
			words := readAll("/proc/" + each + "/cmdline")
			// Threads of the kernel and the dead have no words.
			if len(words) == 0 {
				continue
			}
			count++
			if called(pid, words, name) {
				pids = append(pids, pid)
			}
		}
	}
}

func called(pid int, words []byte, name string) bool {
	program, _, _ := bytes.Cut(words, []byte{0})
	if at := bytes.LastIndexByte(program, '/'); at >= 0 {
		program = program[at+1:]
	}
	if string(program) == name {
		return true
	}
	own := bytes.TrimRight(readAll("/proc/"+strconv.Itoa(pid)+"/comm"), "\n")
	return string(own) == name
}
