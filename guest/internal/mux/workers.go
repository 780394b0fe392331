package mux

import (
	"sync"
	"sync/atomic"
)

// task is a stream and who serves it.
type task struct {
	handle func(*Stream)
	st     *Stream
}

// idleMax is how many workers wait for another stream. Their stacks have grown to what a request takes, which a
// new goroutine must do anew; so they also outlive their session: a machine that is started from a saved one has a new
// session, and in it the first request of all.
const idleMax = 4

var (
	tasks       = make(chan task)
	idleWorkers atomic.Int32
)

// Stretch lets the workers that wait have the stacks that requests take: what has cleared memory up meanwhile may have
// taken them away.
func Stretch() {
	var ended sync.WaitGroup
	grow := func(*Stream) { stretch(); ended.Done() }
	for range idleMax {
		ended.Add(1)
		start(grow, nil)
	}
	ended.Wait()
	stretch()
}

// stretch needs as much stack as serving a request does.
//
//go:noinline
func stretch() {
	var room [8 << 10]byte
	touch(&room)
}

//go:noinline
func touch(room *[8 << 10]byte) { room[0] = 1 }

func start(handle func(*Stream), st *Stream) {
	t := task{handle, st}
	select {
	case tasks <- t:
	default:
		go work(t)
	}
}

func work(t task) {
	for {
		t.handle(t.st)
		t = task{}
		if idleWorkers.Add(1) > idleMax {
			idleWorkers.Add(-1)
			return
		}
		t = <-tasks
		idleWorkers.Add(-1)
	}
}
