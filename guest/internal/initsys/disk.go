package initsys

import (
	"strings"

	"golang.org/x/sys/unix"
)

// byIDPrefix begins the names that udev gives to virtio disks after their serial. There is no udev here,
// so the agent looks the serial up itself: the order in which a kernel finds its disks is nobody's promise.
const byIDPrefix = "/dev/disk/by-id/virtio-"

// findDevice waits for a block device and returns the node to mount: the path itself, or, for a
// by-id name, the node of the disk with that serial. ENOENT when it does not appear in time.
func findDevice(path string) (string, error) {
	serial, byID := strings.CutPrefix(path, byIDPrefix)
	if !byID {
		return path, waitForDevice(path)
	}
	node := ""
	if !await(func() bool {
		node = nodeOf(serial)
		return node != ""
	}) {
		return "", unix.ENOENT
	}
	return node, waitForDevice(node)
}

// nodeOf is the device node of the disk with a serial, empty when there is none (yet).
func nodeOf(serial string) string {
	for _, name := range names("/sys/block") {
		if found, ok := read("/sys/block/" + name + "/serial"); ok && strings.TrimSpace(found) == serial {
			return "/dev/" + name
		}
	}
	return ""
}
