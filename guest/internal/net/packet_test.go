package net

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/netip"
	"sync"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"microagent.dev/guest/internal/uplink"
)

func netipPort(port int) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("10.0.2.15"), uint16(port))
}

// ping makes an echo request.
func ping(src, dst string, size int) []byte {
	from, to := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	protocol, kind := byte(protocolICMP), byte(header.ICMPv4Echo)
	if to.Is6() {
		protocol, kind = protocolICMPv6, byte(header.ICMPv6EchoRequest)
	}
	out := ipHeader(from, to, protocol, 8+size)
	body := out[len(out)-8-size:]
	body[0] = kind
	copy(body[4:], []byte{0, 7, 0, 9})
	copy(body[8:], noise(size, 3))
	seal(body, 2, from, to, protocol, to.Is6())
	return out
}

// probe serves a device whose packets the test writes and reads itself.
func probe(t testing.TB, up *uplink.Uplink) (*cable, chan []byte) {
	out := make(chan []byte, 64)
	c := newCable(func(p []byte) {
		select {
		case out <- p:
		default:
		}
	})
	n := Serve(c, &testNetwork, up)
	t.Cleanup(n.Close)
	return c, out
}

func nextPacket(out chan []byte) ([]byte, error) {
	select {
	case p := <-out:
		return p, nil
	case <-time.After(30 * time.Second):
		return nil, errTimeout
	}
}

func TestTheGatewayAnswersPings(t *testing.T) {
	c, out := probe(t, &uplink.Uplink{})
	for _, pair := range [][2]string{{"10.0.2.15", "10.0.2.2"}, {"fd6d:6167:656e:7400::15", "fd6d:6167:656e:7400::2"}} {
		request := ping(pair[0], pair[1], 56)
		c.put(request)
		answer, err := nextPacket(out)
		if err != nil {
			t.Fatal(err)
		}
		p, _ := classify(answer, func(netip.Addr) bool { return false })
		q, _ := classify(request, func(netip.Addr) bool { return false })
		if p.src.String() != pair[1] || p.dst.String() != pair[0] || !bytes.Equal(p.bytes[p.offset+4:], q.bytes[q.offset+4:]) {
			t.Fatal(p)
		}
		sum := uint16(0)
		if p.v6 {
			if kind := p.bytes[p.offset]; kind != byte(header.ICMPv6EchoReply) {
				t.Fatal(kind)
			}
			sum = header.PseudoHeaderChecksum(protocolICMPv6, header.IPv6(answer).SourceAddress(), header.IPv6(answer).DestinationAddress(), uint16(len(p.bytes)-p.offset))
		} else if !header.IPv4(answer).IsChecksumValid() || p.bytes[p.offset] != byte(header.ICMPv4EchoReply) {
			t.Fatal("IP header")
		}
		if got := onesSum(p.bytes[p.offset:], sum); got != 0xffff {
			t.Fatalf("checksum %x", got)
		}
	}
}

func onesSum(b []byte, from uint16) uint16 {
	sum := uint32(from)
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return uint16(sum)
}

