package services

import (
	"bufio"
	"net"
	"strings"
	"time"

	"microagent.dev/guest/internal/uplink"
	"microagent.dev/guest/internal/wire"
)

const (
	requestBytesMax = 512
	requestWait     = 30 * time.Second
	writeWait       = 30 * time.Second
)

// serveSecret answers one "GET name" with one line of JSON.
func serveSecret(conn net.Conn, up *uplink.Uplink) {
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(requestWait))
	line, err := bufio.NewReaderSize(conn, requestBytesMax).ReadSlice('\n')
	if err != nil {
		answer(conn, refusal("invalid_request", "Want one line of at most 512 bytes: GET and the name of a secret"))
		return
	}
	name, ok := strings.CutPrefix(strings.TrimRight(string(line), "\r\n"), "GET ")
	if !ok || name == "" || strings.ContainsAny(name, " \t\x00") {
		answer(conn, refusal("invalid_request", "Want one line: GET and the name of a secret"))
		return
	}
	given, err := up.Ask(wire.SecretCall(name))
	switch e := err.(type) {
	case nil:
		answer(conn, wire.OK().Str("value", given.Value).Line())
	case *uplink.Refusal:
		answer(conn, refusal(e.Code, e.Message))
	default:
		answer(conn, refusal("failed", "The host did not answer"))
	}
}

func refusal(code, message string) []byte {
	return wire.NewObject().Bool("ok", false).Str("code", code).Str("error", message).Line()
}

func answer(conn net.Conn, line []byte) {
	_ = conn.SetWriteDeadline(time.Now().Add(writeWait))
	_, _ = conn.Write(line)
}
