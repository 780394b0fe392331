package wire

// Secrets prepares the place of a workload's secrets.
type Secrets struct {
	User      string // who owns them, as in Exec
	SizeBytes int64  // of the file system for them, 0 for none
	Socket    string // a socket of the agent's that becomes the user's too, empty for none
}

// secretsBytesMax is far above what a host delivers.
const secretsBytesMax = 1 << 30

func parseSecrets(o *object) *Secrets {
	s := &Secrets{User: o.str("user"), SizeBytes: o.integer("size_bytes", 0, secretsBytesMax, 0)}
	noNUL(o, "user", s.User)
	if o.get("socket") != nil {
		s.Socket = absolute(o, "socket")
	}
	return s
}
