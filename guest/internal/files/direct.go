package files

import "golang.org/x/sys/unix"

const (
	directMin   = 1 << 20
	directBuf   = 1 << 20
	directBlock = 4096
)

// direct collects the bytes of a large file and writes them past the page cache: in an emulated
// guest, filling the cache page by page takes several times as long as the transfer itself. The
// buffer is page-aligned, as the disk wants it; nil where that is not possible or not worth it.
type direct struct {
	buf     []byte
	pending int
}

// begin makes the file's writes direct if it is large and its file system can.
func (f *newFile) begin(size int64) {
	if size < directMin || f.setDirect(unix.O_DIRECT) != nil {
		return
	}
	buf, err := unix.Mmap(-1, 0, directBuf, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		_ = f.setDirect(0)
		return
	}
	f.direct.buf = buf
}

func (f *newFile) setDirect(flag int) error {
	_, err := unix.FcntlInt(uintptr(f.fd), unix.F_SETFL, flag)
	return err
}

// write takes the next bytes of the file.
func (f *newFile) write(p []byte) error {
	for f.direct.buf != nil && len(p) > 0 {
		n := copy(f.direct.buf[f.direct.pending:], p)
		f.direct.pending += n
		f.at += int64(n)
		p = p[n:]
		if f.direct.pending == len(f.direct.buf) {
			if err := f.flush(); err != nil {
				return err
			}
		}
	}
	if len(p) == 0 {
		return nil
	}
	f.at += int64(len(p))
	return f.writeAt(p, f.at-int64(len(p)))
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

// flush writes what was collected. An end that fills no block is written the ordinary way.
func (f *newFile) flush() error {
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
	_ = f.setDirect(0)
	_ = unix.Munmap(f.direct.buf)
	f.direct = direct{}
}

func (f *newFile) writeAt(p []byte, at int64) error {
	for len(p) > 0 {
		n, err := unix.Pwrite(f.fd, p, at)
		if err == unix.EINTR {
			continue
		}
		if err == unix.EINVAL && f.direct.buf != nil && f.setDirect(0) == nil {
			// A file system that agreed and then would not: the rest goes the ordinary way.
			if n, err = unix.Pwrite(f.fd, p, at); err == unix.EINTR {
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
	f.size = max(f.size, at)
	return nil
}
