package framing

import (
	"sync"

	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/wire"
)

// Sender serialises frames that several goroutines write to one stream.
type Sender struct {
	mu sync.Mutex
	st *mux.Stream
}

// NewSender writes to st.
func NewSender(st *mux.Stream) *Sender { return &Sender{st: st} }

// Frame sends buf[Headroom:Headroom+n] as one frame; buf is scratch afterwards.
func (s *Sender) Frame(kind wire.Kind, buf []byte, n int, end bool) error {
	wire.PutFrameHeader(buf[mux.HeaderBytes:], kind, n)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.Send(buf[:Headroom+n], end)
}

// Last sends a small payload as the stream's last frame.
func (s *Sender) Last(kind wire.Kind, payload []byte) error {
	buf := make([]byte, Headroom+len(payload), Headroom+len(payload)+mux.HeaderBytes)
	copy(buf[Headroom:], payload)
	return s.Frame(kind, buf, len(payload), true)
}
