package files

import (
	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/framing"
	"microagent.dev/guest/internal/wire"
)

// directGet is what one read past the cache takes.
const directGet = 1 << 20

// frameMost keeps a frame with its headers in one write to the port.
const frameMost = 32<<10 - framing.Headroom

// contentDirect sends the beginning of a large file that the cache does not hold, and says how much of
// it: through the cache, an emulated processor would copy each byte once more. The rest, and whatever
// else there is to say, is for the ordinary way.
func (g *getter) contentDirect(fd int, size int64) (at int64, sendErr error) {
	if size < directMin || mostlyCached(fd, size) || setFlags(fd, unix.O_DIRECT|unix.O_NONBLOCK) != nil {
		return 0, nil
	}
	defer setFlags(fd, unix.O_NONBLOCK)
	// The page before the bytes has room for the headers of the first frame; those of the others go
	// where bytes were that have been sent.
	mapped, err := unix.Mmap(-1, 0, directBlock+directGet, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return 0, nil
	}
	defer unix.Munmap(mapped)
	for g.req.MaxBytes-g.end.Bytes >= directGet {
		n, err := retry(func() (int, error) { return unix.Pread(fd, mapped[directBlock:], at) })
		if err != nil || n <= 0 {
			return at, nil
		}
		if sendErr = g.out.Blocks(wire.KindData, mapped[directBlock-framing.Headroom:][:framing.Headroom+n], frameMost); sendErr != nil {
			return at, sendErr
		}
		at += int64(n)
		g.end.Bytes += int64(n)
		if n < directGet {
			return at, nil
		}
	}
	return at, nil
}

func setFlags(fd, flags int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags)
	return err
}

// mostlyCached asks for the first part of a file, which is how much one answer tells.
func mostlyCached(fd int, size int64) bool {
	const asked = 64 << 20
	length := int(min(size, asked))
	view, err := unix.Mmap(fd, 0, length, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return true
	}
	defer unix.Munmap(view)
	pages := make([]byte, (length+directBlock-1)/directBlock)
	if mincore(view, pages) != nil {
		return true
	}
	cached := 0
	for _, page := range pages {
		cached += int(page & 1)
	}
	return cached > len(pages)/2
}
