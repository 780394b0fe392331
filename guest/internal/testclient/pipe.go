package testclient

import (
	"bufio"
	"io"
	"net"
	"testing"

	"github.com/hashicorp/yamux"
)

// Pipe gives a byte stream and the host at its other end, without a handshake.
func Pipe(t testing.TB) (ours net.Conn, host *yamux.Session) {
	t.Helper()
	ours, theirs := net.Pipe()
	cfg := config()
	cfg.AcceptBacklog = 2048
	host, err := yamux.Client(theirs, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		host.Close()
		ours.Close()
	})
	return ours, host
}

func config() *yamux.Config {
	cfg := yamux.DefaultConfig()
	cfg.EnableKeepAlive = false
	cfg.LogOutput = io.Discard
	return cfg
}

// Answer serves every stream that the machine opens, each in a goroutine of its own, with its first line.
func Answer(host *yamux.Session, serve func(st *Stream, line []byte)) {
	for {
		st, err := host.AcceptStream()
		if err != nil {
			return
		}
		go func() {
			in := bufio.NewReaderSize(st, 64<<10)
			line, err := in.ReadBytes('\n')
			if err != nil {
				_ = st.Close()
				return
			}
			serve(&Stream{st, in}, line)
		}()
	}
}
