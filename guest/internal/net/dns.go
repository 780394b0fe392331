package net

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"microagent.dev/guest/internal/fault"
	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/wire"
)

const (
	dnsPort = 53
	// questionsMax bounds the questions on their way; more are answered with a failure at once.
	questionsMax = 256
	dnsWait      = 30 * time.Second

	dnsHeaderBytes = 12
	dnsServerFail  = 2
)

// question asks the host what a datagram to port 53 asks, whoever it was sent to.
func (n *Network) question(key udpKey, pkt *stack.PacketBuffer) {
	frame := datagram(pkt)
	if n.questions.Add(1) > questionsMax {
		n.questions.Add(-1)
		n.failQuestion(key, frame[mux.HeaderBytes+2:])
		return
	}
	go func() {
		defer n.questions.Add(-1)
		defer fault.Recover("a name query")
		query := append([]byte(nil), frame[mux.HeaderBytes+2:]...)
		answer, err := n.resolve(key, frame)
		if err != nil {
			n.failQuestion(key, query)
			return
		}
		n.sendUDP(key.dst, key.src, answer)
	}()
}

func (n *Network) resolve(key udpKey, frame []byte) ([]byte, error) {
	st, err := n.up.Call(wire.DNSCall(key.dst.Addr()))
	if err != nil {
		return nil, err
	}
	limit := time.AfterFunc(dnsWait, st.Reset)
	defer limit.Stop()
	defer st.Release()
	if err := st.Send(frame, true); err != nil {
		return nil, err
	}
	return readDatagram(st)
}

// failQuestion answers SERVFAIL, so that a resolver need not wait for nothing.
func (n *Network) failQuestion(key udpKey, query []byte) {
	if len(query) < dnsHeaderBytes || query[2]&0x80 != 0 {
		return
	}
	answer := append([]byte(nil), query...)
	answer[2] |= 0x80
	answer[3] = answer[3]&0xf0 | dnsServerFail
	n.sendUDP(key.dst, key.src, answer)
}
