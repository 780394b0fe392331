package net

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"microagent.dev/guest/internal/fault"
	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/uplink"
	"microagent.dev/guest/internal/wire"
)

// handshakeWindow is what a connection may send before its buffers are known.
const handshakeWindow = 256 << 10

// handleTCP takes packets that belong to no connection. A SYN waits for the host's answer before it gets
// one; everything else the stack answers with a reset.
func (n *Network) handleTCP(id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
	flags := header.TCP(pkt.TransportHeader().Slice()).Flags()
	if flags&(header.TCPFlagSyn|header.TCPFlagAck|header.TCPFlagRst) != header.TCPFlagSyn {
		return false
	}
	n.mu.Lock()
	if _, asked := n.pending[id]; asked {
		n.mu.Unlock()
		return true // a repeated SYN
	}
	if len(n.pending)+len(n.conns) >= connectionsMax {
		n.mu.Unlock()
		return false
	}
	n.pending[id] = quoteOf(pkt)
	n.mu.Unlock()
	if !n.forwarder.HandlePacket(id, pkt) {
		n.settle(id)
		return false
	}
	return true
}

// settle forgets an attempt and gives what an error about it quotes.
func (n *Network) settle(id stack.TransportEndpointID) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	quote := n.pending[id]
	delete(n.pending, id)
	return quote
}

func quoteOf(pkt *stack.PacketBuffer) []byte {
	quote := make([]byte, 0, quoteMax)
	quote = append(quote, pkt.NetworkHeader().Slice()...)
	return append(quote, pkt.TransportHeader().Slice()...)
}

// connect asks the host for one connection and, when there is one, completes the handshake with the
// process that wants it.
func (n *Network) connect(r *tcp.ForwarderRequest) {
	defer fault.Recover("a connection")
	id := r.ID()
	n.mu.Lock()
	before := n.resets
	n.mu.Unlock()
	dst, src := addr(id.LocalAddress), addr(id.RemoteAddress)
	down := n.room.first()
	asked := 0
	if down.bytes < mux.WindowBytes {
		asked = down.bytes
	}
	st, err := n.up.Call(wire.TCPCall(netip.AddrPortFrom(dst, id.LocalPort), id.RemotePort, asked))
	if err != nil {
		n.room.give(down)
		reset := resets(err)
		r.Complete(reset)
		if quote := n.settle(id); !reset {
			n.send(unreachable(dst, src, quote, hostUnreachable))
		}
		return
	}
	if n.Named != nil {
		n.Named(st.ID(), netip.AddrPortFrom(src, id.RemotePort), netip.AddrPortFrom(dst, id.LocalPort))
	}
	if asked > 0 {
		st.Narrow(down.bytes)
	}
	f := &connection{n: n, st: st, down: down, up: n.room.first()}
	ep, failure := r.CreateEndpoint(&f.queue)
	if failure == nil {
		f.ep = ep
		f.adopt(id)
	}
	n.mu.Lock()
	late := n.resets != before
	n.mu.Unlock()
	r.Complete(failure != nil)
	n.settle(id)
	if failure != nil {
		st.Reset()
		n.room.give(f.down)
		n.room.give(f.up)
		return
	}
	if late {
		// The process had its answer before the connection was known to be one.
		f.fail()
	}
	f.run()
}

// resets says whether a process should see its connection refused rather than its destination
// unreachable.
func resets(err error) bool {
	if refusal, ok := err.(*uplink.Refusal); ok {
		switch refusal.Code {
		case "unreachable", "timed_out", "failed":
			return false
		}
	}
	return true
}

// widenDown hears of bytes that the process took, and may raise the window.
func (f *connection) widenDown(taken int) {
	if f.n.room.widen(&f.down, taken) {
		f.st.Widen(f.down.bytes)
		f.boundDown()
	}
}

// widenUp hears of bytes that the host took.
func (f *connection) widenUp(taken int) {
	if f.n.room.widen(&f.up, taken) {
		f.ep.SocketOptions().SetReceiveBufferSize(int64(f.up.bytes), true)
	}
}

// boundDown makes the stack hold half as much for the process as the window is.
func (f *connection) boundDown() {
	f.ep.SocketOptions().SetSendBufferSize(int64(max(f.down.bytes/2, shareMin)), true)
}

// adopt sets a new connection's bounds and makes it one of the network's.
func (f *connection) adopt(id stack.TransportEndpointID) {
	f.boundDown()
	o := f.ep.SocketOptions()
	o.SetReceiveBufferSize(int64(f.up.bytes), true)
	o.SetKeepAlive(true)
	o.SetDelayOption(false)
	_ = f.ep.SetSockOpt(ptr(tcpip.KeepaliveIdleOption(keepAliveIdle)))
	_ = f.ep.SetSockOpt(ptr(tcpip.KeepaliveIntervalOption(keepAliveInterval)))
	f.readEntry, f.readable = waiter.NewChannelEntry(waiter.ReadableEvents | waiter.EventHUp | waiter.EventErr)
	f.writeEntry, f.writable = waiter.NewChannelEntry(waiter.WritableEvents | waiter.EventHUp | waiter.EventErr)
	f.queue.EventRegister(&f.readEntry)
	f.queue.EventRegister(&f.writeEntry)
	f.over = make(chan struct{})
	// Last: from here on it may be ended at any time.
	n := f.n
	n.mu.Lock()
	delete(n.pending, id)
	n.conns[f] = struct{}{}
	n.mu.Unlock()
}
