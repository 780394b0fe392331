package net

import (
	"encoding/binary"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"microagent.dev/guest/internal/fault"
	"microagent.dev/guest/internal/wire"
)

// Take handles one packet, behind its header, that was read by somebody else.
func (n *Network) Take(bytes []byte) {
	if len(bytes) <= headerBytes+packetBytesMax {
		view := buffer.NewViewSize(headerBytes + packetBytesMax)
		n.take(view, copy(view.AsSlice(), bytes))
	}
}

// Abandon tells the process at src that its connection to dst is over, of which nothing is known but the
// addresses: to a segment that it does not expect its kernel says where it is, and that the stack answers with a reset.
func (n *Network) Abandon(src, dst netip.AddrPort) {
	if src.Addr().Is4() != dst.Addr().Is4() {
		return
	}
	out := ipHeader(dst.Addr(), src.Addr(), protocolTCP, header.TCPMinimumSize)
	body := out[len(out)-header.TCPMinimumSize:]
	binary.BigEndian.PutUint16(body, dst.Port())
	binary.BigEndian.PutUint16(body[2:], src.Port())
	body[12], body[13] = header.TCPMinimumSize/4<<4, byte(header.TCPFlagAck)
	seal(body, 16, dst.Addr(), src.Addr(), protocolTCP, true)
	n.send(out)
}

// hostWait is how long the host may take to be there to be told.
const hostWait = time.Second

// TellDeath tells the host that the process before this one died, and with it all connections.
func (n *Network) TellDeath() { n.tell("network-restart") }

// tell tells the host what became of the network itself.
func (n *Network) tell(what string) {
	defer fault.Recover("a notice")
	gateway := n.gateways[0]
	if !gateway.IsValid() {
		gateway = n.gateways[1]
	}
	if _, err := n.up.Ask(wire.UnmediatedCall(what, gateway, 1)); err != nil {
		time.Sleep(hostWait)
		_, _ = n.up.Ask(wire.UnmediatedCall(what, gateway, 1))
	}
}
