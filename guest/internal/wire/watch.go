package wire

import "errors"

// Wait asks to be told when something is so.
type Wait struct {
	For       string // port, file, process or sent
	Port      int
	Path      string
	Name      string
	Present   bool // false waits for its absence
	Beyond    int64
	TimeoutMS int64
}

// Remove takes a path away.
type Remove struct {
	Path      string
	Recursive bool
}

// Disturb makes something go wrong, or right again.
type Disturb struct {
	What       string // link, disk, memory or clock
	Up         bool
	Path       string
	Bytes      int64
	TimeUnixNS int64
}

// Changes asks what was changed below a directory.
type Changes struct {
	Path        string
	SinceUnixNS int64
	Limit       int64
}

func parseWait(o *object) *Wait {
	w := &Wait{
		For: o.str("for"), Port: int(o.integer("port", 1, 65535, 0)), Name: o.str("name"), Present: true,
		Beyond: o.integer("beyond", -1, maxSafe, -1), TimeoutMS: o.integer("timeout_ms", 0, daysMS, 0),
	}
	if o.get("present") != nil {
		w.Present = o.boolean("present")
	}
	if w.For == "file" {
		w.Path = absolute(o, "path")
	}
	noNUL(o, "name", w.Name)
	switch {
	case o.err != nil:
	case w.For != "port" && w.For != "file" && w.For != "process" && w.For != "sent":
		o.err = errors.New("Field \"for\" is not \"port\", \"file\", \"process\" or \"sent\"")
	case w.For == "port" && w.Port == 0:
		o.err = errors.New("Field \"port\" is missing")
	case w.For == "process" && w.Name == "":
		o.err = errors.New("Field \"name\" is missing")
	}
	return w
}

func parseDisturb(o *object) *Disturb {
	d := &Disturb{What: o.str("what"), Up: o.boolean("up"), Bytes: o.integer("bytes", 0, maxSafe, 0), TimeUnixNS: o.decimal("time_unix_ns")}
	if d.What == "disk" {
		d.Path = absolute(o, "path")
	}
	if o.err == nil && d.What != "link" && d.What != "disk" && d.What != "memory" && d.What != "clock" {
		o.err = errors.New("Field \"what\" is not \"link\", \"disk\", \"memory\" or \"clock\"")
	}
	return d
}
