// Package testhost is a host for tests of what asks it.
package testhost

import (
	"testing"

	"github.com/hashicorp/yamux"

	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/testclient"
	"microagent.dev/guest/internal/uplink"
)

// Uplink gives an uplink whose host serves every call, and the host's session.
func Uplink(t testing.TB, serve func(st *testclient.Stream, line []byte)) (*uplink.Uplink, *yamux.Session) {
	t.Helper()
	ours, host := testclient.Pipe(t)
	session := mux.NewSession(mux.NewReader(ours), ours, (*mux.Stream).Release)
	up := &uplink.Uplink{}
	up.Attach(session)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = session.Serve()
		up.Detach()
		ours.Close()
	}()
	t.Cleanup(func() {
		host.Close()
		<-done
	})
	go testclient.Answer(host, serve)
	return up, host
}
