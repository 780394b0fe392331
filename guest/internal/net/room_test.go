package net

import "testing"

func TestManyConnectionsTogetherHoldNoMoreThanTheirBound(t *testing.T) {
	r := room{free: sharedBytes}
	var shares []share
	total := 0
	for range 2 * connectionsMax {
		shares = append(shares, r.first())
	}
	for i := range shares {
		// Each of them moves as much as it can.
		for r.widen(&shares[i], shareMax) {
		}
		if shares[i].bytes < shareMin || shares[i].bytes > shareMax {
			t.Fatalf("share %d has %d bytes", i, shares[i].bytes)
		}
		total += shares[i].bytes
	}
	if most := 2*connectionsMax*shareMin + sharedBytes; total > most {
		t.Errorf("all hold %d bytes, want at most %d", total, most)
	}
	for _, s := range shares {
		r.give(s)
	}
	if r.free != sharedBytes {
		t.Errorf("%d bytes are free when all are over, want %d", r.free, sharedBytes)
	}
}

func TestAConnectionBeginsWithAStreamsWindowAndGetsMoreForWhatItMoves(t *testing.T) {
	r := room{free: sharedBytes}
	s := r.first()
	if s.bytes != shareFirst {
		t.Errorf("a lone connection begins with %d bytes, want %d", s.bytes, shareFirst)
	}
	if r.widen(&s, shareFirst-1) {
		t.Error("it got more before it moved what it had")
	}
	if !r.widen(&s, 1) || s.bytes != shareMax {
		t.Errorf("it has %d bytes, want %d", s.bytes, shareMax)
	}
	if r.widen(&s, shareMax) {
		t.Error("it got more than the most")
	}
}

func TestIdleConnectionsLeaveRoomForBusyOnes(t *testing.T) {
	r := room{free: sharedBytes}
	for range 64 {
		r.first()
	}
	busy := r.first()
	for r.widen(&busy, shareMax) {
	}
	if busy.bytes < 64<<10 {
		t.Errorf("a busy connection beside 64 idle ones has %d bytes", busy.bytes)
	}
}
