package wire

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// Network is the machine's one interface, which ends in the agent.
type Network struct {
	Interface string
	MTU       int
	IPv4      Addressing // invalid where the machine has none
	IPv6      Addressing
	DNS       []netip.Addr
}

// Addressing is the machine's own address with its prefix, and the next hop.
type Addressing struct {
	Address netip.Prefix
	Gateway netip.Addr
}

// Services are what the agent listens for inside the machine.
type Services struct {
	SecretsSocket string // a path, empty for none
	MediationPort int    // of 127.0.0.1, 0 for none
}

// Connect reaches a TCP port of the machine for the host.
type Connect struct{ Port int }

const (
	mtuMin         = 1280 // what IPv6 needs
	mtuMax         = 65535
	nameServersMax = 3 // that resolvers read
	interfaceMax   = 15
)

func parseNetwork(o *object) *Network {
	from := o.child("network")
	if from == nil {
		return nil
	}
	n := &Network{Interface: from.str("interface"), MTU: int(from.integer("mtu", mtuMin, mtuMax, mtuMax))}
	if from.err == nil && (n.Interface == "" || len(n.Interface) > interfaceMax || strings.ContainsAny(n.Interface, "/: \t\n\x00%.")) {
		from.err = errors.New("Field \"interface\" is " + strconv.Quote(n.Interface) + ", want a name such as \"eth0\"")
	}
	n.IPv4 = parseAddressing(from, "ipv4", netip.Addr.Is4)
	n.IPv6 = parseAddressing(from, "ipv6", is6)
	if from.err == nil && !n.IPv4.Gateway.IsValid() && !n.IPv6.Gateway.IsValid() {
		from.err = errors.New("Field \"network\" has no address, want \"ipv4\" or \"ipv6\"")
	}
	for _, text := range from.strings("dns") {
		addr, err := netip.ParseAddr(text)
		if from.err == nil && (err != nil || addr.Zone() != "") {
			from.err = errors.New("Field \"dns\" holds " + strconv.Quote(text) + ", want addresses")
		}
		n.DNS = append(n.DNS, addr)
	}
	if from.err == nil && len(n.DNS) > nameServersMax {
		from.err = errors.New("Field \"dns\" has " + strconv.Itoa(len(n.DNS)) + " addresses, want at most " + strconv.Itoa(nameServersMax))
	}
	o.adopt(from)
	return n
}

func is6(a netip.Addr) bool { return a.Is6() && !a.Is4In6() }

func parseAddressing(o *object, name string, family func(netip.Addr) bool) Addressing {
	from := o.child(name)
	if from == nil {
		return Addressing{}
	}
	address, gateway := from.str("address"), from.str("gateway")
	o.adopt(from)
	var a Addressing
	var wrong, wrongToo error
	a.Address, wrong = netip.ParsePrefix(address)
	a.Gateway, wrongToo = netip.ParseAddr(gateway)
	if o.err != nil || wrong == nil && wrongToo == nil && a.Gateway.Zone() == "" && family(a.Address.Addr()) && family(a.Gateway) &&
		a.Address.Contains(a.Gateway) && a.Address.Addr() != a.Gateway {
		return a
	}
	o.err = errors.New("Field " + strconv.Quote(name) + " is " + strconv.Quote(address) + " by way of " + strconv.Quote(gateway) +
		", want an address with its prefix and a gateway in it")
	return Addressing{}
}

func parseServices(o *object) *Services {
	from := o.child("services")
	if from == nil {
		return nil
	}
	s := &Services{MediationPort: int(from.integer("mediation_port", 1, 65535, 0))}
	if from.get("secrets_socket") != nil {
		// The longest path that fits a socket's address.
		if s.SecretsSocket = absolute(from, "secrets_socket"); from.err == nil && len(s.SecretsSocket) > 107 {
			from.err = errors.New("Field \"secrets_socket\" has " + strconv.Itoa(len(s.SecretsSocket)) + " bytes, want at most 107")
		}
	}
	o.adopt(from)
	return s
}
