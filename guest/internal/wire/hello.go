package wire

import (
	"bytes"
	"errors"
	"strconv"
)

// HelloPrefix begins both handshake lines.
const HelloPrefix = "MICROAGENT "

// HostHello is what the host writes first.
type HostHello struct {
	Version int64
	Session string
}

// GuestHello is the answer.
type GuestHello struct {
	Session  string
	Agent    string
	Kernel   string
	Arch     string
	UptimeMS int64
}

// ParseHostHello reads one line without its newline. An error means: not a handshake, skip it.
func ParseHostHello(line []byte) (HostHello, error) {
	var h HostHello
	if len(line) > HelloBytesMax || !bytes.HasPrefix(line, []byte(HelloPrefix)) {
		return h, errors.New("The line is not a handshake")
	}
	o, err := parseObject(line[len(HelloPrefix):])
	if err != nil {
		return h, err
	}
	h.Version = o.integer("v", 0, 1<<31, 0)
	h.Session = o.str("session")
	if o.err != nil {
		return h, o.err
	}
	if len(h.Session) != 32 {
		return h, errors.New("The session has " + strconv.Itoa(len(h.Session)) + " characters, want 32")
	}
	for _, c := range []byte(h.Session) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return h, errors.New("The session is not lower-case hexadecimal")
		}
	}
	return h, nil
}

// Line is the accepting answer.
func (h GuestHello) Line() []byte {
	o := NewObject().Int("v", Version).Str("session", h.Session).Str("agent", h.Agent).
		Str("kernel", h.Kernel).Str("arch", h.Arch).Int("uptime_ms", h.UptimeMS)
	return append([]byte(HelloPrefix), o.Line()...)
}

// RefusalLine is the answer of an agent that cannot serve.
func RefusalLine(session, code, message string) []byte {
	e := NewObject().Str("code", code).Str("message", message).Bytes()
	o := NewObject().Int("v", Version).Str("session", session).Raw("error", e)
	return append([]byte(HelloPrefix), o.Line()...)
}
