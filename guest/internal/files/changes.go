package files

import (
	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/framing"
	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/wire"
)

const changesDepthMax = 512

// Changes serves a changes request: what was written, made, or had something made or removed in it.
func Changes(st *mux.Stream, req *wire.Changes) {
	defer st.Release()
	path := clean(req.Path)
	fd, err := retry(func() (int, error) {
		return unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		_ = st.SendLine(wire.AsFailure(err, "list", req.Path).Reply().Line(), true)
		return
	}
	defer unix.Close(fd)
	var root unix.Stat_t
	if err := unix.Fstat(fd, &root); err != nil {
		_ = st.SendLine(wire.AsFailure(err, "stat", req.Path).Reply().Line(), true)
		return
	}
	out := framing.NewTree(st)
	defer out.Close()
	s := changeSearch{out: out, since: req.SinceUnixNS, device: root.Dev, left: req.Limit}
	if out.Raw(wire.OK().Line()) != nil || s.walk(fd, "", 0) != nil {
		return
	}
	s.end.Truncated = s.left < 0
	if out.Frame(wire.KindEnd, s.end.Encode()) == nil {
		_ = out.Flush(true)
	}
}

type changeSearch struct {
	out    *framing.Tree
	since  int64
	device uint64
	left   int64
	end    wire.End
}

// walk goes through a directory; an error is one of the stream's.
func (s *changeSearch) walk(fd int, below string, depth int) error {
	list := dirList{fd: fd}
	for {
		names, err := list.next(1024)
		if err != nil || len(names) == 0 {
			return nil
		}
		for _, name := range names {
			if err := s.look(fd, below+name.name, name.name, depth); err != nil || s.left < 0 {
				return err
			}
		}
	}
}

func (s *changeSearch) look(dir int, path, name string, depth int) error {
	var node unix.Stat_t
	if unix.Fstatat(dir, name, &node, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return nil
	}
	isDir := node.Mode&unix.S_IFMT == unix.S_IFDIR
	// Another file system holds nothing of the machine's disk.
	if isDir && node.Dev != s.device {
		return nil
	}
	if node.Ctim.Nano() > s.since {
		if s.left--; s.left < 0 {
			return nil
		}
		e := entryOf(path, &node)
		if e.Type == "symlink" {
			e.Link, _ = readLink(dir, name)
		}
		s.end.Entries++
		if err := s.out.Frame(wire.KindEntry, e.Encode()); err != nil {
			return err
		}
	}
	if !isDir || depth >= changesDepthMax {
		return nil
	}
	fd, err := retry(func() (int, error) {
		return unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	return s.walk(fd, path+"/", depth+1)
}
