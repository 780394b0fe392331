package server

import (
	"microagent.dev/guest/internal/exec"
	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/wire"
)

// quiesce prepares the machine for being saved. What runs is kept for the sessions of the machines that
// are started from it.
func (s *Server) quiesce(st *mux.Stream) {
	defer st.Release()
	s.setup.Lock()
	defer s.setup.Unlock()
	if !s.configured.Load() {
		refuse(st, wire.Fail(wire.NotConfigured, "The machine is not configured yet"))
		return
	}
	s.quiesced.Store(true)
	if failure := s.machine.Quiesce(); failure != nil {
		s.quiesced.Store(false)
		refuse(st, failure)
		return
	}
	exec.Keep(true)
	mux.Stretch()
	s.quiescedIn = s.session.Load()
	_ = st.SendLine(wire.OK().Line(), true)
}

// resume makes this machine a new one. In the machine that was saved it also ends the waiting.
func (s *Server) resume(st *mux.Stream, r *wire.Resume) {
	defer st.Release()
	s.setup.Lock()
	defer s.setup.Unlock()
	if !s.configured.Load() {
		refuse(st, wire.Fail(wire.NotConfigured, "The machine is not configured yet"))
		return
	}
	if s.session.Load() == s.quiescedIn {
		exec.Keep(false)
	}
	if failure := s.machine.Resume(r); failure != nil {
		refuse(st, failure)
		return
	}
	exec.Renewed()
	s.quiesced.Store(false)
	_ = st.SendLine(wire.OK().Line(), true)
}
