// Package eth makes the machine's interface: a TUN device with addresses and routes. What ends in it is
// another program's business.
package eth

import (
	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/wire"
)

// PacketBytesMax lets a packet with its header fit the largest buffer that the stack uses again.
const PacketBytesMax = 65520

const (
	tunPath = "/dev/net/tun"
	// tunChecksum (TUN_F_CSUM): the kernel may leave checksums out.
	tunChecksum = 1
)

// Open creates the interface, gives it addresses and routes, and returns the non-blocking descriptor of its
// other end. Every packet there is behind a virtio_net_hdr. The interface goes with its last descriptor.
func Open(c *wire.Network) (int, *wire.Failure) {
	fd, err := unix.Open(tunPath, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, wire.AsFailure(err, "open", tunPath)
	}
	request, err := unix.NewIfreq(c.Interface)
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err == nil {
		err = unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, tunChecksum)
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, wire.AsFailure(err, "create the interface", c.Interface)
	}
	shown := *c
	shown.MTU = min(c.MTU, PacketBytesMax)
	if failure := plumb(&shown); failure != nil {
		_ = unix.Close(fd)
		return -1, failure
	}
	return fd, nil
}
