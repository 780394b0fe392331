package initsys

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Modules that boot does not need but a command may (FUSE, bridges, packet filters) stay in the
// initramfs until the kernel asks for any module. It then runs its module loader, which is
// this binary: it loads all of them, and the kernel looks again.

const (
	extraPath = "/modules/extra"
	// extraFD is where PID 1 keeps that directory open; the helper finds it through /proc.
	extraFD = 1020
	// loaderPath is PID 1's own binary, which has no name any more.
	loaderPath = "/proc/1/exe"
)

// keepExtra makes the extra modules reachable after the root is switched.
func keepExtra() {
	loader := ""
	if fd, err := unix.Open(extraPath, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err == nil {
		if unix.Dup3(fd, extraFD, unix.O_CLOEXEC) == nil {
			loader = loaderPath
		}
		_ = unix.Close(fd)
	}
	// Without extra modules nothing is to be loaded, and asking would only take time.
	if loader == "" {
		loader = "\n"
	}
	write("/proc/sys/kernel/modprobe", loader)
}

// IsLoader says whether the kernel started this process to load a module.
func IsLoader() bool {
	return os.Args[0] == loaderPath && len(os.Args) > 2 && os.Args[1] == "-q"
}

// LoadExtra is the module loader. Equal requests may run at once: a module that is there already
// is no fault. The last act frees the memory of the files.
func LoadExtra() {
	dir := "/proc/1/fd/" + strconv.Itoa(extraFD)
	if _, ok := read(dir + "/order"); !ok {
		return
	}
	loadModules(dir)
	for _, name := range names(dir) {
		_ = unix.Unlink(dir + "/" + name)
	}
}
