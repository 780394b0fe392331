package initsys

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/wire"
)

// seed mixes the host's bytes into the kernel's generator and makes it use them at once: a clone
// of a snapshot would otherwise repeat its siblings' random numbers.
func (m *machine) seed(entropy []byte) *wire.Failure {
	if m.random == 0 {
		fd, err := unix.Open("/dev/urandom", unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return wire.AsFailure(err, "open", "/dev/urandom")
		}
		m.random = fd
	}
	fd := m.random
	// struct rand_pool_info: bits, bytes, data.
	info := make([]byte, 8+len(entropy))
	binary.NativeEndian.PutUint32(info, uint32(8*len(entropy)))
	binary.NativeEndian.PutUint32(info[4:], uint32(len(entropy)))
	copy(info[8:], entropy)
	// The scheduler is not told of calls that wait for nothing: when one takes long because its code runs for the first
	// time, it would call in another thread, which is more such code.
	if _, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), unix.RNDADDENTROPY, uintptr(unsafe.Pointer(&info[0]))); errno != 0 {
		return wire.FailErrno(errno, "seed", "/dev/urandom")
	}
	clear(info)
	// Kernels before 5.18 reseed on their own schedule only; they refuse nothing else here.
	_, _, _ = unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), unix.RNDRESEEDCRNG, 0)
	return nil
}

func setClock(unixNS int64) *wire.Failure {
	if unixNS == 0 {
		return nil
	}
	t := unix.NsecToTimespec(unixNS)
	if _, _, errno := unix.RawSyscall(unix.SYS_CLOCK_SETTIME, unix.CLOCK_REALTIME, uintptr(unsafe.Pointer(&t)), 0); errno != 0 {
		return wire.AsFailure(errno, "set", "the clock")
	}
	return nil
}
