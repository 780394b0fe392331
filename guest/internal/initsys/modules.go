package initsys

import (
	"strings"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/fault"
)

// loadModules loads the files that dir/order names, in that order. A kernel with everything built
// in has no such directory.
func loadModules(dir string) {
	order, _ := read(dir + "/order")
	for name := range strings.FieldsSeq(order) {
		if err := loadModule(dir + "/" + name); err != nil {
			fault.Log("cannot load module " + name + ": " + err.Error())
		}
	}
}

func loadModule(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	flags := 0
	if !strings.HasSuffix(path, ".ko") {
		flags = unix.MODULE_INIT_COMPRESSED_FILE
	}
	err = unix.FinitModule(fd, "", flags)
	if err == unix.EEXIST || err == unix.ENODEV { // loaded or built in; no such device
		return nil
	}
	return err
}
