package net

import (
	"net/netip"
	"sync"
	"time"

	"microagent.dev/guest/internal/uplink"
	"microagent.dev/guest/internal/wire"
)

// noticeEvery is the least time between two notices of one protocol.
const noticeEvery = time.Second

// notices tells the host of packets that no stream can carry, seldom.
type notices struct {
	up *uplink.Uplink
	mu sync.Mutex
	by map[string]*notice
}

type notice struct {
	dst   netip.Addr
	count int
}

func (n *notices) add(protocol string, dst netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if have := n.by[protocol]; have != nil {
		have.dst = dst
		have.count++
		return
	}
	if n.by == nil {
		n.by = map[string]*notice{}
	}
	n.by[protocol] = &notice{}
	go n.tell(protocol, notice{dst, 1})
}

// tell sends a notice and, as long as there was more meanwhile, another one.
func (n *notices) tell(protocol string, what notice) {
	for {
		_, _ = n.up.Ask(wire.UnmediatedCall(protocol, what.dst, what.count))
		time.Sleep(noticeEvery)
		n.mu.Lock()
		what = *n.by[protocol]
		if what.count == 0 {
			delete(n.by, protocol)
			n.mu.Unlock()
			return
		}
		n.by[protocol].count = 0
		n.mu.Unlock()
	}
}
