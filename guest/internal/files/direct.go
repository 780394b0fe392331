package files

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	directMin   = 1 << 20
	directBlock = 4096
	// directHalf is what one write takes. Two of them are one huge page: a run of memory that the disk
	// takes as one piece, where 4 KiB pages would be 256.
	directHalf = 1 << 20
	hugePage   = 2 * directHalf
	// directMost bounds the memory of writers at once; further files go the ordinary way.
	directMost = 8
)

// direct collects the bytes of a large file and writes them past the page cache: in an emulated
// guest, filling the cache page by page takes several times as long as the transfer itself. One half
// is filled while the other is written. Nil where that is not possible or not worth it.
type direct struct {
	mapped  []byte // huge page and what surrounds it
	buf     []byte // the half that is being filled
	other   []byte
	pending int
	full    chan block // to the writer
	written chan error // from it
	busy    bool       // a block is being written
}

type block struct {
	bytes []byte
	at    int64
}

var directUsers atomic.Int32

// begin makes the file's writes direct if it is large and its file system can.
func (f *newFile) begin(size int64) {
	if size < directMin {
		return
	}
	if directUsers.Add(1) > directMost || f.setDirect(unix.O_DIRECT) != nil {
		directUsers.Add(-1)
		return
	}
	mapped, err := unix.Mmap(-1, 0, 2*hugePage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		_ = f.setDirect(0)
		directUsers.Add(-1)
		return
	}
	first := hugePage - int(uintptr(unsafe.Pointer(&mapped[0]))%hugePage)
	page := mapped[first%hugePage:][:hugePage]
	_ = unix.Madvise(page, unix.MADV_HUGEPAGE)
	f.direct = direct{mapped: mapped, buf: page[:directHalf], other: page[directHalf:],
		full: make(chan block), written: make(chan error)}
	go writeBlocks(f.fd, f.direct.full, f.direct.written)
}

func writeBlocks(fd int, blocks <-chan block, written chan<- error) {
	for b := range blocks {
		written <- writeDirect(fd, b.bytes, b.at)
	}
}

func (f *newFile) setDirect(flag int) error {
	_, err := unix.FcntlInt(uintptr(f.fd), unix.F_SETFL, flag)
	return err
}

// write takes the next bytes of the file.
func (f *newFile) write(p []byte) error {
	for f.direct.buf != nil && len(p) > 0 {
		n := copy(f.room(), p)
		p = p[n:]
		if err := f.landed(n); err != nil {
			return err
		}
	}
	if len(p) == 0 {
		return nil
	}
	f.at += int64(len(p))
	return f.writeAt(p, f.at-int64(len(p)))
}

// room is where the next bytes may be put before landed is told of them; nil without a buffer.
func (f *newFile) room() []byte {
	if f.direct.buf == nil {
		return nil
	}
	return f.direct.buf[f.direct.pending:]
}

// landed counts bytes that were put into room.
func (f *newFile) landed(n int) error {
	f.direct.pending += n
	f.at += int64(n)
	if f.direct.pending < len(f.direct.buf) {
		return nil
	}
	return f.hand()
}

// skip leaves a hole.
func (f *newFile) skip(n int64) error {
	err := f.flush()
	f.at += n
	// What follows may begin anywhere, which direct writes may not.
	if f.at%directBlock != 0 {
		f.leaveDirect()
	}
	return err
}

// hand gives the full half to the writer and goes on with the other.
func (f *newFile) hand() error {
	if err := f.settle(); err != nil {
		return err
	}
	d := &f.direct
	d.full <- block{d.buf, f.at - int64(d.pending)}
	d.busy, d.pending = true, 0
	d.buf, d.other = d.other, d.buf
	f.size = max(f.size, f.at)
	return nil
}

// settle waits for the block that is being written.
func (f *newFile) settle() error {
	if !f.direct.busy {
		return nil
	}
	f.direct.busy = false
	return <-f.direct.written
}

// flush writes what was collected. An end that fills no block is written the ordinary way.
func (f *newFile) flush() error {
	if err := f.settle(); err != nil {
		return err
	}
	pending := f.direct.buf[:f.direct.pending]
	if len(pending) == 0 {
		return nil
	}
	at := f.at - int64(len(pending))
	f.direct.pending = 0
	whole := len(pending) &^ (directBlock - 1)
	if err := f.writeAt(pending[:whole], at); err != nil || whole == len(pending) {
		return err
	}
	_ = f.setDirect(0)
	err := f.writeAt(pending[whole:], at+int64(whole))
	f.leaveDirect()
	return err
}

func (f *newFile) leaveDirect() {
	if f.direct.buf == nil {
		return
	}
	_ = f.settle()
	close(f.direct.full)
	_ = f.setDirect(0)
	_ = unix.Munmap(f.direct.mapped)
	f.direct = direct{}
	directUsers.Add(-1)
}

func (f *newFile) writeAt(p []byte, at int64) error {
	err := writeDirect(f.fd, p, at)
	if err == nil && len(p) > 0 {
		f.size = max(f.size, at+int64(len(p)))
	}
	return err
}

func writeDirect(fd int, p []byte, at int64) error {
	for len(p) > 0 {
		n, err := unix.Pwrite(fd, p, at)
		if err == unix.EINTR {
			continue
		}
		if err == unix.EINVAL {
			// A file system that agreed to direct writes and then would not: the rest goes the ordinary way.
			if _, err = unix.FcntlInt(uintptr(fd), unix.F_SETFL, 0); err != nil {
				return err
			}
			if n, err = unix.Pwrite(fd, p, at); err == unix.EINTR {
				continue
			}
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return unix.ENOSPC
		}
		p = p[n:]
		at += int64(n)
	}
	return nil
}
