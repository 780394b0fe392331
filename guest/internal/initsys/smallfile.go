package initsys

import "golang.org/x/sys/unix"

// The kernel's own files are read and written with plain calls: package os brings code that costs
// milliseconds to run for the first time under emulation, on the way to the first command.

// smallFileBytes is enough for any file of the kernel that we read.
const smallFileBytes = 4096

// read gives a small file's text, false when it cannot be read.
func read(path string) (string, bool) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", false
	}
	defer unix.Close(fd)
	buf := make([]byte, smallFileBytes)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return "", false
	}
	return string(buf[:n]), true
}

// write sets a file of the kernel; what a kernel lacks is only missed.
func write(path, text string) bool {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(text))
	return err == nil
}

// names lists a directory of the kernel, nothing when it cannot be read.
func names(path string) []string {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	var list []string
	buf := make([]byte, smallFileBytes)
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err != nil || n <= 0 {
			return list
		}
		_, _, list = unix.ParseDirent(buf[:n], -1, list)
	}
}
