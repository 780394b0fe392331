package net

import (
	"encoding/binary"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// link is the device as the stack sees it. Nothing is lost or changed between the two, so checksums are
// neither made nor looked at.
type link struct {
	dev  Device
	mtu  uint32
	disp atomic.Pointer[stack.NetworkDispatcher]
	cut  atomic.Bool // nothing goes in or out
}

func (l *link) MTU() uint32                           { return l.mtu }
func (*link) SetMTU(uint32)                           {}
func (*link) MaxHeaderLength() uint16                 { return 0 }
func (*link) LinkAddress() tcpip.LinkAddress          { return "" }
func (*link) SetLinkAddress(tcpip.LinkAddress)        {}
func (*link) Wait()                                   {}
func (*link) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareNone }
func (*link) AddHeader(*stack.PacketBuffer)           {}
func (*link) ParseHeader(*stack.PacketBuffer) bool    { return true }
func (*link) Close()                                  {}
func (*link) SetOnCloseAction(func())                 {}
func (l *link) IsAttached() bool                      { return l.disp.Load() != nil }
func (*link) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityTXChecksumOffload | stack.CapabilityRXChecksumOffload
}

func (l *link) Attach(d stack.NetworkDispatcher) {
	if d == nil {
		l.disp.Store(nil)
		return
	}
	l.disp.Store(&d)
}

func (l *link) WritePackets(list stack.PacketBufferList) (int, tcpip.Error) {
	done := 0
	if l.cut.Load() {
		return list.Len(), nil
	}
	for _, pkt := range list.AsSlice() {
		var head [headerBytes]byte
		network := pkt.NetworkHeader().Slice()
		if transport := pkt.TransportHeader().Slice(); pkt.TransportProtocolNumber == header.TCPProtocolNumber && len(transport) >= header.TCPMinimumSize {
			head[0] = needsChecksum
			binary.NativeEndian.PutUint16(head[6:], uint16(len(network)))
			binary.NativeEndian.PutUint16(head[8:], header.TCPChecksumOffset)
			// The sum over the addresses is what a kernel expects there to go on from.
			size := uint16(len(transport) + pkt.Data().Size())
			tcp := header.TCP(transport)
			if pkt.NetworkProtocolNumber == header.IPv4ProtocolNumber {
				ip := header.IPv4(network)
				tcp.SetChecksum(header.PseudoHeaderChecksum(header.TCPProtocolNumber, ip.SourceAddress(), ip.DestinationAddress(), size))
			} else {
				ip := header.IPv6(network)
				tcp.SetChecksum(header.PseudoHeaderChecksum(header.TCPProtocolNumber, ip.SourceAddress(), ip.DestinationAddress(), size))
			}
		}
		var room [partsMax][]byte
		parts := append(room[:0], head[:])
		if err := l.dev.Write(append(parts, pkt.AsSlices()...)); err == nil {
			done++
		}
	}
	if done == 0 {
		return 0, &tcpip.ErrNoBufferSpace{}
	}
	return done, nil
}
