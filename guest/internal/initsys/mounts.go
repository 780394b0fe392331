package initsys

import (
	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/fault"
	"microagent.dev/guest/internal/wire"
)

// mountEarly provides what finding the port needs, on the initramfs.
func mountEarly() {
	for _, m := range []struct{ fstype, target string }{
		{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"},
	} {
		_ = unix.Mkdir(m.target, 0o755)
		if err := unix.Mount(m.fstype, m.target, m.fstype, unix.MS_NOSUID, ""); err != nil && err != unix.EBUSY {
			fault.Log("cannot mount " + m.target + ": " + err.Error())
		}
	}
}

// mountSystem provides the kernel's file systems on the new root, seen from inside it, so that an
// image's links resolve as its programs will see them.
func mountSystem() *wire.Failure {
	const plain = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	for _, m := range []struct {
		fstype, target, data string
		flags                uintptr
		mode                 uint32
	}{
		{"devtmpfs", "/dev", "mode=0755", unix.MS_NOSUID, 0o755},
		{"proc", "/proc", "", plain, 0o555},
		{"sysfs", "/sys", "", plain, 0o555},
		{"devpts", "/dev/pts", "gid=5,mode=620,ptmxmode=666", unix.MS_NOSUID | unix.MS_NOEXEC, 0o755},
		{"tmpfs", "/dev/shm", "mode=1777", unix.MS_NOSUID | unix.MS_NODEV, 0o1777},
		{"tmpfs", "/run", "mode=0755", unix.MS_NOSUID | unix.MS_NODEV, 0o755},
	} {
		if err := makeDir(m.target, m.mode); err != nil {
			return wire.AsFailure(err, "create", m.target)
		}
		if err := unix.Mount(m.fstype, m.target, m.fstype, m.flags, m.data); err != nil {
			return wire.AsFailure(err, "mount", m.target)
		}
	}
	for link, target := range map[string]string{
		"/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0",
		"/dev/stdout": "/proc/self/fd/1", "/dev/stderr": "/proc/self/fd/2",
	} {
		_ = unix.Symlink(target, link)
	}
	if unix.Mkdir("/run/lock", 0o1777) == nil {
		_ = unix.Chmod("/run/lock", 0o1777)
	}
	return stickyTmp()
}

// makeDir leaves what is there alone: a change would copy it up.
func makeDir(path string, mode uint32) error {
	err := unix.Mkdir(path, mode)
	if err == unix.EEXIST || err == nil {
		return nil
	}
	var st unix.Stat_t
	if unix.Stat(path, &st) == nil {
		return nil
	}
	return err
}

func stickyTmp() *wire.Failure {
	if err := makeDir("/tmp", 0o1777); err != nil {
		return wire.AsFailure(err, "create", "/tmp")
	}
	var st unix.Stat_t
	if err := unix.Stat("/tmp", &st); err != nil {
		return wire.AsFailure(err, "stat", "/tmp")
	}
	if st.Mode&0o7777 != 0o1777 {
		if err := unix.Chmod("/tmp", 0o1777); err != nil {
			return wire.AsFailure(err, "change the mode of", "/tmp")
		}
	}
	return nil
}
