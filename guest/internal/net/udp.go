package net

import (
	"encoding/binary"
	"io"
	"net/netip"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"microagent.dev/guest/internal/fault"
	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/wire"
)

const (
	udpIdle = 60 * time.Second
	// udpUnanswered is how long a flow lives that nothing ever came back to.
	udpUnanswered = 30 * time.Second
	udpFlowsMax   = 512
	// A flow may be pushed out by a new one after this time.
	udpYoung = 2 * time.Second
	// udpWaiting bounds the datagrams of a flow that wait for the host: more are dropped, as on any
	// network that is too slow.
	udpWaiting      = 64
	udpWaitingBytes = 256 << 10
	datagramBytes   = 65507
)

type udpKey struct{ src, dst netip.AddrPort }

// udpFlow is one pair of addresses that exchanges datagrams.
type udpFlow struct {
	n     *Network
	key   udpKey
	quote []byte

	mu       sync.Mutex
	wake     sync.Cond
	waiting  [][]byte // frames of the mux, each with one datagram
	bytes    int
	st       *mux.Stream
	used     time.Time
	answered bool
	over     bool
}

// handleUDP takes every datagram.
func (n *Network) handleUDP(id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
	key := udpKey{netip.AddrPortFrom(addr(id.RemoteAddress), id.RemotePort), netip.AddrPortFrom(addr(id.LocalAddress), id.LocalPort)}
	if pkt.Data().Size() > datagramBytes {
		return true
	}
	if key.dst.Port() == dnsPort {
		n.question(key, pkt)
		return true
	}
	n.mu.Lock()
	f := n.udp[key]
	if f == nil {
		if len(n.udp) >= udpFlowsMax && !n.makeRoom() {
			n.mu.Unlock()
			return false // the stack says that the port is unreachable
		}
		f = &udpFlow{n: n, key: key, quote: quoteOf(pkt), used: time.Now()}
		f.wake.L = &f.mu
		n.udp[key] = f
		go f.run()
	}
	n.mu.Unlock()
	f.queue(pkt)
	return true
}

// makeRoom ends the flow that was used least lately; n.mu is held.
func (n *Network) makeRoom() bool {
	var oldest *udpFlow
	var when time.Time
	for _, f := range n.udp {
		f.mu.Lock()
		used := f.used
		f.mu.Unlock()
		if oldest == nil || used.Before(when) {
			oldest, when = f, used
		}
	}
	if oldest == nil || time.Since(when) < udpYoung {
		return false
	}
	delete(n.udp, oldest.key)
	oldest.end()
	return true
}

// datagram puts a packet's payload behind its length, with room for the frame's header.
func datagram(pkt *stack.PacketBuffer) []byte {
	size := pkt.Data().Size()
	frame := make([]byte, mux.HeaderBytes+2, mux.HeaderBytes+2+size)
	binary.BigEndian.PutUint16(frame[mux.HeaderBytes:], uint16(size))
	return append(frame, pkt.Data().AsRange().ToSlice()...)
}

func (f *udpFlow) queue(pkt *stack.PacketBuffer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.used = time.Now()
	size := pkt.Data().Size()
	if f.over || len(f.waiting) >= udpWaiting || f.bytes+size > udpWaitingBytes {
		return
	}
	f.bytes += size
	f.waiting = append(f.waiting, datagram(pkt))
	f.wake.Signal()
}

// end lets go of a flow, from any side.
func (f *udpFlow) end() {
	f.mu.Lock()
	f.over = true
	st := f.st
	f.wake.Broadcast()
	f.mu.Unlock()
	if st != nil {
		st.Reset()
	}
}

func (f *udpFlow) run() {
	defer fault.Recover("a UDP flow")
	defer func() {
		f.end()
		f.n.mu.Lock()
		if f.n.udp[f.key] == f {
			delete(f.n.udp, f.key)
		}
		f.n.mu.Unlock()
	}()
	st, err := f.n.up.Call(wire.UDPCall(f.key.dst, f.key.src.Port()))
	if err != nil {
		f.n.send(unreachable(f.key.dst.Addr(), f.key.src.Addr(), f.quote, portUnreachable))
		return
	}
	f.mu.Lock()
	f.st = st
	over := f.over
	f.mu.Unlock()
	if over {
		return
	}
	go f.receive(st)
	idle := time.AfterFunc(udpUnanswered, f.expire)
	defer idle.Stop()
	for {
		f.mu.Lock()
		for len(f.waiting) == 0 && !f.over {
			f.wake.Wait()
		}
		if f.over {
			f.mu.Unlock()
			return
		}
		frame := f.waiting[0]
		f.waiting = f.waiting[1:]
		f.bytes -= len(frame) - mux.HeaderBytes - 2
		f.mu.Unlock()
		if st.Send(frame, false) != nil {
			return
		}
	}
}

// expire ends a flow that has been idle, or looks again when it may be.
func (f *udpFlow) expire() {
	f.mu.Lock()
	limit := udpUnanswered
	if f.answered {
		limit = udpIdle
	}
	left := limit - time.Since(f.used)
	f.mu.Unlock()
	if left > 0 {
		time.AfterFunc(left, f.expire)
		return
	}
	f.end()
}

// receive passes the host's datagrams to the process.
func (f *udpFlow) receive(st *mux.Stream) {
	defer fault.Recover("a UDP flow")
	defer f.end()
	for {
		payload, err := readDatagram(st)
		if err != nil {
			return
		}
		f.mu.Lock()
		f.used = time.Now()
		f.answered = true
		f.mu.Unlock()
		f.n.sendUDP(f.key.dst, f.key.src, payload)
	}
}

// readDatagram reads a length and as many bytes.
func readDatagram(st io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(st, length[:]); err != nil {
		return nil, err
	}
	payload := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(st, payload)
	return payload, err
}

// sendUDP gives a datagram to the machine; one that does not fit a packet is dropped.
func (n *Network) sendUDP(src, dst netip.AddrPort, payload []byte) {
	size := header.UDPMinimumSize + len(payload)
	if size+header.IPv6MinimumSize > int(n.link.mtu) {
		return
	}
	out := ipHeader(src.Addr(), dst.Addr(), protocolUDP, size)
	body := out[len(out)-size:]
	binary.BigEndian.PutUint16(body, src.Port())
	binary.BigEndian.PutUint16(body[2:], dst.Port())
	binary.BigEndian.PutUint16(body[4:], uint16(size))
	copy(body[header.UDPMinimumSize:], payload)
	seal(body, 6, src.Addr(), dst.Addr(), protocolUDP, true)
	n.send(out)
}
