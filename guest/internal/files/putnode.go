package files

import (
	"strings"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/wire"
)

// rootDir makes the destination itself a directory.
func (p *putter) rootDir(e wire.Entry) *wire.Failure {
	if p.req.Parents {
		if err := makeParents(p.path); err != nil {
			return wire.AsFailure(err, "create the parents of", p.path)
		}
	}
	err := unix.Mkdir(p.path, 0o700)
	if err != nil && err != unix.EEXIST {
		return wire.AsFailure(err, "create", p.path)
	}
	if err == nil {
		p.open = append(p.open, e)
	}
	return p.openRoot()
}

// dir makes a directory. One that is there already keeps its owner, mode and time: a copy into
// /tmp must not take its sticky bit.
func (p *putter) dir(parent int, name string, e wire.Entry) *wire.Failure {
	err := unix.Mkdirat(parent, name, 0o700)
	if err == unix.EEXIST {
		fd, err := openBeneath(p.root, e.Path, unix.O_PATH|unix.O_DIRECTORY)
		if err != nil {
			return wire.FailErrno(unix.EEXIST, "create directory", p.shown(e.Path))
		}
		_ = unix.Close(fd)
		return nil
	}
	if err != nil {
		return wire.AsFailure(err, "create directory", p.shown(e.Path))
	}
	p.open = append(p.open, e)
	return nil
}

// leaveDirs finishes the directories that the next entry is not in: mode and time go last, when
// nothing more is written into them.
func (p *putter) leaveDirs(next string, all bool) *wire.Failure {
	for n := len(p.open) - 1; n >= 0; n-- {
		e := p.open[n]
		if !all && (e.Path == "" || strings.HasPrefix(next, e.Path+"/")) {
			return nil
		}
		p.open = p.open[:n]
		if err := p.dressDir(e); err != nil {
			return wire.AsFailure(err, "finish directory", p.shown(e.Path))
		}
	}
	return nil
}

func (p *putter) dressDir(e wire.Entry) error {
	if e.Path == "" {
		return dress(unix.AT_FDCWD, p.path, e, p.owner)
	}
	up, name := splitPath(e.Path)
	dir := p.root
	if up != "" {
		var err error
		if dir, err = openBeneath(p.root, up, unix.O_PATH|unix.O_DIRECTORY); err != nil {
			return err
		}
		defer unix.Close(dir)
	}
	// Whoever works in the guest may have put a link there meanwhile: its target is not ours to change.
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return err
	}
	return dress(dir, name, e, p.owner)
}

// special makes whatever is neither file nor directory, beside its name.
func (p *putter) special(dir int, name string, e wire.Entry) error {
	tmp := tmpName()
	var err error
	switch e.Type {
	case "symlink":
		err = unix.Symlinkat(e.Link, dir, tmp)
	case "hardlink":
		err = p.hardlink(dir, tmp, e.Link)
	case "fifo":
		err = unix.Mknodat(dir, tmp, unix.S_IFIFO|0o600, 0)
	case "socket":
		err = unix.Mknodat(dir, tmp, unix.S_IFSOCK|0o600, 0)
	case "char":
		err = unix.Mknodat(dir, tmp, unix.S_IFCHR|0o600, int(unix.Mkdev(e.DevMajor, e.DevMinor)))
	case "block":
		err = unix.Mknodat(dir, tmp, unix.S_IFBLK|0o600, int(unix.Mkdev(e.DevMajor, e.DevMinor)))
	}
	if err != nil {
		return err
	}
	if e.Type != "hardlink" {
		err = dress(dir, tmp, e, p.owner)
	}
	if err == nil {
		err = unix.Renameat(dir, tmp, dir, name)
	}
	// A rename between two links of one inode does nothing and leaves both.
	_ = unix.Unlinkat(dir, tmp, 0)
	return err
}

func (p *putter) hardlink(dir int, tmp, target string) error {
	up, name := splitPath(target)
	from := p.root
	if up != "" {
		var err error
		if from, err = openBeneath(p.root, up, unix.O_PATH|unix.O_DIRECTORY); err != nil {
			return err
		}
		defer unix.Close(from)
	}
	return unix.Linkat(from, name, dir, tmp, 0)
}
