package initsys

import (
	"errors"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// deviceWait bounds the wait for a device: the host's boot watchdog is shorter.
const deviceWait = 20 * time.Second

// devices waits for the kernel's announcements instead of sleeping: timers may be coarse.
type devices struct{ fd int }

func watchDevices() devices {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return devices{-1}
	}
	if unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}) != nil {
		_ = unix.Close(fd)
		return devices{-1}
	}
	return devices{fd}
}

func (d devices) close() {
	if d.fd >= 0 {
		_ = unix.Close(d.fd)
	}
}

// await looks at once, and if that was too early after each announcement.
func await(look func() bool) bool {
	if look() {
		return true
	}
	watch := watchDevices()
	defer watch.close()
	return watch.until(look)
}

// until repeats look after every announcement, and now and then without one.
func (d devices) until(look func() bool) bool {
	deadline := time.Now().Add(deviceWait)
	for !look() {
		if time.Now().After(deadline) {
			return false
		}
		if d.fd < 0 {
			time.Sleep(2 * time.Millisecond)
			continue
		}
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(d.fd), Events: unix.POLLIN}}, 20)
		var drop [4096]byte
		for {
			if _, _, err := unix.Recvfrom(d.fd, drop[:], unix.MSG_DONTWAIT); err != nil {
				break
			}
		}
	}
	return true
}

// openPort finds a virtio-serial port by its name.
func openPort(name string) (int, error) {
	const ports = "/sys/class/virtio-ports"
	fd, last := -1, errors.New("no such port appeared")
	await(func() bool {
		for _, device := range names(ports) {
			if text, _ := read(ports + "/" + device + "/name"); strings.TrimSpace(text) != name {
				continue
			}
			var err error
			if fd, err = unix.Open("/dev/"+device, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err == nil {
				return true
			}
			fd, last = -1, err
		}
		return false
	})
	if fd < 0 {
		return -1, last
	}
	return fd, nil
}

// waitForDevice waits until a device node is there.
func waitForDevice(path string) error {
	var st unix.Stat_t
	if !await(func() bool { return unix.Stat(path, &st) == nil }) {
		return unix.ENOENT
	}
	return nil
}
