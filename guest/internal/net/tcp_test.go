package net

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
)

func (m *machine) dial(address string) (*gonet.TCPConn, error) {
	to, number := full(address)
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	return gonet.DialContextTCP(ctx, m.stack, to, number)
}

func echoCalls(c *call) {
	c.ok()
	_, _ = io.Copy(c.Stream, c)
	_ = c.Close()
}

func noise(size int, seed byte) []byte {
	out := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(out)
	return out
}

func TestTCPCarriesBytesBothWays(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]int{}
	up, _ := host(t, func(c *call) {
		mu.Lock()
		asked[fmt.Sprint(c.Op, " ", c.Dst, " ", c.Port)]++
		mu.Unlock()
		echoCalls(c)
	})
	m := newMachine(t, up)
	for _, address := range []string{"93.184.216.34:443", "[2606:2800:220:1::1]:80"} {
		conn, err := m.dial(address)
		if err != nil {
			t.Fatal(err)
		}
		want := noise(20<<20, 1)
		go func() {
			_, _ = conn.Write(want)
			_ = conn.CloseWrite()
		}()
		have, err := io.ReadAll(conn)
		if err != nil || sha256.Sum256(have) != sha256.Sum256(want) {
			t.Fatal(len(have), err)
		}
		conn.Close()
	}
	if asked["tcp 93.184.216.34 443"] != 1 || asked["tcp 2606:2800:220:1::1 80"] != 1 {
		t.Fatal(asked)
	}
	m.quiet(t)
}

// quiet waits until nothing is open.
func (m *machine) quiet(t testing.TB) {
	t.Helper()
	for range 2000 {
		m.net.mu.Lock()
		open := len(m.net.conns) + len(m.net.pending)
		m.net.mu.Unlock()
		if open == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("connections are left")
}

func TestRefusalsAreSeenAtOnce(t *testing.T) {
	codes := map[int]string{1: "denied", 2: "refused", 3: "limit", 4: "unsupported"}
	up, _ := host(t, func(c *call) { c.refuse(codes[c.Port]) })
	m := newMachine(t, up)
	for _, dst := range []string{"192.0.2.1", "[2001:db8::1]"} {
		for port, code := range codes {
			_, err := m.dial(fmt.Sprintf("%s:%d", dst, port))
			if err == nil || !strings.Contains(err.Error(), "connection was refused") {
				t.Errorf("%s: %v", code, err)
			}
		}
	}
	m.quiet(t)
}

func TestUnreachableIsSaidByICMP(t *testing.T) {
	codes := []string{"unreachable", "timed_out", "failed"}
	next := make(chan string, 1)
	up, _ := host(t, func(c *call) { c.refuse(<-next) })
	c, out := probe(t, up)
	for i, code := range codes {
		next <- code
		syn := segment(2, uint16(4000+i))
		c.put(syn)
		answer, err := nextPacket(out)
		if err != nil {
			t.Fatal(err)
		}
		p, _ := classify(answer, func(netip.Addr) bool { return false })
		if p.protocol != protocolICMP || p.bytes[20] != 3 || p.bytes[21] != 1 || !bytes.Equal(p.bytes[28:], syn) {
			t.Fatalf("%s: %x", code, answer)
		}
	}
}

func TestHalfCloseEitherWay(t *testing.T) {
	up, _ := host(t, func(c *call) {
		c.ok()
		if c.Port == 1 { // the host ends first
			_, _ = io.WriteString(c.Stream, "bye")
			_ = c.Close()
			_, _ = io.Copy(io.Discard, c)
			return
		}
		all, _ := io.ReadAll(c)
		_, _ = c.Write(bytes.ToUpper(all))
		_ = c.Close()
	})
	m := newMachine(t, up)
	conn, err := m.dial("192.0.2.1:1")
	if err != nil {
		t.Fatal(err)
	}
	if all, err := io.ReadAll(conn); string(all) != "bye" || err != nil {
		t.Fatal(string(all), err)
	}
	if _, err := conn.Write([]byte("still here")); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if conn, err = m.dial("192.0.2.1:2"); err != nil {
		t.Fatal(err)
	}
	_, _ = conn.Write([]byte("question"))
	_ = conn.CloseWrite()
	if all, err := io.ReadAll(conn); string(all) != "QUESTION" || err != nil {
		t.Fatal(string(all), err)
	}
	conn.Close()
	m.quiet(t)
}

func TestResetEitherWay(t *testing.T) {
	hostSaw := make(chan error, 1)
	up, session := host(t, func(c *call) {
		c.ok()
		for {
			if _, err := c.Read(make([]byte, 100)); err != nil {
				hostSaw <- err
				return
			}
		}
	})
	m := newMachine(t, up)
	conn, err := m.dial("192.0.2.1:1")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = conn.Write([]byte("x"))
	// The machine's stack resets all it has.
	for _, ep := range m.stack.RegisteredEndpoints() {
		ep.Abort()
	}
	if err := <-hostSaw; err == nil || err == io.EOF {
		t.Fatal(err)
	}
	if conn, err = m.dial("192.0.2.1:1"); err != nil {
		t.Fatal(err)
	}
	session.Close()
	if _, err := conn.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "reset") {
		t.Fatal(err)
	}
	m.quiet(t)
	// Without a host a connection is refused.
	if _, err := m.dial("192.0.2.1:1"); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Fatal(err)
	}
}

