package files

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// mincore says of each page of a mapping, in the lowest bit of its byte, whether memory holds it.
func mincore(view, pages []byte) error {
	_, _, e := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&view[0])), uintptr(len(view)), uintptr(unsafe.Pointer(&pages[0])))
	if e != 0 {
		return e
	}
	return nil
}
