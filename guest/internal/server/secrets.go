package server

import (
	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/wire"
)

func (s *Server) placeSecrets(st *mux.Stream, r *wire.Secrets) {
	defer st.Release()
	s.setup.Lock()
	defer s.setup.Unlock()
	uid, gid, failure := s.machine.PlaceSecrets(r)
	if failure != nil {
		refuse(st, failure)
		return
	}
	_ = st.SendLine(wire.OK().Int("uid", int64(uid)).Int("gid", int64(gid)).Line(), true)
}

func (s *Server) purgeSecrets(st *mux.Stream) {
	defer st.Release()
	s.setup.Lock()
	defer s.setup.Unlock()
	if failure := s.machine.PurgeSecrets(); failure != nil {
		refuse(st, failure)
		return
	}
	_ = st.SendLine(wire.OK().Line(), true)
}
