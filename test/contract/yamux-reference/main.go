// A peer for the host's yamux session made of the published reference implementation: it answers
// the handshake, then serves streams whose first line says what to do with the rest.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/yamux"
)

type link struct {
	io.Reader
	io.Writer
}

func (link) Close() error { os.Exit(0); return nil }

func main() {
	in := bufio.NewReaderSize(os.Stdin, 64<<10)
	line, err := in.ReadString('\n')
	if err != nil {
		os.Exit(1)
	}
	var host struct {
		Session string `json:"session"`
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "MICROAGENT ")), &host); err != nil {
		os.Exit(1)
	}
	fmt.Printf("MICROAGENT {\"v\":1,\"session\":%q,\"agent\":\"reference\",\"kernel\":\"none\",\"arch\":\"none\",\"uptime_ms\":0}\n", host.Session)

	config := yamux.DefaultConfig()
	config.EnableKeepAlive = false
	config.ConnectionWriteTimeout = time.Hour
	config.LogOutput = io.Discard
	session, err := yamux.Server(link{in, os.Stdout}, config)
	if err != nil {
		os.Exit(1)
	}
	for {
		stream, err := session.AcceptStream()
		if err != nil {
			return
		}
		go serve(session, stream)
	}
}

func serve(session *yamux.Session, stream *yamux.Stream) {
	defer stream.Close()
	in := bufio.NewReader(stream)
	line, _ := in.ReadString('\n')
	var size int64
	_, _ = fmt.Sscanf(line, "source %d", &size)
	switch strings.Fields(line + " ?")[0] {
	case "echo":
		_, _ = io.Copy(stream, in)
	case "sink":
		n, _ := io.Copy(io.Discard, in)
		_, _ = fmt.Fprintf(stream, "%d\n", n)
	case "source":
		_, _ = io.CopyN(stream, zeros{}, size)
	case "open": // A stream of the guest's own, which the host refuses.
		other, err := session.OpenStream()
		if err == nil {
			_, err = other.Read(make([]byte, 1))
		}
		_, _ = fmt.Fprintf(stream, "%v\n", err)
	case "ping":
		_, err := session.Ping()
		_, _ = fmt.Fprintf(stream, "%v\n", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
