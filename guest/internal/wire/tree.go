package wire

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Entry is one node of a tree in transfer. Its strings are bytes of any encoding.
type Entry struct {
	Path     string // relative to the transfer's path; empty for that path itself
	Type     string // file dir symlink hardlink fifo char block socket
	Link     string // target text of a symlink, entry path of a hardlink
	Mode     uint32 // twelve permission bits
	UID, GID uint32
	Size     int64
	MTimeS   int64
	MTimeNS  int64
	DevMajor uint32
	DevMinor uint32
}

const maxSafe = 1<<53 - 1

// Encode gives the entry's JSON object.
func (e *Entry) Encode() []byte {
	o := NewObject()
	putBytes(o, "path", e.Path)
	o.Str("type", e.Type)
	if e.Type == "symlink" || e.Type == "hardlink" {
		putBytes(o, "link", e.Link)
	}
	o.Int("mode", int64(e.Mode)).Int("uid", int64(e.UID)).Int("gid", int64(e.GID)).Int("size", e.Size).
		Int("mtime_s", e.MTimeS).Int("mtime_ns", e.MTimeNS)
	if e.Type == "char" || e.Type == "block" {
		o.Int("dev_major", int64(e.DevMajor)).Int("dev_minor", int64(e.DevMinor))
	}
	return o.Bytes()
}

func putBytes(o *Object, name, bytes string) {
	if utf8.ValidString(bytes) {
		o.Str(name, bytes)
	} else {
		o.Str(name+"_b64", base64.StdEncoding.EncodeToString([]byte(bytes)))
	}
}

// ParseEntry reads and checks one entry.
func ParseEntry(payload []byte) (Entry, error) {
	var e Entry
	o, err := parseObject(payload)
	if err != nil {
		return e, err
	}
	e.Path = takeBytes(o, "path")
	e.Type = o.str("type")
	e.Link = takeBytes(o, "link")
	e.Mode = uint32(o.integer("mode", 0, 0o7777, 0))
	e.UID = uint32(o.integer("uid", 0, 1<<32-2, 0))
	e.GID = uint32(o.integer("gid", 0, 1<<32-2, 0))
	e.Size = o.integer("size", 0, maxSafe, 0)
	e.MTimeS = o.integer("mtime_s", -maxSafe, maxSafe, 0)
	e.MTimeNS = o.integer("mtime_ns", 0, 999_999_999, 0)
	e.DevMajor = uint32(o.integer("dev_major", 0, 1<<32-1, 0))
	e.DevMinor = uint32(o.integer("dev_minor", 0, 1<<32-1, 0))
	if o.err != nil {
		return e, o.err
	}
	return e, e.check()
}

func (e *Entry) check() error {
	if err := CheckEntryPath(e.Path); err != nil {
		return err
	}
	switch e.Type {
	case "file", "dir", "fifo", "char", "block", "socket":
		if e.Link != "" {
			return errors.New("An entry of type " + strconv.Quote(e.Type) + " has a link")
		}
	case "symlink":
		if e.Link == "" || len(e.Link) > PathBytesMax || strings.IndexByte(e.Link, 0) >= 0 {
			return errors.New("The target of symbolic link " + strconv.Quote(e.Path) + " is empty, too long or holds NUL")
		}
	case "hardlink":
		if e.Path == "" || e.Link == "" {
			return errors.New("A hard link needs a path and a link")
		}
		return CheckEntryPath(e.Link)
	default:
		return errors.New("Entry type " + strconv.Quote(e.Type) + " is unknown")
	}
	return nil
}

func takeBytes(o *object, name string) string {
	if coded := o.get(name + "_b64"); coded != nil {
		raw, err := base64.StdEncoding.Strict().DecodeString(o.str(name + "_b64"))
		if err != nil && o.err == nil {
			o.err = errors.New("Field \"" + name + "_b64\" is not base64")
		}
		return string(raw)
	}
	return o.str(name)
}

// CheckEntryPath refuses whatever could leave the tree or name nothing; the empty path is the root.
func CheckEntryPath(path string) error {
	if path == "" {
		return nil
	}
	if len(path) > PathBytesMax {
		return errors.New("An entry path has " + strconv.Itoa(len(path)) + " bytes, want at most " + strconv.Itoa(PathBytesMax))
	}
	for rest := path; ; {
		part, tail, more := strings.Cut(rest, "/")
		if part == "" || part == "." || part == ".." || len(part) > NameBytesMax || strings.IndexByte(part, 0) >= 0 {
			return errors.New("Entry path " + strconv.Quote(path) + " is not a plain relative path")
		}
		if !more {
			return nil
		}
		rest = tail
	}
}

// Skip says why a node was left out.
type Skip struct {
	Path    string
	Failure *Failure
}

// Encode gives the frame's payload.
func (s Skip) Encode() []byte {
	o := NewObject()
	putBytes(o, "path", s.Path)
	return o.Str("code", string(s.Failure.Code)).Str("message", s.Failure.Message).Bytes()
}

// End closes a tree.
type End struct {
	Entries   int64
	Bytes     int64
	Truncated bool
	// Counted is how many entries were left out without a word of their own.
	Counted int64 `json:",omitempty"`
}

// Encode gives the frame's payload.
func (e End) Encode() []byte {
	o := NewObject().Int("entries", e.Entries).Int("bytes", e.Bytes).Bool("truncated", e.Truncated)
	if e.Counted > 0 {
		o.Int("counted", e.Counted)
	}
	return o.Bytes()
}

// ParseEnd reads the closing frame of a tree.
func ParseEnd(payload []byte) (End, error) {
	o, err := parseObject(payload)
	if err != nil {
		return End{}, err
	}
	e := End{o.integer("entries", 0, maxSafe, 0), o.integer("bytes", 0, maxSafe, 0), o.boolean("truncated"),
		o.integer("counted", 0, maxSafe, 0)}
	return e, o.err
}

// ParseSkip reads a skip frame's path.
func ParseSkip(payload []byte) (string, error) {
	o, err := parseObject(payload)
	if err != nil {
		return "", err
	}
	path := takeBytes(o, "path")
	if o.err != nil {
		return "", o.err
	}
	return path, CheckEntryPath(path)
}
