package files

import (
	"bytes"
	"encoding/binary"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/framing"
	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/wire"
)

// dirList reads a directory's names in portions.
type dirList struct {
	fd  int
	buf []byte
}

// dirName is a name of a directory with what the file system says of its type: DT_UNKNOWN where it says nothing.
type dirName struct {
	name string
	kind byte
}

// next returns about `most` names, none at the end.
func (d *dirList) next(most int) ([]dirName, error) {
	if d.buf == nil {
		d.buf = make([]byte, 16<<10)
	}
	var names []dirName
	for len(names) < most {
		n, err := retry(func() (int, error) { return unix.ReadDirent(d.fd, d.buf) })
		if err != nil {
			return names, err
		}
		if n <= 0 {
			break
		}
		names = parseNames(d.buf[:n], names)
	}
	return names, nil
}

// parseNames appends what a read of a directory gave. `unix.ParseDirent` drops the types.
func parseNames(buf []byte, names []dirName) []dirName {
	var d unix.Dirent
	const length, kind, name = unsafe.Offsetof(d.Reclen), unsafe.Offsetof(d.Type), unsafe.Offsetof(d.Name)
	for len(buf) > int(name) {
		n := int(binary.NativeEndian.Uint16(buf[length:]))
		if n <= int(name) || n > len(buf) {
			break
		}
		text, _, _ := bytes.Cut(buf[name:n], []byte{0})
		if t := string(text); t != "." && t != ".." {
			names = append(names, dirName{t, buf[kind]})
		}
		buf = buf[n:]
	}
	return names
}

// Stat serves a stat request.
func Stat(st *mux.Stream, req *wire.Stat) {
	defer st.Release()
	path := clean(req.Path)
	var node unix.Stat_t
	var err error
	if req.Follow {
		err = unix.Stat(path, &node)
	} else {
		err = unix.Lstat(path, &node)
	}
	_, name := splitPath(path)
	if name == "." || name == ".." {
		name = ""
	}
	e := entryOf(name, &node)
	if err == nil && e.Type == "symlink" {
		e.Link, err = readLink(unix.AT_FDCWD, path)
	}
	if err != nil {
		_ = st.SendLine(wire.AsFailure(err, "stat", path).Reply().Line(), true)
		return
	}
	_ = st.SendLine(wire.OK().Raw("entry", e.Encode()).Line(), true)
}

// ReadDir serves a readdir request: the first names in byte order.
func ReadDir(st *mux.Stream, req *wire.ReadDir) {
	defer st.Release()
	fd, err := retry(func() (int, error) {
		return unix.Open(clean(req.Path), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		_ = st.SendLine(wire.AsFailure(err, "list", req.Path).Reply().Line(), true)
		return
	}
	defer unix.Close(fd)
	names, truncated, err := firstNames(fd, int(req.Limit))
	if err != nil {
		_ = st.SendLine(wire.AsFailure(err, "list", req.Path).Reply().Line(), true)
		return
	}
	out := framing.NewTree(st)
	defer out.Close()
	end := wire.End{Truncated: truncated}
	err = out.Raw(wire.OK().Line())
	for _, name := range names {
		var node unix.Stat_t
		if err != nil {
			return
		}
		if statErr := unix.Fstatat(fd, name, &node, unix.AT_SYMLINK_NOFOLLOW); statErr != nil {
			if statErr != unix.ENOENT {
				s := wire.Skip{Path: name, Failure: wire.AsFailure(statErr, "stat", clean(req.Path)+"/"+name)}
				err = out.Frame(wire.KindSkip, s.Encode())
			}
			continue
		}
		e := entryOf(name, &node)
		if e.Type == "symlink" {
			if e.Link, err = readLink(fd, name); err != nil {
				err = nil
				continue
			}
		}
		end.Entries++
		err = out.Frame(wire.KindEntry, e.Encode())
	}
	if err == nil && out.Frame(wire.KindEnd, end.Encode()) == nil {
		_ = out.Flush(true)
	}
}

// firstNames keeps at most twice the limit in memory, whatever the directory holds.
func firstNames(fd, limit int) (names []string, truncated bool, err error) {
	list := dirList{fd: fd}
	for {
		more, err := list.next(1024)
		if err != nil {
			return nil, false, err
		}
		for _, each := range more {
			names = append(names, each.name)
		}
		if len(more) == 0 || len(names) > 2*limit {
			slices.Sort(names)
			if len(names) > limit {
				names, truncated = names[:limit:limit], true
			}
		}
		if len(more) == 0 {
			return names, truncated, nil
		}
	}
}
