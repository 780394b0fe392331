package wire

import (
	"errors"
	"strconv"
	"strings"
)

// Request is one parsed header line; Op says which member counts.
type Request struct {
	Op        string
	Configure *Configure
	Exec      *Exec
	Put       *Put
	Get       *Get
	Stat      *Stat
	ReadDir   *ReadDir
	PowerOff  *PowerOff
	Connect   *Connect
	Resume    *Resume
	Secrets   *Secrets
	Wait      *Wait
	Remove    *Remove
	Disturb   *Disturb
	Changes   *Changes
}

// Configure gives the machine its root and identity.
type Configure struct {
	Identity
	Base               Mount
	Upper              Mount
	UpperTmpfsBytes    int64 // > 0: the upper is a tmpfs of that size and Upper is empty
	Mounts             []Mount
	PidsMax            int64
	MemoryReserveBytes int64
	Timezone           string
	Network            *Network  // nil: none
	Services           *Services // nil: none
}

// HostEntry is a line of /etc/hosts.
type HostEntry struct {
	IP    string
	Names []string
}

// Mount is a block device and where it goes.
type Mount struct {
	Device     string
	FSType     string
	Mountpoint string
	ReadOnly   bool
}

// Exec starts a command.
type Exec struct {
	Argv      []string
	Env       []string
	Cwd       string
	User      string
	Stdin     bool
	TTY       bool
	Rows      uint16
	Cols      uint16
	TimeoutMS int64
}

// Put receives a tree.
type Put struct {
	Path     string
	Parents  bool
	HasOwner bool
	UID, GID uint32
}

// Get sends a tree.
type Get struct {
	Path       string
	MaxEntries int64
	MaxBytes   int64
	// MaxNameBytes bounds paths, link targets and messages of skips; 0 does not.
	MaxNameBytes int64 `json:",omitempty"`
	// MaxRecords bounds skips and entries that are neither files nor directories: further ones are only counted.
	MaxRecords *int64 `json:",omitempty"`
}

// Stat describes one path.
type Stat struct {
	Path   string
	Follow bool
}

// ReadDir lists one directory.
type ReadDir struct {
	Path  string
	Limit int64
}

// PowerOff ends the machine.
type PowerOff struct{ GraceMS int64 }

const daysMS = 366 * 24 * 3600 * 1000

// ParseRequest reads a header line without its newline.
func ParseRequest(line []byte) (Request, error) {
	var r Request
	if len(line) > HeaderBytesMax {
		return r, errors.New("The request line is too long")
	}
	o, err := parseObject(line)
	if err != nil {
		return r, err
	}
	r.Op = o.str("op")
	switch r.Op {
	case "ping", "quiesce", "purge_secrets":
	case "secrets":
		r.Secrets = parseSecrets(o)
	case "resume":
		r.Resume = parseResume(o)
	case "wait":
		r.Wait = parseWait(o)
	case "remove":
		r.Remove = &Remove{absolute(o, "path"), o.boolean("recursive")}
	case "changes":
		r.Changes = &Changes{absolute(o, "path"), o.decimal("since_unix_ns"), o.integer("limit", 1, 1_000_000, 10_000)}
	case "disturb":
		r.Disturb = parseDisturb(o)
	case "configure":
		r.Configure = parseConfigure(o)
	case "exec":
		r.Exec = parseExec(o)
	case "put":
		r.Put = parsePut(o)
	case "get":
		r.Get = parseGet(o)
	case "stat":
		r.Stat = &Stat{absolute(o, "path"), o.boolean("follow")}
	case "readdir":
		r.ReadDir = &ReadDir{absolute(o, "path"), o.integer("limit", 1, 1_000_000, 10_000)}
	case "poweroff":
		r.PowerOff = &PowerOff{o.integer("grace_ms", 0, 600_000, 2_000)}
	case "connect":
		if o.get("port") == nil && o.err == nil {
			o.err = errors.New("Field \"port\" is missing")
		}
		r.Connect = &Connect{int(o.integer("port", 1, 65535, 0))}
	}
	return r, o.err
}

// absolute reads a path of the guest: from the root, no NUL, at most PATH_MAX.
func absolute(o *object, name string) string {
	path := o.str(name)
	if o.err == nil && (!strings.HasPrefix(path, "/") || len(path) > PathBytesMax || strings.IndexByte(path, 0) >= 0) {
		o.err = errors.New("Field " + strconv.Quote(name) + " is " + strconv.Quote(path) + ", want an absolute path")
	}
	return path
}

func noNUL(o *object, name, text string) {
	if o.err == nil && strings.IndexByte(text, 0) >= 0 {
		o.err = errors.New("Field " + strconv.Quote(name) + " holds a NUL character")
	}
}

