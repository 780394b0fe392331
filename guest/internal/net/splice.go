package net

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"microagent.dev/guest/internal/fault"
	"microagent.dev/guest/internal/mux"
)

const (
	keepAliveIdle     = 2 * time.Minute
	keepAliveInterval = 30 * time.Second
	// idleCheck is how often a connection is asked whether anything moved.
	idleCheck = 5 * time.Minute
	// Quiet checks after which a connection ends: ten minutes half-closed, two hours and more otherwise.
	halfClosedChecks = 2
	openChecks       = 25
)

// connection joins a process's TCP connection with the host's stream.
type connection struct {
	n     *Network
	ep    tcpip.Endpoint
	st    *mux.Stream
	queue waiter.Queue

	readEntry, writeEntry waiter.Entry
	readable, writable    chan struct{}
	once                  sync.Once
	over                  chan struct{} // closed when the connection is
	halves                atomic.Int32  // directions that have ended well
	moves                 atomic.Uint64

	down share // the window of the stream: what the host may send before the process takes it
	up   share // what the process may send before the host takes it
}

// frames are what bytes travel to the host in; only a connection that has something to say holds one.
var frames = sync.Pool{New: func() any { return new([mux.FrameBufferBytes]byte) }}

// run carries both directions until both have ended or one fails.
func (f *connection) run() {
	quiet := f.watchIdle()
	var up sync.WaitGroup
	up.Go(func() {
		defer f.guard()
		f.upload()
	})
	func() {
		defer f.guard()
		f.download()
	}()
	up.Wait()
	quiet.Stop()
	f.queue.EventUnregister(&f.readEntry)
	f.queue.EventUnregister(&f.writeEntry)
	f.n.mu.Lock()
	delete(f.n.conns, f)
	f.n.mu.Unlock()
	f.n.room.give(f.down)
	f.n.room.give(f.up)
}

// guard ends the connection when one of its directions panics.
func (f *connection) guard() {
	if cause := recover(); cause != nil {
		fault.Report("a connection", cause)
		f.fail()
	}
}

// upload moves what the process writes to the host.
func (f *connection) upload() {
	ended := false
	frame := frames.Get().(*[mux.FrameBufferBytes]byte)
	defer func() {
		if frame != nil {
			frames.Put(frame)
		}
	}()
	for {
		most := len(frame) - mux.HeaderBytes
		if !ended {
			// Waiting for the host takes no frame.
			var err error
			if most, err = f.st.Room(); err != nil {
				f.fail()
				return
			}
		}
		if frame == nil {
			frame = frames.Get().(*[mux.FrameBufferBytes]byte)
		}
		room := tcpip.SliceWriter(frame[mux.HeaderBytes : mux.HeaderBytes+most])
		read, failure := f.ep.Read(&room, tcpip.ReadOptions{})
		switch failure.(type) {
		case nil:
			f.moves.Add(1)
			if f.st.Send(frame[:mux.HeaderBytes+read.Count], false) != nil {
				f.fail()
				return
			}
			f.widenUp(read.Count)
			continue
		case *tcpip.ErrWouldBlock:
		case *tcpip.ErrClosedForReceive:
			if !ended {
				ended = true
				f.st.End()
				f.half()
			}
		default:
			f.fail()
			return
		}
		frames.Put(frame)
		frame = nil
		select {
		case <-f.readable:
		case <-f.over:
			return
		}
	}
}

// download moves what the host sends to the process.
func (f *connection) download() {
	var from bytes.Reader
	for {
		view, err := f.st.Fill()
		if err == io.EOF {
			_ = f.ep.Shutdown(tcpip.ShutdownWrite)
			f.half()
			if f.st.Watch() != nil {
				f.fail()
			}
			return
		}
		if err != nil {
			f.fail()
			return
		}
		from.Reset(view)
		written, failure := f.ep.Write(&from, tcpip.WriteOptions{})
		if written > 0 {
			f.moves.Add(1)
			f.st.Take(int(written))
			f.st.Credit(int(written))
			f.widenDown(int(written))
			continue
		}
		if _, full := failure.(*tcpip.ErrWouldBlock); !full && failure != nil {
			f.fail()
			return
		}
		select {
		case <-f.writable:
		case <-f.over:
			return
		}
	}
}

// half notes that one direction has ended; with the second the connection is over.
func (f *connection) half() {
	if f.halves.Add(1) == 2 {
		f.once.Do(func() {
			close(f.over)
			f.ep.Close()
			f.st.Release()
		})
	}
}

// fail ends both sides with a reset.
func (f *connection) fail() {
	f.once.Do(func() {
		close(f.over)
		f.ep.Abort()
		f.st.Reset()
	})
}

// watchIdle ends a connection on which nothing has moved for long.
func (f *connection) watchIdle() *time.Timer {
	var seen uint64
	still := 0
	var timer *time.Timer
	timer = time.AfterFunc(idleCheck, func() {
		if now := f.moves.Load(); now != seen {
			seen, still = now, 0
		} else {
			still++
		}
		if still >= openChecks || still >= halfClosedChecks && f.halves.Load() > 0 {
			f.fail()
			return
		}
		select {
		case <-f.over:
		default:
			timer.Reset(idleCheck)
		}
	})
	return timer
}
