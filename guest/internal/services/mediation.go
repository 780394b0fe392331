package services

import (
	"net"

	"microagent.dev/guest/internal/relay"
	"microagent.dev/guest/internal/uplink"
	"microagent.dev/guest/internal/wire"
)

// mediate joins a connection with the host's mediator; without one it is reset.
func mediate(conn *net.TCPConn, up *uplink.Uplink) {
	st, err := up.Call(wire.MediationCall())
	if err != nil {
		_ = conn.SetLinger(0)
		_ = conn.Close()
		return
	}
	relay.Join(conn, st)
}
