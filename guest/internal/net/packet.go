package net

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// verdict is what becomes of a packet.
type verdict uint8

const (
	drop       verdict = iota // malformed, or nobody's business
	toStack                   // TCP, UDP and fragments of them
	echo                      // a ping of the gateway
	unmediated                // what no stream carries; the sender and the host are told
	toGroup                   // a datagram to many; the host is told, and nobody answers for a group
)

// packet is what can be said of an IP packet without a stack.
type packet struct {
	bytes    []byte
	src, dst netip.Addr
	protocol uint8
	offset   int // of what follows the IP header
	v6       bool
}

const (
	protocolICMP   = 1
	protocolTCP    = 6
	protocolUDP    = 17
	protocolICMPv6 = 58
	fragmentHeader = 44
)

// classify reads the IP header of whatever the machine sent: its root may send anything.
func classify(bytes []byte, isGateway func(netip.Addr) bool) (packet, verdict) {
	if len(bytes) == 0 {
		return packet{}, drop
	}
	switch bytes[0] >> 4 {
	case 4:
		return classify4(bytes, isGateway)
	case 6:
		return classify6(bytes, isGateway)
	}
	return packet{}, drop
}

func classify4(bytes []byte, isGateway func(netip.Addr) bool) (packet, verdict) {
	ip := header.IPv4(bytes)
	if len(bytes) < header.IPv4MinimumSize || !ip.IsValid(len(bytes)) {
		return packet{}, drop
	}
	p := packet{
		bytes: bytes[:ip.TotalLength()], src: addr(ip.SourceAddress()), dst: addr(ip.DestinationAddress()),
		protocol: ip.Protocol(), offset: int(ip.HeaderLength()),
	}
	whole := !ip.More() && ip.FragmentOffset() == 0
	return p, p.judge(protocolICMP, byte(header.ICMPv4Echo), whole, isGateway)
}

func classify6(bytes []byte, isGateway func(netip.Addr) bool) (packet, verdict) {
	ip := header.IPv6(bytes)
	if len(bytes) < header.IPv6MinimumSize || !ip.IsValid(len(bytes)) {
		return packet{}, drop
	}
	p := packet{
		bytes: bytes[:header.IPv6MinimumSize+int(ip.PayloadLength())], src: addr(ip.SourceAddress()), dst: addr(ip.DestinationAddress()),
		protocol: ip.NextHeader(), offset: header.IPv6MinimumSize, v6: true,
	}
	whole := true
	if p.protocol == fragmentHeader && len(p.bytes) >= p.offset+8 {
		p.protocol = p.bytes[p.offset]
		p.offset += 8
		whole = false
	}
	return p, p.judge(protocolICMPv6, byte(header.ICMPv6EchoRequest), whole, isGateway)
}

func (p *packet) judge(icmp, echoRequest byte, whole bool, isGateway func(netip.Addr) bool) verdict {
	if p.protocol == protocolUDP && p.isToGroup() && !p.src.IsLoopback() {
		return toGroup
	}
	if !p.dst.IsValid() || p.dst.IsMulticast() || p.dst.IsUnspecified() || p.dst == broadcast || p.dst.IsLoopback() ||
		p.src.IsMulticast() || p.src.IsUnspecified() || p.src.IsLoopback() || p.src == broadcast {
		return drop
	}
	switch p.protocol {
	case protocolTCP, protocolUDP:
		return toStack
	case icmp:
		// Only requests are answered: an answer to an answer would never end.
		if whole && (len(p.bytes) < p.offset+header.ICMPv4MinimumSize || p.bytes[p.offset] != echoRequest) {
			return drop
		}
		if whole && isGateway(p.dst) {
			return echo
		}
	}
	return unmediated
}

func (p *packet) isToGroup() bool { return p.dst.IsMulticast() || p.dst == broadcast }

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

func addr(a tcpip.Address) netip.Addr {
	out, _ := netip.AddrFromSlice(a.AsSlice())
	return out
}

// name is what the host is told of a protocol.
func (p *packet) name() string {
	switch p.protocol {
	case protocolUDP:
		if p.dst == broadcast {
			return "udp-broadcast"
		}
		return "udp-multicast"
	case protocolICMP:
		return "icmp"
	case protocolICMPv6:
		return "icmpv6"
	}
	const digits = "0123456789"
	n := p.protocol
	return "ip-" + string([]byte{digits[n/100], digits[n/10%10], digits[n%10]})
}

// ipHeader starts a packet from src to dst with room for size bytes behind the header.
func ipHeader(src, dst netip.Addr, protocol byte, size int) []byte {
	if src.Is4() {
		out := make([]byte, header.IPv4MinimumSize+size)
		ip := header.IPv4(out)
		ip.Encode(&header.IPv4Fields{
			TotalLength: uint16(len(out)), TTL: 64, Protocol: protocol,
			SrcAddr: tcpip.AddrFromSlice(src.AsSlice()), DstAddr: tcpip.AddrFromSlice(dst.AsSlice()),
		})
		ip.SetChecksum(^ip.CalculateChecksum())
		return out
	}
	out := make([]byte, header.IPv6MinimumSize+size)
	header.IPv6(out).Encode(&header.IPv6Fields{
		PayloadLength: uint16(size), TransportProtocol: tcpip.TransportProtocolNumber(protocol), HopLimit: 64,
		SrcAddr: tcpip.AddrFromSlice(src.AsSlice()), DstAddr: tcpip.AddrFromSlice(dst.AsSlice()),
	})
	return out
}

// seal puts the checksum over body, the end of a packet from src to dst, where at says.
func seal(body []byte, at int, src, dst netip.Addr, protocol byte, pseudo bool) {
	body[at], body[at+1] = 0, 0
	var sum uint16
	if pseudo {
		sum = header.PseudoHeaderChecksum(tcpip.TransportProtocolNumber(protocol), tcpip.AddrFromSlice(src.AsSlice()), tcpip.AddrFromSlice(dst.AsSlice()), uint16(len(body)))
	}
	sum = ^checksum.Checksum(body, sum)
	if sum == 0 && protocol == protocolUDP {
		sum = 0xffff
	}
	body[at], body[at+1] = byte(sum>>8), byte(sum)
}
