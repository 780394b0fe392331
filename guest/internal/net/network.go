package net

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"microagent.dev/guest/internal/eth"
	"microagent.dev/guest/internal/fault"
	"microagent.dev/guest/internal/uplink"
	"microagent.dev/guest/internal/wire"
)

const (
	// connectionsMax bounds TCP connections and attempts; the host's limit is below it.
	connectionsMax = 512
	packetBytesMax = eth.PacketBytesMax
	// smallPacket is up to where a copy costs less than a large buffer held.
	smallPacket = 4 << 10
)

// Network is one interface of the machine and everything that goes on on it.
type Network struct {
	up        *uplink.Uplink
	dev       Device
	gateways  [2]netip.Addr
	link      *link
	notices   notices
	questions atomic.Int32
	closed    atomic.Bool

	// Named, when set, hears which connection a stream of the host is.
	Named func(stream uint32, src, dst netip.AddrPort)

	taking    sync.Mutex
	stack     *stack.Stack // made with the first packet that needs one
	forwarder *tcp.Forwarder

	mu      sync.Mutex
	pending map[stack.TransportEndpointID][]byte // attempts that wait for the host, and what an error quotes
	conns   map[*connection]struct{}
	resets  int // how often all connections were ended
	room    room
	udp     map[udpKey]*udpFlow
}

// Serve takes the packets of a device until it is closed.
func Serve(dev Device, c *wire.Network, up *uplink.Uplink) *Network {
	n := &Network{
		up: up, dev: dev, gateways: [2]netip.Addr{c.IPv4.Gateway, c.IPv6.Gateway},
		link:    &link{dev: dev, mtu: uint32(min(c.MTU, packetBytesMax))},
		notices: notices{up: up},
		pending: map[stack.TransportEndpointID][]byte{}, conns: map[*connection]struct{}{}, udp: map[udpKey]*udpFlow{},
		room: room{free: sharedBytes},
	}
	go n.run()
	return n
}

// Close removes the interface; what is open on it ends.
func (n *Network) Close() {
	n.closed.Store(true)
	_ = n.dev.Close()
}

// Cut makes the cable fall out, or puts it back: packets are lost in both directions, and nobody is told.
func (n *Network) Cut(out bool) { n.link.cut.Store(out) }

// Reset ends every connection, for the process with a reset, and every flow. The host is another one.
func (n *Network) Reset() {
	n.mu.Lock()
	n.resets++
	var conns []*connection
	for f := range n.conns {
		conns = append(conns, f)
	}
	var flows []*udpFlow
	for _, f := range n.udp {
		flows = append(flows, f)
	}
	n.mu.Unlock()
	for _, f := range conns {
		f.fail()
	}
	for _, f := range flows {
		f.end()
	}
}

func (n *Network) run() {
	view := buffer.NewViewSize(headerBytes + packetBytesMax)
	for {
		size, err := n.dev.Read(view.AsSlice())
		if err != nil {
			n.Reset()
			n.taking.Lock()
			if n.stack != nil {
				n.stack.Close()
			}
			n.taking.Unlock()
			if !n.closed.Load() {
				n.tell("interface-gone")
			}
			return
		}
		if n.take(view, size) {
			view = buffer.NewViewSize(headerBytes + packetBytesMax)
		}
	}
}

// take handles the packet in the first size bytes of view and says whether it kept the view.
func (n *Network) take(view *buffer.View, size int) (kept bool) {
	n.taking.Lock()
	defer n.taking.Unlock()
	defer func() {
		if cause := recover(); cause != nil {
			fault.Report("a packet", cause)
			kept = true // nobody knows
		}
	}()
	if n.link.cut.Load() {
		return false
	}
	if size <= headerBytes {
		return false
	}
	p, what := classify(view.AsSlice()[headerBytes:size], n.isGateway)
	switch what {
	case toStack:
		if !n.ready() {
			return false
		}
		if len(p.bytes) <= smallPacket {
			view = buffer.NewViewWithData(p.bytes)
		} else {
			kept = true
			view.TrimFront(headerBytes)
			view.CapLength(len(p.bytes))
		}
		n.deliver(view, p.v6)
	case echo:
		n.send(echoReply(&p))
	case unmediated:
		n.notices.add(p.name(), p.dst)
		n.send(unreachable(p.dst, p.src, p.bytes, prohibited))
	case toGroup:
		n.notices.add(p.name(), p.dst)
	}
	return kept
}

func (n *Network) isGateway(a netip.Addr) bool { return a == n.gateways[0] || a == n.gateways[1] }

// ready makes the stack when it is first needed: many a machine never speaks to anybody.
func (n *Network) ready() bool {
	if n.stack != nil {
		return true
	}
	s, err := newStack(n.link)
	if err != nil {
		fault.Log("cannot start the network: " + err.String())
		return false
	}
	n.forwarder = tcp.NewForwarder(s, handshakeWindow, connectionsMax+1, n.connect)
	s.SetTransportProtocolHandler(tcp.ProtocolNumber, n.handleTCP)
	s.SetTransportProtocolHandler(udp.ProtocolNumber, n.handleUDP)
	n.stack = s
	return true
}

func (n *Network) deliver(view *buffer.View, v6 bool) {
	d := n.link.disp.Load()
	if d == nil {
		view.Release()
		return
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithView(view)})
	defer pkt.DecRef()
	if v6 {
		(*d).DeliverNetworkPacket(ipv6.ProtocolNumber, pkt)
	} else {
		(*d).DeliverNetworkPacket(ipv4.ProtocolNumber, pkt)
	}
}

// send gives the machine a packet made without the stack.
func (n *Network) send(bytes []byte) {
	var head [headerBytes]byte
	_ = n.dev.Write([][]byte{head[:], bytes})
}
