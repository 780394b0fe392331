package watch

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// file is there when the path exists, and with a size to go beyond, when it has more bytes, or fewer: then it
// was begun anew.
func file(path string, present bool, beyond int64) look {
	return func() (bool, string) {
		var node unix.Stat_t
		err := unix.Stat(path, &node)
		if err != nil {
			errno, _ := err.(unix.Errno)
			gone := errno == unix.ENOENT || errno == unix.ENOTDIR
			return gone && !present, "the path is not there (" + unix.ErrnoName(errno) + ")"
		}
		seen := "the path is there with " + strconv.FormatInt(node.Size, 10) + " bytes"
		if beyond >= 0 && present {
			return node.Size != beyond, seen
		}
		return present, seen
	}
}
