package server

import (
	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/wire"
)

func (s *Server) disturb(st *mux.Stream, d *wire.Disturb) {
	defer st.Release()
	s.setup.Lock()
	defer s.setup.Unlock()
	if failure := s.machine.Disturb(d); failure != nil {
		refuse(st, failure)
		return
	}
	_ = st.SendLine(wire.OK().Line(), true)
}
