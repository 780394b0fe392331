package net

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

const nic = 1

// The stack's peer is the kernel next door: nothing is lost or reordered, so there is nobody to wait for
// after a close.
const timeWait = 200 * time.Millisecond

// newStack makes a stack that takes packets for every address as its own.
func newStack(l *link) (*stack.Stack, tcpip.Error) {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol},
	})
	if err := s.CreateNIC(nic, l); err != nil {
		return nil, err
	}
	s.SetPromiscuousMode(nic, true)
	s.SetSpoofing(nic, true)
	s.SetRouteTable([]tcpip.Route{
		{Destination: header.IPv4EmptySubnet, NIC: nic},
		{Destination: header.IPv6EmptySubnet, NIC: nic},
	})
	for _, option := range []tcpip.SettableTransportProtocolOption{
		ptr(tcpip.TCPSendBufferSizeRangeOption{Min: shareMin, Default: shareMax, Max: shareMax}),
		ptr(tcpip.TCPReceiveBufferSizeRangeOption{Min: shareMin, Default: shareMax, Max: shareMax}),
		ptr(tcpip.TCPModerateReceiveBufferOption(false)),
		ptr(tcpip.TCPTimeWaitTimeoutOption(timeWait)),
		ptr(tcpip.TCPRecovery(0)), // nothing is lost, and each of its timers leaves an emulated machine
	} {
		if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, option); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func ptr[T any](v T) *T { return &v }
