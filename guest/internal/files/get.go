package files

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/framing"
	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/wire"
)

// getter sends one tree.
type getter struct {
	req   *wire.Get
	path  string
	out   *framing.Tree
	end   wire.End
	links map[inode]string // first path of files with several names
	sent  int64            // entries and skips
	names int64            // bytes of their names
	bare  int64            // those of them that are neither files nor directories
}

type inode struct{ dev, ino uint64 }

const (
	// linksMax bounds the memory for hard links; further ones are sent as files of their own.
	linksMax = 1 << 16
	// batchNames is how many names of a directory are sorted and held at once.
	batchNames = 8192
)

// Get serves a get request.
func Get(st *mux.Stream, req *wire.Get) {
	defer st.Release()
	g := &getter{req: req, path: clean(req.Path), out: framing.NewTree(st), links: map[inode]string{}}
	defer g.out.Close()
	var node unix.Stat_t
	if err := unix.Lstat(g.path, &node); err != nil {
		_ = st.SendLine(wire.AsFailure(err, "read", g.path).Reply().Line(), true)
		return
	}
	err := g.out.Raw(wire.OK().Str("type", typeOf(node.Mode)).Line())
	if err == nil {
		err = g.node(unix.AT_FDCWD, g.path, "", &node)
	}
	if err == nil {
		err = g.out.Frame(wire.KindEnd, g.end.Encode())
	}
	if err == nil {
		_ = g.out.Flush(true)
	}
}

func (g *getter) shown(entry string) string {
	if entry == "" {
		return g.path
	}
	return strings.TrimSuffix(g.path, "/") + "/" + entry
}

func (g *getter) skip(entry string, err error) error {
	if g.counted() {
		return nil
	}
	s := wire.Skip{Path: entry, Failure: wire.AsFailure(err, "read", g.shown(entry))}
	if !g.fits(len(entry) + len(s.Failure.Message)) {
		return nil
	}
	g.bare++
	return g.out.Frame(wire.KindSkip, s.Encode())
}

// node sends one node and what is below it. An error means that the host is gone.
func (g *getter) node(dir int, name, entry string, st *unix.Stat_t) error {
	e := entryOf(entry, st)
	switch e.Type {
	case "dir":
		return g.dir(dir, name, e)
	case "file":
		return g.file(dir, name, e, st)
	}
	return g.other(dir, name, e)
}

// other sends a node that has no content and nothing below it.
func (g *getter) other(dir int, name string, e wire.Entry) error {
	if g.counted() {
		return nil
	}
	var err error
	if e.Type == "symlink" {
		if e.Link, err = readLink(dir, name); err != nil {
			return g.skip(e.Path, err)
		}
	}
	g.bare++
	return g.entry(&e)
}

// counted says whether a skip, or a node that is neither a file nor a directory, is counted instead of sent: the host
// has as many as it records.
func (g *getter) counted() bool {
	if g.req.MaxRecords == nil || g.bare < *g.req.MaxRecords {
		return false
	}
	if g.fits(0) {
		g.end.Counted++
	}
	return true
}

// fits takes one entry or skip with the text it has. Where there is no capacity for it the tree ends.
func (g *getter) fits(names int) bool {
	most := g.req.MaxNameBytes
	if g.sent >= g.req.MaxEntries || most > 0 && g.names+int64(names) > most {
		g.end.Truncated = true
		return false
	}
	g.sent++
	g.names += int64(names)
	return true
}

func (g *getter) entry(e *wire.Entry) error {
	if !g.fits(len(e.Path) + len(e.Link)) {
		return nil
	}
	g.end.Entries++
	return g.out.Frame(wire.KindEntry, e.Encode())
}

func (g *getter) dir(parent int, name string, e wire.Entry) error {
	fd, err := retry(func() (int, error) {
		return unix.Openat(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	})
	if err == nil {
		defer unix.Close(fd)
	}
	if err := g.entry(&e); err != nil || g.end.Truncated {
		return err
	}
	if err != nil {
		return g.skip(e.Path, err)
	}
	list := dirList{fd: fd}
	for !g.end.Truncated {
		names, err := list.next(batchNames)
		if err != nil {
			return g.skip(e.Path, err)
		}
		if len(names) == 0 {
			return nil
		}
		slices.SortFunc(names, func(a, b dirName) int { return strings.Compare(a.name, b.name) })
		for _, child := range names {
			if g.end.Truncated {
				break
			}
			if err := g.child(fd, e.Path, child); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *getter) child(dir int, parent string, found dirName) error {
	switch found.kind {
	case unix.DT_LNK, unix.DT_FIFO, unix.DT_SOCK, unix.DT_CHR, unix.DT_BLK:
		// A look at each of a hundred thousand links takes an emulated machine half a minute.
		if g.counted() {
			return nil
		}
	}
	name := found.name
	path := name
	if parent != "" {
		path = parent + "/" + name
	}
	if len(path) > wire.PathBytesMax {
		// Its name does not fit a path, so the skip names the directory.
		return g.skip(parent, unix.ENAMETOOLONG)
	}
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		if err == unix.ENOENT {
			return nil // gone meanwhile
		}
		return g.skip(path, err)
	}
	return g.node(dir, name, path, &st)
}

func (g *getter) file(dir int, name string, e wire.Entry, st *unix.Stat_t) error {
	if st.Nlink > 1 {
		key := inode{uint64(st.Dev), st.Ino}
		if first, ok := g.links[key]; ok {
			e.Type, e.Link, e.Size = "hardlink", first, 0
			return g.other(dir, name, e)
		}
		if e.Path != "" && len(g.links) < linksMax {
			g.links[key] = e.Path
		}
	}
	// Non-blocking: the name may have become a FIFO since.
	fd, err := retry(func() (int, error) {
		return unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return g.skip(e.Path, err)
	}
	defer unix.Close(fd)
	var now unix.Stat_t
	if err := unix.Fstat(fd, &now); err != nil {
		return g.skip(e.Path, err)
	}
	if now.Mode&unix.S_IFMT != unix.S_IFREG {
		return g.skip(e.Path, unix.ESTALE)
	}
	e = entryOf(e.Path, &now)
	if err := g.entry(&e); err != nil || g.end.Truncated {
		return err
	}
	readErr, sendErr := g.content(fd, now.Size, now.Blocks*512 < now.Size)
	if sendErr != nil {
		return sendErr
	}
	if err := g.out.Frame(wire.KindEntryEnd, nil); err != nil || readErr == nil {
		return err
	}
	return g.skip(e.Path, readErr)
}
