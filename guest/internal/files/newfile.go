package files

import (
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/wire"
)

// newFile is a file being written beside its name.
type newFile struct {
	entry  wire.Entry
	dir    int // borrowed
	name   string
	tmp    string
	fd     int
	at     int64 // where the next byte goes
	size   int64 // where the file ends now
	direct direct
}

var tmpSerial atomic.Uint64

// tmpName is a name nobody else uses.
func tmpName() string {
	return ".microagent-" + strconv.FormatInt(time.Now().UnixNano(), 36) + "-" + strconv.FormatUint(tmpSerial.Add(1), 36)
}

func createFile(dir int, name string, e wire.Entry) (*newFile, error) {
	// The parent may be forgotten while the file is open.
	own, err := unix.FcntlInt(uintptr(dir), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	f := &newFile{entry: e, dir: own, name: name}
	for tries := 0; ; tries++ {
		f.tmp = tmpName()
		f.fd, err = unix.Openat(own, f.tmp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		if err == nil {
			f.begin(e.Size)
			return f, nil
		}
		if err != unix.EEXIST && err != unix.EINTR || tries > 100 {
			_ = unix.Close(own)
			return nil, err
		}
	}
}

func (f *newFile) finish(owner bool) error {
	defer f.discard()
	if err := f.flush(); err != nil {
		return err
	}
	if f.at > f.size {
		if err := unix.Ftruncate(f.fd, f.at); err != nil {
			return err
		}
	}
	if err := dress(f.dir, f.tmp, f.entry, owner); err != nil {
		return err
	}
	if err := unix.Renameat(f.dir, f.tmp, f.dir, f.name); err != nil {
		return err
	}
	f.tmp = ""
	return nil
}

// discard closes the file and removes it unless it has its name.
func (f *newFile) discard() {
	if f == nil || f.dir < 0 {
		return
	}
	f.leaveDirect()
	_ = unix.Close(f.fd)
	if f.tmp != "" {
		_ = unix.Unlinkat(f.dir, f.tmp, 0)
	}
	_ = unix.Close(f.dir)
	f.dir = -1
}

// dress gives a node its owner, mode and time. The owner comes first: a change of it clears setuid.
func dress(dir int, name string, e wire.Entry, owner bool) error {
	if owner {
		if err := unix.Fchownat(dir, name, int(e.UID), int(e.GID), unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
	}
	if e.Type != "symlink" {
		if err := unix.Fchmodat(dir, name, e.Mode, 0); err != nil {
			return err
		}
	}
	times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(0)}
	times[1].Sec, times[1].Nsec = e.MTimeS, e.MTimeNS
	return unix.UtimesNanoAt(dir, name, times, unix.AT_SYMLINK_NOFOLLOW)
}
