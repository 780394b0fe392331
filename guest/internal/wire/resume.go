package wire

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
)

// Identity is what makes a machine this one and no other.
type Identity struct {
	TimeUnixNS int64
	Entropy    []byte
	Hostname   string
	Hosts      []HostEntry
}

// Resume makes another machine of one that was started from a saved one.
type Resume struct {
	Identity
	Network  *Network  // nil: none
	Services *Services // nil: none
}

func parseResume(o *object) *Resume {
	return &Resume{parseIdentity(o), parseNetwork(o), parseServices(o)}
}

func parseIdentity(o *object) Identity {
	id := Identity{TimeUnixNS: o.decimal("time_unix_ns"), Hostname: o.str("hostname")}
	var err error
	if id.Entropy, err = base64.StdEncoding.DecodeString(o.str("entropy")); o.err == nil {
		if err != nil || len(id.Entropy) < 32 || len(id.Entropy) > 512 {
			o.err = errors.New("Field \"entropy\" is not base64 of 32 to 512 bytes")
		}
	}
	if o.err == nil && (id.Hostname == "" || len(id.Hostname) > 64 || strings.ContainsAny(id.Hostname, "\x00\n \t")) {
		o.err = errors.New("Field \"hostname\" is " + strconv.Quote(id.Hostname) + ", want 1 to 64 characters without blanks")
	}
	for _, host := range o.children("hosts") {
		h := HostEntry{host.str("ip"), host.strings("names")}
		o.adopt(host)
		for _, word := range append([]string{h.IP}, h.Names...) {
			if o.err == nil && (word == "" || strings.ContainsAny(word, "\x00\n \t#")) {
				o.err = errors.New("Field \"hosts\" holds " + strconv.Quote(word) + ", want an address or a name")
			}
		}
		id.Hosts = append(id.Hosts, h)
	}
	return id
}