func TestOtherPacketsAreRefusedAndTold(t *testing.T) {
	var mu sync.Mutex
	told := map[string]int{}
	up, _ := host(t, func(c *call) {
		mu.Lock()
		told[c.Op+" "+c.Protocol+" "+c.Dst] += c.Count
		mu.Unlock()
		c.ok()
		_ = c.Close()
	})
	c, out := probe(t, up)
	sctp := ipHeader(netip.MustParseAddr("10.0.2.15"), netip.MustParseAddr("8.8.4.4"), 132, 16)
	for _, packet := range [][]byte{ping("10.0.2.15", "8.8.8.8", 8), ping("10.0.2.15", "8.8.8.8", 8), ping("fd6d:6167:656e:7400::15", "2001:db8::1", 8), sctp} {
		c.put(packet)
		answer, err := nextPacket(out)
		if err != nil {
			t.Fatal(err)
		}
		p, _ := classify(answer, func(netip.Addr) bool { return false })
		kind, code := p.bytes[p.offset], p.bytes[p.offset+1]
		if !p.v6 && (kind != 3 || code != 13) || p.v6 && (kind != 1 || code != 1) {
			t.Error(kind, code)
		}
		if !bytes.HasPrefix(packet, p.bytes[p.offset+8:]) {
			t.Error("quotes something else")
		}
	}
	for range 100 {
		mu.Lock()
		ok := told["unmediated icmp 8.8.8.8"] == 2 && told["unmediated icmpv6 2001:db8::1"] == 1 && told["unmediated ip-132 8.8.4.4"] == 1
		mu.Unlock()
		if ok {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal(told)
}

// empty makes a UDP packet with nothing in it.
func empty(src, dst string) []byte {
	from, to := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	out := ipHeader(from, to, protocolUDP, header.UDPMinimumSize)
	body := header.UDP(out[len(out)-header.UDPMinimumSize:])
	body.Encode(&header.UDPFields{SrcPort: 5353, DstPort: 5353, Length: header.UDPMinimumSize})
	seal(body, 6, from, to, protocolUDP, true)
	return out
}

func TestDatagramsToManyAreToldAndNotAnswered(t *testing.T) {
	var mu sync.Mutex
	told := map[string]int{}
	up, _ := host(t, func(c *call) {
		mu.Lock()
		told[c.Op+" "+c.Protocol+" "+c.Dst] += c.Count
		mu.Unlock()
		c.ok()
		_ = c.Close()
	})
	c, out := probe(t, up)
	for range 50 {
		c.put(empty("10.0.2.15", "224.0.0.251"))
	}
	c.put(empty("0.0.0.0", "255.255.255.255"))
	c.put(empty("127.0.0.1", "224.0.0.251"))
	c.put(ping("10.0.2.15", "10.0.2.2", 8))
	answer, err := nextPacket(out)
	if err != nil || answer[20] != byte(header.ICMPv4EchoReply) || len(out) != 0 {
		t.Fatal(answer, err, len(out))
	}
	for range 100 {
		mu.Lock()
		ok := told["unmediated udp-multicast 224.0.0.251"] == 50 && told["unmediated udp-broadcast 255.255.255.255"] == 1
		mu.Unlock()
		if ok {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal(told)
}

func TestADatagramToAGroupHasItsName(t *testing.T) {
	p, what := classify(empty("fd6d:6167:656e:7400::15", "ff02::fb"), func(netip.Addr) bool { return false })
	if what != toGroup || p.name() != "udp-multicast" {
		t.Fatal(what, p.name())
	}
}

func TestAnInterfaceThatIsGoneIsTold(t *testing.T) {
	told := make(chan string, 4)
	up, _ := host(t, func(c *call) {
		told <- c.Op + " " + c.Protocol
		c.ok()
		_ = c.Close()
	})
	n := Serve(newCable(func([]byte) {}), &testNetwork, up)
	_ = n.dev.Close() // as when root in the machine removes it
	select {
	case what := <-told:
		if what != "unmediated interface-gone" {
			t.Fatal(what)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nobody was told")
	}
	again := Serve(newCable(func([]byte) {}), &testNetwork, up)
	again.Close() // as when the network itself ends it
	select {
	case what := <-told:
		t.Fatal(what)
	case <-time.After(200 * time.Millisecond):
	}
}

// Whatever is neither answered nor passed on must not be answered: errors about errors never end.
func TestErrorsAreNotAnswered(t *testing.T) {
	c, out := probe(t, &uplink.Uplink{})
	complaint := unreachable(netip.MustParseAddr("10.0.2.15"), netip.MustParseAddr("8.8.8.8"), make([]byte, 28), portUnreachable)
	for _, packet := range [][]byte{
		complaint, {}, {0x45}, {0x60}, make([]byte, 40), ping("10.0.2.15", "224.0.0.1", 8), ping("10.0.2.15", "255.255.255.255", 8),
		ping("127.0.0.1", "8.8.8.8", 8), ping("0.0.0.0", "8.8.8.8", 8), ping("fe80::1", "ff02::16", 8), ping("10.0.2.15", "10.0.2.2", 8)[:21],
	} {
		c.put(packet)
	}
	c.put(ping("10.0.2.15", "10.0.2.2", 8))
	answer, err := nextPacket(out)
	if err != nil || answer[20] != byte(header.ICMPv4EchoReply) {
		t.Fatal(answer, err)
	}
	if len(out) != 0 {
		t.Fatal(<-out)
	}
}

// segment makes a bare TCP segment.
func segment(flags byte, port uint16) []byte {
	src, dst := netip.MustParseAddr("10.0.2.15"), netip.MustParseAddr("192.0.2.1")
	out := ipHeader(src, dst, protocolTCP, 20)
	body := out[20:]
	binary.BigEndian.PutUint16(body, port)
	binary.BigEndian.PutUint16(body[2:], 80)
	body[12], body[13] = 5<<4, flags
	seal(body, 16, src, dst, protocolTCP, true)
	return out
}

func fragment(packet []byte, offset, size int, more bool) []byte {
	body := packet[20:]
	out := append(append([]byte{}, packet[:20]...), body[offset:offset+size]...)
	ip := header.IPv4(out)
	ip.SetTotalLength(uint16(len(out)))
	flags := uint8(0)
	if more {
		flags = header.IPv4FlagMoreFragments
	}
	ip.SetFlagsFragmentOffset(flags, uint16(offset))
	ip.SetChecksum(0)
	ip.SetChecksum(^ip.CalculateChecksum())
	return out
}

// FuzzPackets feeds packets one after the other, separated by their lengths, to a network with a host
// that refuses everything.
func FuzzPackets(f *testing.F) {
	list := func(packets ...[]byte) (all []byte) {
		for _, p := range packets {
			all = binary.BigEndian.AppendUint16(all, uint16(len(p)))
			all = append(all, p...)
		}
		return all
	}
	udp := datagramTo("1.1.1.1", 123, 32)
	six := ipHeader(netip.MustParseAddr("fd6d:6167:656e:7400::15"), netip.MustParseAddr("2001:db8::1"), fragmentHeader, 28)
	six[40] = protocolUDP
	f.Add(list(ping("10.0.2.15", "10.0.2.2", 8), ping("10.0.2.15", "8.8.8.8", 100), ping("fd6d:6167:656e:7400::15", "2001:db8::1", 8)))
	f.Add(list(segment(2, 1), segment(2, 1), segment(0x10, 1), segment(4, 1), segment(0x3f, 2)))
	f.Add(list(udp, datagramTo("1.1.1.1", 53, 32), udp[:27], udp[:21], udp[:20]))
	f.Add(list(fragment(udp, 0, 16, true), fragment(udp, 16, 24, false)))
	f.Add(list(fragment(udp, 0, 24, true), fragment(udp, 8, 16, true), fragment(udp, 16, 24, false)))
	f.Add(list(fragment(segment(2, 3), 0, 8, true), fragment(segment(2, 3), 8, 12, false)))
	f.Add(list(six, six[:44], six[:40]))
	f.Add(list([]byte{0x4f, 0, 0, 20}, make([]byte, 60), bytes.Repeat([]byte{0x45}, 80), bytes.Repeat([]byte{0x60}, 80)))
	up, _ := host(f, func(c *call) { c.refuse("refused") })
	f.Fuzz(func(t *testing.T, text []byte) {
		answered := make(chan bool, 1024)
		want := ping("10.0.2.2", "10.0.2.15", 77)
		c := newCable(func(p []byte) {
			select {
			case answered <- len(p) == len(want) && bytes.Equal(p[24:], want[24:]):
			default:
			}
		})
		n := Serve(c, &testNetwork, up)
		in := bytes.NewReader(text)
		for {
			var length [2]byte
			if _, err := io.ReadFull(in, length[:]); err != nil {
				break
			}
			packet := make([]byte, min(int(binary.BigEndian.Uint16(length[:])), in.Len()))
			_, _ = io.ReadFull(in, packet)
			c.put(packet)
		}
		// Whatever that was, a ping is still answered.
		c.put(ping("10.0.2.15", "10.0.2.2", 77))
		for !<-answered {
		}
		n.Close()
	})
}