func parseExec(o *object) *Exec {
	e := &Exec{
		Argv: o.strings("argv"), Env: o.strings("env"), Cwd: o.str("cwd"), User: o.str("user"),
		Stdin: o.boolean("stdin"), TimeoutMS: o.integer("timeout_ms", 0, daysMS, 0),
	}
	if e.Cwd == "" {
		e.Cwd = "/"
	}
	noNUL(o, "cwd", e.Cwd)
	if tty := o.child("tty"); tty != nil {
		e.TTY = true
		e.Rows, e.Cols = size(tty)
		o.adopt(tty)
	}
	if o.err == nil && (len(e.Argv) == 0 || e.Argv[0] == "") {
		o.err = errors.New("Field \"argv\" is empty, want a command")
	}
	for _, text := range e.Argv {
		noNUL(o, "argv", text)
	}
	for _, text := range e.Env {
		noNUL(o, "env", text)
		if o.err == nil && strings.IndexByte(text, '=') <= 0 {
			o.err = errors.New("Field \"env\" holds " + strconv.Quote(text) + ", want NAME=value")
		}
	}
	return e
}

func parsePut(o *object) *Put {
	p := &Put{Path: absolute(o, "path"), Parents: o.boolean("parents")}
	if owner := o.child("owner"); owner != nil {
		p.HasOwner = true
		p.UID = uint32(owner.integer("uid", 0, 1<<32-2, 0))
		p.GID = uint32(owner.integer("gid", 0, 1<<32-2, 0))
		o.adopt(owner)
	}
	return p
}

func parseConfigure(o *object) *Configure {
	c := &Configure{
		Identity: parseIdentity(o), Timezone: o.str("timezone"),
		PidsMax:            o.integer("pids_max", 16, 1<<22, 16384),
		MemoryReserveBytes: o.integer("memory_reserve_bytes", 0, maxSafe, 32<<20),
	}
	parseRoot(o, c)
	c.Network, c.Services = parseNetwork(o), parseServices(o)
	for _, mount := range o.children("mounts") {
		m := Mount{mount.str("device"), mount.str("fstype"), absolute(mount, "mountpoint"), mount.boolean("read_only")}
		o.adopt(mount)
		checkMount(o, m)
		c.Mounts = append(c.Mounts, m)
	}
	if o.err == nil && (strings.HasPrefix(c.Timezone, "/") || strings.Contains(c.Timezone, "..") || strings.ContainsAny(c.Timezone, "\x00\n")) {
		o.err = errors.New("Field \"timezone\" is " + strconv.Quote(c.Timezone) + ", want a name such as \"Europe/Paris\"")
	}
	return c
}

func parseRoot(o *object, c *Configure) {
	root := o.child("root")
	if root == nil {
		if o.err == nil {
			o.err = errors.New("Field \"root\" is missing")
		}
		return
	}
	base, upper := root.child("base"), root.child("upper")
	o.adopt(root)
	if o.err == nil && (base == nil || upper == nil) {
		o.err = errors.New("Field \"root\" needs \"base\" and \"upper\"")
	}
	if o.err != nil {
		return
	}
	c.Base = Mount{Device: base.str("device"), FSType: base.str("fstype"), ReadOnly: true}
	o.adopt(base)
	checkMount(o, c.Base)
	if c.UpperTmpfsBytes = upper.integer("tmpfs_bytes", 1<<16, maxSafe, 0); c.UpperTmpfsBytes == 0 {
		c.Upper = Mount{Device: upper.str("device"), FSType: upper.str("fstype")}
		o.adopt(upper)
		checkMount(o, c.Upper)
	}
	o.adopt(upper)
}

func checkMount(o *object, m Mount) {
	if o.err == nil && !strings.HasPrefix(m.Device, "/dev/") {
		o.err = errors.New("Field \"device\" is " + strconv.Quote(m.Device) + ", want a path below /dev")
	}
	if o.err == nil && m.FSType == "" {
		o.err = errors.New("Field \"fstype\" is missing for " + strconv.Quote(m.Device))
	}
	noNUL(o, "device", m.Device)
	noNUL(o, "fstype", m.FSType)
}

func parseGet(o *object) *Get {
	g := &Get{Path: absolute(o, "path"), MaxEntries: o.integer("max_entries", 1, maxSafe, 100_000),
		MaxBytes: o.integer("max_bytes", 0, maxSafe, 10<<30), MaxNameBytes: o.integer("max_name_bytes", 1, maxSafe, 0)}
	if o.get("max_records") != nil {
		most := o.integer("max_records", 0, maxSafe, 0)
		g.MaxRecords = &most
	}
	return g
}
