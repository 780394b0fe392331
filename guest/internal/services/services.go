// Package services serves sockets of the machine with what the host has: secrets and mediation.
package services

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"microagent.dev/guest/internal/fault"
	"microagent.dev/guest/internal/uplink"
)

// connectionsMax bounds what one listener serves at once; more wait to be accepted.
const connectionsMax = 128

// Serve takes over listening sockets, for secrets and for mediation; nil where there is none. It does not
// return before they are being served.
func Serve(secrets, mediation *os.File, up *uplink.Uplink) error {
	if secrets != nil {
		l, err := net.FileListener(secrets)
		if err != nil {
			return err
		}
		serve(l, func(conn net.Conn) { serveSecret(conn, up) })
	}
	if mediation != nil {
		l, err := net.FileListener(mediation)
		if err != nil {
			return err
		}
		serve(l, func(conn net.Conn) { mediate(conn.(*net.TCPConn), up) })
	}
	return nil
}

// acceptPause keeps a listener without descriptors from turning in circles.
const acceptPause = 20 * time.Millisecond

func serve(l net.Listener, handle func(net.Conn)) {
	room := make(chan struct{}, connectionsMax)
	var closed atomic.Bool
	go func() {
		defer fault.Recover("a listener")
		for !closed.Load() {
			room <- struct{}{}
			conn, err := l.Accept()
			if err != nil {
				<-room
				closed.Store(errors.Is(err, net.ErrClosed))
				time.Sleep(acceptPause)
				continue
			}
			go func() {
				defer func() { <-room }()
				defer fault.Recover("a service")
				handle(conn)
			}()
		}
	}()
}
