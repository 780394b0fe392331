package initsys

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/wire"
)

// seed mixes the host's bytes into the kernel's generator and makes it use them at once: a clone
// of a snapshot would otherwise repeat its siblings' random numbers.
func seed(entropy []byte) *wire.Failure {
	fd, err := unix.Open("/dev/urandom", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return wire.AsFailure(err, "open", "/dev/urandom")
	}
	defer unix.Close(fd)
	// struct rand_pool_info: bits, bytes, data.
	info := make([]byte, 8+len(entropy))
	binary.NativeEndian.PutUint32(info, uint32(8*len(entropy)))
	binary.NativeEndian.PutUint32(info[4:], uint32(len(entropy)))
	copy(info[8:], entropy)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.RNDADDENTROPY, uintptr(unsafe.Pointer(&info[0]))); errno != 0 {
		return wire.FailErrno(errno, "seed", "/dev/urandom")
	}
	clear(info)
	// Kernels before 5.18 reseed on their own schedule only; they refuse nothing else here.
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.RNDRESEEDCRNG, 0)
	return nil
}

func setClock(unixNS int64) *wire.Failure {
	if unixNS == 0 {
		return nil
	}
	t := unix.NsecToTimespec(unixNS)
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &t); err != nil {
		return wire.AsFailure(err, "set", "the clock")
	}
	return nil
}
