package initsys

import (
	"strconv"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/exec"
	"microagent.dev/guest/internal/wire"
)

const (
	secretsDir = "/run/secrets"
	tmpfsMagic = 0x01021994
	zerosBytes = 16 << 10
)

// PlaceSecrets makes an empty file system in memory for secrets, readable by one user only. The files come by put.
func (m *machine) PlaceSecrets(s *wire.Secrets) (uid, gid uint32, failure *wire.Failure) {
	uid, gid, failure = exec.Account(s.User)
	if failure != nil {
		return 0, 0, failure
	}
	if s.Socket != "" {
		if err := unix.Lchown(s.Socket, int(uid), int(gid)); err != nil {
			return 0, 0, wire.AsFailure(err, "change the owner of", s.Socket)
		}
	}
	if s.SizeBytes == 0 {
		return uid, gid, nil
	}
	if failure := m.PurgeSecrets(); failure != nil {
		return 0, 0, failure
	}
	if err := unix.Mkdir(secretsDir, 0o700); err != nil && err != unix.EEXIST {
		return 0, 0, wire.AsFailure(err, "create", secretsDir)
	}
	id := func(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
	data := "mode=0700,size=" + strconv.FormatInt(s.SizeBytes, 10) + ",uid=" + id(uid) + ",gid=" + id(gid)
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	err := unix.Mount("tmpfs", secretsDir, "tmpfs", flags, data+",noswap")
	if err == unix.EINVAL {
		// A kernel before 6.4 knows no noswap; nothing of ours swaps either.
		err = unix.Mount("tmpfs", secretsDir, "tmpfs", flags, data)
	}
	if err != nil {
		return 0, 0, wire.AsFailure(err, "mount", secretsDir)
	}
	m.secrets = true
	return uid, gid, nil
}

// PurgeSecrets overwrites the secrets with zeros, so that the memory they were in holds them no more, and takes their
// file system away. Without one it does nothing.
func (m *machine) PurgeSecrets() *wire.Failure {
	if !m.secrets {
		return nil
	}
	dir, err := unix.Open(secretsDir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return wire.AsFailure(err, "open", secretsDir)
	}
	defer unix.Close(dir)
	var fs unix.Statfs_t
	if err := unix.Fstatfs(dir, &fs); err != nil || fs.Type != tmpfsMagic {
		return wire.Fail(wire.IOError, "Directory \""+secretsDir+"\" is not the file system of the secrets any more")
	}
	for _, name := range names(secretsDir) {
		if err := zero(dir, name); err != nil {
			return wire.AsFailure(err, "overwrite", secretsDir+"/"+name)
		}
	}
	if err := unix.Unmount(secretsDir, unix.MNT_DETACH); err != nil {
		return wire.AsFailure(err, "unmount", secretsDir)
	}
	m.secrets = false
	return nil
}

// zero overwrites and removes a file; what a workload made of other kinds is only removed.
func zero(dir int, name string) error {
	fd, err := unix.Openat(dir, name, unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(fd)
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return err
		}
		zeros := make([]byte, zerosBytes)
		for at := int64(0); st.Mode&unix.S_IFMT == unix.S_IFREG && at < st.Size; {
			n, err := unix.Pwrite(fd, zeros[:min(zerosBytes, st.Size-at)], at)
			if err != nil {
				return err
			}
			at += int64(n)
		}
	}
	if err := unix.Unlinkat(dir, name, 0); err != nil {
		// A directory goes with the file system; what is in it is the workload's own copy.
		if err != unix.EISDIR {
			return err
		}
	}
	return nil
}
