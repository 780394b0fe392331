// Package watch tells the host when a port, a file or a process of the machine is there, or is gone, and when the kernel has
// sent what ended programs left it: looking from inside costs a fraction of asking from outside.
package watch

import (
	"strconv"
	"sync/atomic"
	"time"

	"microagent.dev/guest/internal/fault"
	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/wire"
)

const (
	// waitsMax bounds what looks at once.
	waitsMax = 64
	// A wait looks often at first, when what it waits for is just starting.
	firstPause = 2 * time.Millisecond
	lastPause  = 25 * time.Millisecond
)

var running atomic.Int32

// look says whether what is waited for is so, and what there is instead.
type look func() (met bool, seen string)

// Serve answers when it is so, or when the time has passed.
func Serve(st *mux.Stream, w *wire.Wait) {
	defer st.Release()
	if running.Add(1) > waitsMax {
		running.Add(-1)
		failure := wire.Fail(wire.TooLarge, "More than "+strconv.Itoa(waitsMax)+" waits at once")
		_ = st.SendLine(failure.Reply().Line(), true)
		return
	}
	defer running.Add(-1)
	met, seen, gone := until(lookFor(w), time.Duration(w.TimeoutMS)*time.Millisecond, lost(st))
	if gone {
		return
	}
	_ = st.SendLine(wire.OK().Bool("met", met).Str("seen", seen).Line(), true)
}

func lookFor(w *wire.Wait) look {
	switch w.For {
	case "port":
		return port(w.Port, w.Present)
	case "process":
		return process(w.Name, w.Present)
	case "sent":
		return sent
	}
	return file(w.Path, w.Present, w.Beyond)
}

func until(check look, limit time.Duration, gone <-chan struct{}) (met bool, seen string, lost bool) {
	deadline := time.Now().Add(limit)
	pause := firstPause
	for {
		if met, seen = check(); met || limit > 0 && !time.Now().Before(deadline) {
			return met, seen, false
		}
		select {
		case <-gone:
			return false, seen, true
		case <-time.After(pause):
		}
		pause = min(pause*3/2, lastPause)
	}
}

// lost is closed once the host wants no answer any more.
func lost(st *mux.Stream) <-chan struct{} {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		defer func() {
			if cause := recover(); cause != nil {
				fault.Report("a wait", cause)
			}
		}()
		st.Discard()
	}()
	return gone
}
