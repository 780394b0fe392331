package net

import (
	"sync"

	"microagent.dev/guest/internal/mux"
)

const (
	// shareMin is what every connection may hold in each direction.
	shareMin = 8 << 10
	// shareFirst is what connections begin with while they are few: the window of every stream.
	shareFirst = mux.WindowBytes
	// shareMax is what a busy one may hold.
	shareMax = mux.WideWindowBytes
	// sharedBytes is what all of them together may hold above shareMin.
	sharedBytes = 4 << 20
)

// room is what connections share. The agent has little memory, and what the process does not read, or the host, stays in it: so
// few connections have much, those that move much the most, and many have little.
type room struct {
	mu   sync.Mutex
	free int
}

// share is what one direction of a connection may hold.
type share struct {
	bytes int
	moved int // since it was last asked whether more is needed
}

// first is the share of a new connection.
func (r *room) first() share {
	r.mu.Lock()
	defer r.mu.Unlock()
	more := min(shareFirst-shareMin, r.free/16) &^ 0xfff
	r.free -= more
	return share{bytes: shareMin + more}
}

// widen makes a share larger when as much as it holds has moved since the last time, by no more than half of what is left,
// and says whether it did. Each share has one caller.
func (r *room) widen(s *share, moved int) bool {
	if s.moved += moved; s.bytes == shareMax || s.moved < s.bytes {
		return false
	}
	s.moved = 0
	r.mu.Lock()
	defer r.mu.Unlock()
	more := min(3*s.bytes, shareMax-s.bytes, r.free/2) &^ 0xfff
	r.free -= more
	s.bytes += more
	return more > 0
}

// give takes the share of a connection back that is over.
func (r *room) give(s share) {
	r.mu.Lock()
	r.free += s.bytes - shareMin
	r.mu.Unlock()
}
