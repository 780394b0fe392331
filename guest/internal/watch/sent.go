package watch

import (
	"bytes"
	"strconv"
)

// sent knows whether the kernel still sends for programs that have ended: their sockets belong to no file any more.
func sent() (bool, string) {
	sending := 0
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		sending += orphansSending(readAll(table))
	}
	if sending == 0 {
		return true, "nothing is left to send"
	}
	return false, strconv.Itoa(sending) + " connections of programs that have ended still send"
}

// orphansSending counts the sockets of a table of the kernel's that have no inode and something in their send queue.
func orphansSending(table []byte) (count int) {
	for line := range bytes.Lines(table) {
		fields := bytes.Fields(line)
		if len(fields) < 10 || string(fields[9]) != "0" {
			continue
		}
		queued, _, _ := bytes.Cut(fields[4], []byte{':'})
		if number, err := strconv.ParseUint(string(queued), 16, 64); err == nil && number > 0 {
			count++
		}
	}
	return count
}
