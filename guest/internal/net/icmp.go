package net

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// reason is why a packet went nowhere, as type and code of ICMP and of ICMPv6.
type reason struct{ code4, code6 byte }

var (
	portUnreachable = reason{byte(header.ICMPv4PortUnreachable), byte(header.ICMPv6PortUnreachable)}
	hostUnreachable = reason{byte(header.ICMPv4HostUnreachable), byte(header.ICMPv6AddressUnreachable)}
	prohibited      = reason{byte(header.ICMPv4AdminProhibited), byte(header.ICMPv6Prohibited)}
)

// quoteMax is how much of a packet an error quotes: all of its headers.
const quoteMax = 128

// echoReply turns a ping around.
func echoReply(p *packet) []byte {
	body := p.bytes[p.offset:]
	protocol, kind := byte(protocolICMP), byte(header.ICMPv4EchoReply)
	if p.v6 {
		protocol, kind = protocolICMPv6, byte(header.ICMPv6EchoReply)
	}
	out := ipHeader(p.dst, p.src, protocol, len(body))
	answer := out[len(out)-len(body):]
	copy(answer, body)
	answer[0] = kind
	seal(answer, 2, p.dst, p.src, protocol, p.v6)
	return out
}

// unreachable says to the sender of the packet that quote begins why it went nowhere.
func unreachable(from, to netip.Addr, quote []byte, why reason) []byte {
	quote = quote[:min(len(quote), quoteMax)]
	protocol, kind, code := byte(protocolICMP), byte(header.ICMPv4DstUnreachable), why.code4
	if to.Is6() {
		protocol, kind, code = protocolICMPv6, byte(header.ICMPv6DstUnreachable), why.code6
	}
	out := ipHeader(from, to, protocol, 8+len(quote))
	body := out[len(out)-8-len(quote):]
	body[0], body[1] = kind, code
	copy(body[8:], quote)
	seal(body, 2, from, to, protocol, to.Is6())
	return out
}
