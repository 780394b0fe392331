// Package netproc is PID 1's side of the network: the interface and the listeners are PID 1's, what they carry is served
// by a process of its own, started by the first packet or connection. The TCP/IP stack is the largest part of the agent, and many
// a machine never speaks to anybody; and when it dies, only connections die with it.
package netproc

import (
	"net/netip"
	"strconv"
)

// Descriptors of the network process. Those it was not given are closed.
const (
	DownFD      = iota + 3 // the host's frames
	PortFD                 // the port to the host, shared with PID 1
	ControlFD              // messages of PID 1
	LedgerFD               // what it leaves
	TunFD                  // packets
	SecretsFD              // a listening socket
	MediationFD            // a listening socket
)

// Args are what the network process is told when it starts; addresses and ports, nothing secret.
type Args struct {
	MTU       int
	Gateways  [2]netip.Addr // IPv4, IPv6; invalid where there is none
	Tun       bool
	Secrets   bool
	Mediation bool
	Cut       bool // the cable is out
	Died      bool // the one before did
}

const programName = "microagent-network"

// Words are the process's command line.
func (a *Args) Words() []string {
	words := []string{programName, strconv.Itoa(a.MTU)}
	for _, gateway := range a.Gateways {
		if gateway.IsValid() {
			words = append(words, gateway.String())
		}
	}
	for _, flag := range a.flags() {
		if *flag.set {
			words = append(words, flag.name)
		}
	}
	return words
}

type flag struct {
	name string
	set  *bool
}

func (a *Args) flags() []flag {
	return []flag{{"tun", &a.Tun}, {"secrets", &a.Secrets}, {"mediation", &a.Mediation}, {"cut", &a.Cut}, {"died", &a.Died}}
}

// ParseArgs reads a command line that Words made.
func ParseArgs(words []string) (Args, bool) {
	var a Args
	if len(words) < 2 {
		return a, false
	}
	var err error
	if a.MTU, err = strconv.Atoi(words[1]); err != nil {
		return a, false
	}
	for _, word := range words[2:] {
		if gateway, err := netip.ParseAddr(word); err == nil {
			if gateway.Is4() {
				a.Gateways[0] = gateway
			} else {
				a.Gateways[1] = gateway
			}
			continue
		}
		for _, flag := range a.flags() {
			if flag.name == word {
				*flag.set = true
			}
		}
	}
	return a, true
}

// Control messages, by their first byte.
const (
	MessagePacket  = 'p' // a packet that came before the process did, without an answer
	MessageCut     = 'c' // then 0 or 1; answered with one byte
	MessageAbandon = 'a' // then source and destination of a connection that nobody serves any more
	MessageStopped = 's' // the process's answer to the end of a session
)

// BeginBytes is the length of what stands in the stream of frames between two sessions: 1, 7 bytes of
// nothing, and the number of the next stream; 0: there is no session.
const BeginBytes = 12
