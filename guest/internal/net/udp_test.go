package net

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
)

func (m *machine) dialUDP(t *testing.T, address string) *gonet.UDPConn {
	t.Helper()
	to, number := full(address)
	conn, err := gonet.DialUDP(m.stack, nil, &to, number)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	t.Cleanup(func() { conn.Close() })
	return conn
}

func readOne(c *call) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(c, length[:]); err != nil {
		return nil, err
	}
	payload := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(c, payload)
	return payload, err
}

func writeOne(c *call, payload []byte) {
	_, _ = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(payload))), payload...))
}

func echoDatagrams(c *call) {
	c.ok()
	for {
		payload, err := readOne(c)
		if err != nil {
			_ = c.Close()
			return
		}
		writeOne(c, bytes.ToUpper(payload))
	}
}

func TestUDPCarriesDatagrams(t *testing.T) {
	ops := make(chan string, 10)
	up, _ := host(t, func(c *call) { ops <- c.Op + " " + c.Dst; echoDatagrams(c) })
	m := newMachine(t, up)
	for _, dst := range []string{"1.1.1.1", "2606:4700::1111"} {
		address := dst + ":123"
		if strings.Contains(dst, ":") {
			address = "[" + dst + "]:123"
		}
		conn := m.dialUDP(t, address)
		for _, payload := range []string{"a", "", strings.Repeat("b", 60_000), "c"} {
			if _, err := conn.Write([]byte(payload)); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 65536)
			n, err := conn.Read(buf)
			if err != nil || string(buf[:n]) != strings.ToUpper(payload) {
				t.Fatal(n, err)
			}
		}
		if op := <-ops; op != "udp "+dst || len(ops) != 0 {
			t.Fatal(op, len(ops))
		}
	}
}

func TestUDPRefusedIsSaidByICMP(t *testing.T) {
	up, _ := host(t, func(c *call) { c.refuse("denied") })
	c, out := probe(t, up)
	for _, dst := range []string{"1.1.1.1", "2606:4700::1111"} {
		packet := datagramTo(dst, 123, 40)
		c.put(packet)
		answer, err := nextPacket(out)
		if err != nil {
			t.Fatal(err)
		}
		p, _ := classify(answer, func(netip.Addr) bool { return false })
		kind, code := p.bytes[p.offset], p.bytes[p.offset+1]
		if !p.v6 && (kind != 3 || code != 3) || p.v6 && (kind != 1 || code != 4) || !bytes.HasPrefix(packet, p.bytes[p.offset+8:]) {
			t.Fatalf("%x", answer)
		}
	}
}

// datagramTo makes a UDP packet with that many bytes behind its header.
func datagramTo(dst string, port uint16, size int) []byte {
	to, from := netip.MustParseAddr(dst), testNetwork.IPv4.Address.Addr()
	if to.Is6() {
		from = testNetwork.IPv6.Address.Addr()
	}
	out := ipHeader(from, to, protocolUDP, 8+size)
	body := out[len(out)-8-size:]
	binary.BigEndian.PutUint16(body, 4000)
	binary.BigEndian.PutUint16(body[2:], port)
	binary.BigEndian.PutUint16(body[4:], uint16(8+size))
	return out
}

func TestUDPFlowsAreBounded(t *testing.T) {
	up, _ := host(t, echoDatagrams)
	m := newMachine(t, up)
	m.net.mu.Lock()
	for port := range udpFlowsMax {
		f := &udpFlow{n: m.net, used: time.Now().Add(-time.Duration(port) * time.Second)}
		f.wake.L = &f.mu
		f.key.src = netipPort(port)
		m.net.udp[f.key] = f
	}
	m.net.mu.Unlock()
	conn := m.dialUDP(t, "1.1.1.1:123")
	_, _ = conn.Write([]byte("x"))
	if n, err := conn.Read(make([]byte, 10)); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	m.net.mu.Lock()
	defer m.net.mu.Unlock()
	if _, there := m.net.udp[udpKey{src: netipPort(udpFlowsMax - 1)}]; there || len(m.net.udp) > udpFlowsMax {
		t.Fatal(there, len(m.net.udp))
	}
}

func TestDNSIsOneCallPerQuestion(t *testing.T) {
	up, _ := host(t, func(c *call) {
		if c.Op != "dns" || c.Transport != "udp" {
			c.refuse("failed")
			return
		}
		c.ok()
		question, err := readOne(c)
		if _, more := c.in.Peek(1); err != nil || more != io.EOF {
			t.Error(err, more)
		}
		writeOne(c, append(question, "answer from "+c.Dst...))
		_ = c.Close()
	})
	m := newMachine(t, up)
	conn := m.dialUDP(t, "8.8.8.8:53")
	for _, question := range []string{"one", "two"} {
		_, _ = conn.Write([]byte(question))
		buf := make([]byte, 512)
		n, err := conn.Read(buf)
		if err != nil || string(buf[:n]) != question+"answer from 8.8.8.8" {
			t.Fatal(string(buf[:n]), err)
		}
	}
}

func TestDNSFailureIsAnAnswer(t *testing.T) {
	up, _ := host(t, func(c *call) { c.refuse("failed") })
	m := newMachine(t, up)
	conn := m.dialUDP(t, "10.0.2.3:53")
	query := []byte{1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1}
	_, _ = conn.Write(query)
	buf := make([]byte, 512)
	n, err := conn.Read(buf)
	if err != nil || n != len(query) || buf[0] != 1 || buf[1] != 2 || buf[2] != 0x81 || buf[3]&15 != dnsServerFail {
		t.Fatal(buf[:n], err)
	}
}
