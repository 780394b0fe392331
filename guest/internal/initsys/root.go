package initsys

import (
	"strconv"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/wire"
)

// root remembers both sides of the switch, so that power-off can let go of the file systems.
type root struct {
	initramfs, overlay int
	network            int // the network process's program, which has no name any more; -1: there is none
}

const (
	basePath    = "/.base"
	upperPath   = "/.upper"
	overlayPath = "/.root"
	networkPath = "/network"
)

// switchRoot joins base and upper and makes the result the root of everything, in a way that leaves
// user namespaces usable: the kernel refuses them to whoever is merely chrooted.
func switchRoot(c *wire.Configure) (*root, *wire.Failure) {
	var mounted []string
	undo := func(f *wire.Failure) (*root, *wire.Failure) {
		for i := len(mounted) - 1; i >= 0; i-- {
			_ = unix.Unmount(mounted[i], unix.MNT_DETACH)
		}
		return nil, f
	}
	for _, dir := range []string{basePath, upperPath, overlayPath} {
		if err := makeDir(dir, 0o700); err != nil {
			return undo(wire.AsFailure(err, "create", dir))
		}
	}
	if failure := mountDevice(c.Base, basePath, 0); failure != nil {
		return undo(failure)
	}
	mounted = append(mounted, basePath)
	if failure := mountUpper(c); failure != nil {
		return undo(failure)
	}
	mounted = append(mounted, upperPath)
	if err := makeDir(upperPath+"/work", 0o755); err != nil {
		return undo(wire.AsFailure(err, "create", upperPath+"/work"))
	}
	if err := makeUpper(upperPath + "/upper"); err != nil {
		return undo(wire.AsFailure(err, "create", upperPath+"/upper"))
	}
	// Renaming a directory of the base must work as on any disk; inode numbers must not change
	// when a file is first written, where the file systems allow that.
	options := "lowerdir=" + basePath + ",upperdir=" + upperPath + "/upper,workdir=" + upperPath + "/work" +
		",redirect_dir=on,index=off,metacopy=off,xino=auto"
	if err := unix.Mount("overlay", overlayPath, "overlay", 0, options); err != nil {
		return undo(wire.AsFailure(err, "mount the overlay on", overlayPath))
	}
	mounted = append(mounted, overlayPath)

	r := &root{network: -1}
	var err error
	if r.initramfs, err = unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err == nil {
		r.overlay, err = unix.Open(overlayPath, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return undo(wire.AsFailure(err, "open", overlayPath))
	}
	// The overlay holds its layers itself; without these mounts it is the last user of their disks.
	keepExtra()
	if r.network, err = unix.Open(networkPath, unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		r.network = -1
	}
	freeInitramfs()
	for _, path := range []string{basePath, upperPath, "/sys", "/proc", "/dev"} {
		_ = unix.Unmount(path, unix.MNT_DETACH)
	}
	if err = unix.Fchdir(r.overlay); err == nil {
		if err = unix.Mount(".", "/", "", unix.MS_MOVE, ""); err == nil {
			if err = unix.Chroot("."); err == nil {
				err = unix.Chdir("/")
			}
		}
	}
	if err != nil {
		return nil, wire.AsFailure(err, "switch the root to", overlayPath)
	}
	return r, nil
}

// makeUpper creates the upper directory with the base's owner, mode and time: the overlay's root shows
// those of its upper.
func makeUpper(path string) error {
	if err := unix.Mkdir(path, 0o755); err != nil {
		if err == unix.EEXIST {
			return nil
		}
		return err
	}
	var base unix.Stat_t
	if err := unix.Stat(basePath, &base); err != nil {
		return err
	}
	if err := unix.Chown(path, int(base.Uid), int(base.Gid)); err != nil {
		return err
	}
	if err := unix.Chmod(path, base.Mode&0o7777); err != nil {
		return err
	}
	times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, base.Mtim}
	return unix.UtimesNanoAt(unix.AT_FDCWD, path, times, 0)
}

func mountUpper(c *wire.Configure) *wire.Failure {
	if c.UpperTmpfsBytes == 0 {
		return mountDevice(c.Upper, upperPath, unix.MS_NOATIME)
	}
	// What the agent writes is not counted in the commands' cgroup: keep the reserve out of reach.
	bytes := c.UpperTmpfsBytes
	if _, free := memoryBytes(); free > 2*c.MemoryReserveBytes {
		bytes = min(bytes, free-c.MemoryReserveBytes)
	}
	if err := unix.Mount("tmpfs", upperPath, "tmpfs", unix.MS_NOATIME, "mode=0755,size="+strconv.FormatInt(bytes, 10)); err != nil {
		return wire.AsFailure(err, "mount a tmpfs on", upperPath)
	}
	return nil
}

// mountDevice waits for a block device and mounts it.
func mountDevice(m wire.Mount, target string, flags uintptr) *wire.Failure {
	node, err := findDevice(m.Device)
	if err != nil {
		return wire.AsFailure(err, "find", m.Device)
	}
	if m.ReadOnly {
		flags |= unix.MS_RDONLY
	}
	options := []string{""}
	if m.FSType == "ext4" {
		// Else the kernel writes zeros over the unused parts of a disk that is made to be empty, and reads ahead what
		// is not on it, for a while and beside the first commands. Old kernels read nothing ahead and have no such word.
		options = []string{"noinit_itable,no_prefetch_block_bitmaps", "noinit_itable"}
	}
	for _, each := range options {
		if err = unix.Mount(node, target, m.FSType, flags, each); err != unix.EINVAL {
			break
		}
	}
	if err != nil {
		f := wire.AsFailure(err, "mount", m.Device)
		f.Message = "Could not mount " + strconv.Quote(m.Device) + " as " + m.FSType + " on " + strconv.Quote(target) + ": " + err.Error()
		return f
	}
	return nil
}

func mountExtra(m wire.Mount) *wire.Failure {
	for at := 1; at <= len(m.Mountpoint); at++ {
		if at == len(m.Mountpoint) || m.Mountpoint[at] == '/' {
			if err := makeDir(m.Mountpoint[:at], 0o755); err != nil {
				return wire.AsFailure(err, "create", m.Mountpoint[:at])
			}
		}
	}
	return mountDevice(m, m.Mountpoint, unix.MS_NOATIME)
}

// freeInitramfs gives back the memory of files that nobody needs again.
func freeInitramfs() {
	_ = unix.Unlink("/init")
	_ = unix.Unlink(networkPath)
	for _, name := range names("/modules") {
		_ = unix.Unlink("/modules/" + name)
	}
}
