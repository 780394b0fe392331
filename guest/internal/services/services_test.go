package services

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/yamux"

	"microagent.dev/guest/internal/testclient"
	"microagent.dev/guest/internal/testhost"
	"microagent.dev/guest/internal/uplink"
)

// host answers secret calls and echoes what comes over mediation.
func host(t *testing.T) (*uplink.Uplink, *yamux.Session) {
	return testhost.Uplink(t, func(st *testclient.Stream, line []byte) {
		switch {
		case strings.Contains(string(line), `"TOKEN"`):
			_, _ = io.WriteString(st, `{"ok":true,"value":"c2VjcmV0"}`+"\n")
		case strings.Contains(string(line), "mediation"):
			_, _ = io.WriteString(st, "{\"ok\":true}\n")
			_, _ = io.Copy(st, st.In)
		default:
			_, _ = io.WriteString(st, `{"ok":false,"code":"denied","message":"No such secret"}`+"\n")
		}
		_ = st.Close()
	})
}

func TestSecretsSocket(t *testing.T) {
	up, session := host(t)
	path := filepath.Join(t.TempDir(), "api.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	listener, err := l.(*net.UnixListener).File()
	if err != nil {
		t.Fatal(err)
	}
	if err := Serve(listener, nil, up); err != nil {
		t.Fatal(err)
	}
	ask := func(line string) string {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, line)
		all, _ := io.ReadAll(conn)
		return string(all)
	}
	if got := ask("GET TOKEN\n"); got != `{"ok":true,"value":"c2VjcmV0"}`+"\n" {
		t.Error(got)
	}
	if got := ask("GET OTHER\n"); got != `{"ok":false,"code":"denied","error":"No such secret"}`+"\n" {
		t.Error(got)
	}
	for _, line := range []string{"\n", "GET \n", "PUT x\n", "GET a b\n", strings.Repeat("x", 5000)} {
		if got := ask(line); !strings.HasPrefix(got, `{"ok":false,"code":"invalid_request"`) && got != "" {
			t.Errorf("%.20q: %s", line, got)
		}
	}
	session.Close()
	if got := ask("GET TOKEN\n"); !strings.HasPrefix(got, `{"ok":false,"code":"failed"`) {
		t.Error(got)
	}
}

func TestMediation(t *testing.T) {
	up, session := host(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	listener, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	if err := Serve(nil, listener, up); err != nil {
		t.Fatal(err)
	}
	dial := func() *net.TCPConn {
		conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", port))
		if err != nil {
			t.Fatal(err)
		}
		return conn.(*net.TCPConn)
	}
	conn := dial()
	_, _ = io.WriteString(conn, "work")
	_ = conn.CloseWrite()
	if all, err := io.ReadAll(conn); string(all) != "work" || err != nil {
		t.Fatal(string(all), err)
	}
	session.Close()
	// The reset may come before the dial has looked whether it was let in.
	after, err := net.Dial("tcp", l.Addr().String())
	if err == nil {
		_, err = io.ReadAll(after)
	}
	if err == nil {
		t.Fatal("no reset")
	}
}
