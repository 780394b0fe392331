package relay

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/hashicorp/yamux"

	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/testclient"
	"microagent.dev/guest/internal/wire"
)

// reach opens a stream of the host that asks for a port.
func reach(t *testing.T, port int) *yamux.Stream {
	t.Helper()
	ours, client := testclient.Pipe(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = mux.NewSession(mux.NewReader(ours), ours, func(st *mux.Stream) { Connect(st, &wire.Connect{Port: port}, nil) }).Serve()
	}()
	t.Cleanup(func() {
		client.Close()
		ours.Close()
		<-done
	})
	st, err := client.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func listen(t *testing.T, address string, serve func(*net.TCPConn)) int {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn.(*net.TCPConn))
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func TestConnectCarriesBytesAndHalfClose(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		port := listen(t, address, func(conn *net.TCPConn) {
			all, _ := io.ReadAll(conn)
			_, _ = conn.Write(bytes.ToUpper(all))
			_ = conn.Close()
		})
		st := reach(t, port)
		text := strings.Repeat("abc", 500_000)
		go func() {
			_, _ = io.WriteString(st, text)
			_ = st.Close()
		}()
		all, err := io.ReadAll(st)
		if err != nil || string(all) != "{\"ok\":true}\n"+strings.ToUpper(text) {
			t.Fatal(len(all), err)
		}
	}
}

func TestConnectRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	all, err := io.ReadAll(reach(t, port))
	if err != nil || !strings.Contains(string(all), `"code":"refused"`) {
		t.Fatal(string(all), err)
	}
}

func TestResetReachesBothSides(t *testing.T) {
	saw := make(chan error, 1)
	port := listen(t, "127.0.0.1:0", func(conn *net.TCPConn) {
		_, err := io.Copy(io.Discard, conn)
		saw <- err
	})
	st := reach(t, port)
	if _, err := st.Read(make([]byte, 12)); err != nil {
		t.Fatal(err)
	}
	st.Session().Close()
	if err := <-saw; err == nil {
		t.Fatal("the end of the session looks like an end")
	}
	port = listen(t, "127.0.0.1:0", func(conn *net.TCPConn) {
		// Only now is the other side sure to have been let in.
		_, _ = conn.Read(make([]byte, 1))
		_ = conn.SetLinger(0)
		_ = conn.Close()
	})
	st = reach(t, port)
	_, _ = st.Write([]byte("x"))
	if _, err := io.ReadAll(st); err == nil {
		t.Fatal("a reset looks like an end")
	}
}