func TestResetAfterHalfClose(t *testing.T) {
	hostSaw := make(chan error, 1)
	up, _ := host(t, func(c *call) {
		c.ok()
		_ = c.Close()
		_, err := io.Copy(io.Discard, c)
		hostSaw <- err
	})
	m := newMachine(t, up)
	conn, err := m.dial("192.0.2.1:1")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadAll(conn)
	for _, ep := range m.stack.RegisteredEndpoints() {
		ep.Abort()
	}
	if err := <-hostSaw; err == nil {
		t.Fatal("a reset looks like an end")
	}
	m.quiet(t)
}

// A process that does not read stops the host, not the agent's memory.
func TestSlowReaderHoldsTheHost(t *testing.T) {
	sent := make(chan int, 1)
	up, _ := host(t, func(c *call) {
		c.ok()
		_ = c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
		total := 0
		for {
			n, err := c.Write(make([]byte, 32<<10))
			total += n
			if err != nil {
				sent <- total
				return
			}
		}
	})
	m := newMachine(t, up)
	conn, err := m.dial("192.0.2.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if total := <-sent; total > 8<<20 {
		t.Fatal(total)
	}
}

func TestManyConnections(t *testing.T) {
	up, _ := host(t, echoCalls)
	m := newMachine(t, up)
	var wg sync.WaitGroup
	for worker := range 100 {
		wg.Go(func() {
			for round := range 5 {
				conn, err := m.dial("192.0.2.1:1")
				if err != nil {
					t.Error(err)
					return
				}
				want := noise(30_000, byte(worker*5+round))
				go func() {
					_, _ = conn.Write(want)
					_ = conn.CloseWrite()
				}()
				if have, err := io.ReadAll(conn); err != nil || !bytes.Equal(have, want) {
					t.Error(len(have), err)
				}
				conn.Close()
			}
		})
	}
	wg.Wait()
	m.quiet(t)
}

func TestConnectionsAreBounded(t *testing.T) {
	up, _ := host(t, func(c *call) { c.ok(); _, _ = io.Copy(io.Discard, c); c.Close() })
	m := newMachine(t, up)
	var open []*gonet.TCPConn
	for range connectionsMax {
		conn, err := m.dial("192.0.2.1:1")
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, conn)
	}
	if _, err := m.dial("192.0.2.1:1"); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Fatal(err)
	}
	for _, conn := range open {
		conn.Close()
	}
	m.quiet(t)
	conn, err := m.dial("192.0.2.1:1")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestReset(t *testing.T) {
	up, _ := host(t, echoCalls)
	m := newMachine(t, up)
	conn, err := m.dial("192.0.2.1:1")
	if err != nil {
		t.Fatal(err)
	}
	m.net.Reset()
	if _, err := conn.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "reset") {
		t.Fatal(err)
	}
	m.quiet(t)
	if conn, err = m.dial("192.0.2.1:1"); err != nil {
		t.Fatal(err)
	}
	conn.Close()
}
