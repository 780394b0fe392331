package net

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"testing"

	"github.com/hashicorp/yamux"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"microagent.dev/guest/internal/testclient"
	"microagent.dev/guest/internal/testhost"
	"microagent.dev/guest/internal/uplink"
	"microagent.dev/guest/internal/wire"
)

var testNetwork = wire.Network{
	Interface: "eth0", MTU: 65520,
	IPv4: wire.Addressing{Address: netip.MustParsePrefix("10.0.2.15/24"), Gateway: netip.MustParseAddr("10.0.2.2")},
	IPv6: wire.Addressing{Address: netip.MustParsePrefix("fd6d:6167:656e:7400::15/64"), Gateway: netip.MustParseAddr("fd6d:6167:656e:7400::2")},
}

// cable is a device whose other end the test holds.
type cable struct {
	toUs   chan []byte
	toThem func([]byte)
	once   sync.Once
	cut    chan struct{}
}

func newCable(toThem func([]byte)) *cable {
	return &cable{toUs: make(chan []byte, 64), toThem: toThem, cut: make(chan struct{})}
}

func (c *cable) Read(p []byte) (int, error) {
	select {
	case packet := <-c.toUs:
		return headerBytes + copy(p[headerBytes:], packet), nil
	case <-c.cut:
		return 0, io.EOF
	}
}

func (c *cable) Write(parts [][]byte) error {
	c.toThem(join(parts)[headerBytes:])
	return nil
}

func (c *cable) Close() error {
	c.once.Do(func() { close(c.cut) })
	return nil
}

func (c *cable) put(packet []byte) {
	select {
	case c.toUs <- packet:
	case <-c.cut:
	}
}

// call is one stream the guest opened, before it is answered.
type call struct {
	*yamux.Stream
	in *bufio.Reader
	Op string
	// Fields of the line.
	Dst       string
	Port      int
	SrcPort   int `json:"src_port"`
	Protocol  string
	Count     int
	Transport string
	Name      string
}

func (c *call) Read(p []byte) (int, error) { return c.in.Read(p) }
func (c *call) ok()                        { _, _ = io.WriteString(c.Stream, "{\"ok\":true}\n") }
func (c *call) refuse(code string) {
	_, _ = fmt.Fprintf(c.Stream, "{\"ok\":false,\"code\":%q,\"message\":\"No\"}\n", code)
	_ = c.Close()
}

// host answers calls with handle.
func host(t testing.TB, handle func(*call)) (*uplink.Uplink, *yamux.Session) {
	t.Helper()
	return testhost.Uplink(t, func(st *testclient.Stream, line []byte) {
		c := &call{Stream: st.Stream, in: st.In}
		if json.Unmarshal(line, c) != nil {
			_ = st.Close()
			return
		}
		handle(c)
	})
}

// machine is the guest's kernel: a second stack at the other end of the cable.
type machine struct {
	stack *stack.Stack
	net   *Network
	cable *cable
}

func newMachine(t testing.TB, up *uplink.Uplink) *machine {
	t.Helper()
	ep := channel.New(1024, 65520, "")
	ep.LinkEPCapabilities = stack.CapabilityRXChecksumOffload
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6},
	})
	if err := s.CreateNIC(1, ep); err != nil {
		t.Fatal(err)
	}
	for _, p := range []struct {
		number tcpip.NetworkProtocolNumber
		prefix netip.Prefix
	}{{ipv4.ProtocolNumber, testNetwork.IPv4.Address}, {ipv6.ProtocolNumber, testNetwork.IPv6.Address}} {
		address := tcpip.ProtocolAddress{Protocol: p.number, AddressWithPrefix: tcpip.AddressWithPrefix{
			Address: tcpip.AddrFromSlice(p.prefix.Addr().AsSlice()), PrefixLen: p.prefix.Bits(),
		}}
		if err := s.AddProtocolAddress(1, address, stack.AddressProperties{}); err != nil {
			t.Fatal(err)
		}
	}
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: 1}, {Destination: header.IPv6EmptySubnet, NIC: 1}})
	m := &machine{stack: s}
	m.cable = newCable(func(packet []byte) {
		number := ipv4.ProtocolNumber
		if packet[0]>>4 == 6 {
			number = ipv6.ProtocolNumber
		}
		pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(packet)})
		ep.InjectInbound(number, pkt)
		pkt.DecRef()
	})
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		for {
			pkt := ep.ReadContext(ctx)
			if pkt == nil {
				return
			}
			m.cable.put(pkt.ToView().AsSlice())
			pkt.DecRef()
		}
	}()
	m.net = Serve(m.cable, &testNetwork, up)
	t.Cleanup(func() {
		s.Close()
		m.net.Close()
		stop()
	})
	return m
}

func full(address string) (tcpip.FullAddress, tcpip.NetworkProtocolNumber) {
	a := netip.MustParseAddrPort(address)
	number := ipv4.ProtocolNumber
	if a.Addr().Is6() {
		number = ipv6.ProtocolNumber
	}
	return tcpip.FullAddress{NIC: 1, Addr: tcpip.AddrFromSlice(a.Addr().AsSlice()), Port: a.Port()}, number
}

var errTimeout = errors.New("nothing came")
