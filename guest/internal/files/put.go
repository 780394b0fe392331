package files

import (
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/wire"
)

// putter receives one tree.
type putter struct {
	req   *wire.Put
	path  string
	root  int // the destination directory, -1 until something goes below it
	owner bool

	dirPath string // the parent directory opened last
	dirFD   int    // -1: none
	open    []wire.Entry
	file    *newFile
	entries int64
	bytes   int64
}

// Put serves a put request: it answers, takes the tree, and answers again.
func Put(st *mux.Stream, frames *wire.FrameReader, req *wire.Put) {
	defer st.Release()
	st.Widen(mux.WideWindowBytes)
	if st.SendLine(wire.OK().Line(), false) != nil {
		return
	}
	p := &putter{req: req, path: clean(req.Path), root: -1, dirFD: -1, owner: os.Geteuid() == 0}
	defer p.close()
	if failure := p.run(frames); failure != nil {
		p.close()
		_ = st.SendLine(failure.Reply().Line(), true)
		st.Discard()
		return
	}
	_ = st.SendLine(wire.OK().Int("entries", p.entries).Int("bytes", p.bytes).Line(), true)
}

func (p *putter) close() {
	p.file.discard()
	p.forgetDir()
	if p.root >= 0 {
		_ = unix.Close(p.root)
	}
	p.file, p.root = nil, -1
}

func (p *putter) forgetDir() {
	if p.dirFD >= 0 {
		_ = unix.Close(p.dirFD)
	}
	p.dirFD = -1
}

func malformed(err error) *wire.Failure { return wire.Fail(wire.InvalidRequest, err.Error()) }

func (p *putter) run(frames *wire.FrameReader) *wire.Failure {
	for {
		h, err := frames.Next()
		if err == io.EOF {
			return wire.Fail(wire.InvalidRequest, "The stream ended before the tree did")
		}
		if err != nil {
			return malformed(err)
		}
		var failure *wire.Failure
		switch h.Kind {
		case wire.KindEntry:
			failure = p.entry(frames, h)
		case wire.KindData:
			failure = p.data(frames, h)
		case wire.KindHole:
			failure = p.hole(frames, h)
		case wire.KindEntryEnd:
			failure = p.finishFile()
		case wire.KindSkip:
			if _, err := frames.Payload(h); err != nil {
				return malformed(err)
			}
		case wire.KindEnd:
			if _, err := frames.Payload(h); err != nil {
				return malformed(err)
			}
			if p.file != nil {
				return wire.Fail(wire.InvalidRequest, "The tree ended inside a file")
			}
			return p.leaveDirs("", true)
		default:
			return wire.Fail(wire.InvalidRequest, "A frame of kind 0x"+strconv.FormatUint(uint64(h.Kind), 16)+" has no place in a tree")
		}
		if failure != nil {
			return failure
		}
	}
}

func (p *putter) entry(frames *wire.FrameReader, h wire.FrameHeader) *wire.Failure {
	payload, err := frames.Payload(h)
	if err != nil {
		return malformed(err)
	}
	e, err := wire.ParseEntry(payload)
	if err != nil {
		return malformed(err)
	}
	if p.file != nil {
		return wire.Fail(wire.InvalidRequest, "An entry came inside a file")
	}
	if p.req.HasOwner {
		e.UID, e.GID = p.req.UID, p.req.GID
	}
	p.entries++
	if failure := p.leaveDirs(e.Path, false); failure != nil {
		return failure
	}
	if e.Path == "" && e.Type == "dir" {
		return p.rootDir(e)
	}
	dir, name, failure := p.parent(e.Path)
	if failure != nil {
		return failure
	}
	switch e.Type {
	case "dir":
		return p.dir(dir, name, e)
	case "file":
		p.file, err = createFile(dir, name, e)
	default:
		err = p.special(dir, name, e)
	}
	if err != nil {
		return wire.AsFailure(err, "create", p.shown(e.Path))
	}
	return nil
}

// shown is an entry's place as a person reads it.
func (p *putter) shown(entry string) string {
	if entry == "" {
		return p.path
	}
	return strings.TrimSuffix(p.path, "/") + "/" + entry
}

// parent opens the directory an entry goes into.
func (p *putter) parent(entry string) (dir int, name string, failure *wire.Failure) {
	if entry == "" {
		up, name := splitPath(p.path)
		if name == "" {
			return -1, "", wire.FailErrno(unix.EISDIR, "replace", "/")
		}
		if p.dirFD >= 0 {
			return p.dirFD, name, nil
		}
		if p.req.Parents {
			if err := makeParents(p.path); err != nil {
				return -1, "", wire.AsFailure(err, "create the parents of", p.path)
			}
		}
		fd, err := retry(func() (int, error) { return unix.Open(up+"/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) })
		if err != nil {
			return -1, "", wire.AsFailure(err, "open", up+"/")
		}
		p.dirFD = fd
		return fd, name, nil
	}
	if p.root < 0 {
		if failure := p.openRoot(); failure != nil {
			return -1, "", failure
		}
	}
	up, name := splitPath(entry)
	if up == "" {
		return p.root, name, nil
	}
	if p.dirFD >= 0 && p.dirPath == up {
		return p.dirFD, name, nil
	}
	p.forgetDir()
	fd, err := openBeneath(p.root, up, unix.O_PATH|unix.O_DIRECTORY)
	if err == unix.ENOENT && p.req.Parents {
		fd, err = p.makeBeneath(up)
	}
	if err != nil {
		return -1, "", wire.AsFailure(err, "open", p.shown(up))
	}
	p.dirFD, p.dirPath = fd, up
	return fd, name, nil
}

func (p *putter) openRoot() *wire.Failure {
	if p.req.Parents {
		if err := makeParents(p.path + "/"); err != nil {
			return wire.AsFailure(err, "create", p.path)
		}
	}
	fd, err := retry(func() (int, error) { return unix.Open(p.path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return wire.AsFailure(err, "open", p.path)
	}
	p.root = fd
	p.forgetDir()
	return nil
}

// makeBeneath creates the missing directories of a relative path below the root.
func (p *putter) makeBeneath(path string) (int, error) {
	for at := 0; at <= len(path); at++ {
		if at < len(path) && path[at] != '/' {
			continue
		}
		fd, err := openBeneath(p.root, path[:at], unix.O_PATH|unix.O_DIRECTORY)
		if err == unix.ENOENT {
			up, name := splitPath(path[:at])
			dir := p.root
			if up != "" {
				if dir, err = openBeneath(p.root, up, unix.O_PATH|unix.O_DIRECTORY); err != nil {
					return -1, err
				}
			}
			err = unix.Mkdirat(dir, name, 0o755)
			if dir != p.root {
				_ = unix.Close(dir)
			}
			if err != nil && err != unix.EEXIST {
				return -1, err
			}
			fd, err = openBeneath(p.root, path[:at], unix.O_PATH|unix.O_DIRECTORY)
		}
		if err != nil || at == len(path) {
			return fd, err
		}
		_ = unix.Close(fd)
	}
	return -1, unix.ENOENT
}
