package watch

import (
	"bytes"
	"strconv"

	"golang.org/x/sys/unix"
)

// listening is the state LISTEN in the kernel's tables.
const listening = "0A"

// shownMax bounds how many others are named.
const shownMax = 16

func port(number int, present bool) look {
	return func() (bool, string) {
		ports := listeners()
		var seen []byte
		found := false
		for _, each := range ports {
			found = found || each == number
		}
		switch {
		case found:
			return present, "port " + strconv.Itoa(number) + " listens"
		case len(ports) == 0:
			return !present, "nothing listens"
		}
		for i, each := range ports {
			if i == shownMax {
				seen = append(seen, ", ..."...)
				break
			}
			if i > 0 {
				seen = append(seen, ", "...)
			}
			seen = strconv.AppendInt(seen, int64(each), 10)
		}
		return !present, "what listens is on " + string(seen)
	}
}

// listeners reads which TCP ports have a listener, each once, in the tables' order.
func listeners() []int {
	var ports []int
	known := map[int]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		for line := range bytes.Lines(readAll(table)) {
			fields := bytes.Fields(line)
			if len(fields) < 4 || string(fields[3]) != listening {
				continue
			}
			at := bytes.LastIndexByte(fields[1], ':')
			number, err := strconv.ParseUint(string(fields[1][at+1:]), 16, 16)
			if err == nil && !known[int(number)] {
				known[int(number)] = true
				ports = append(ports, int(number))
			}
		}
	}
	return ports
}

// tableBytesMax bounds what is read of a table of the kernel's.
const tableBytesMax = 1 << 20

func readAll(path string) []byte {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	all := make([]byte, 0, 4096)
	for len(all) < tableBytesMax {
		if len(all) == cap(all) {
			all = append(make([]byte, 0, 2*cap(all)), all...)
		}
		n, err := unix.Read(fd, all[len(all):cap(all)])
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			break
		}
		all = all[:len(all)+n]
	}
	return all
}
