// Package framing puts the protocol's frames on a stream so that each goes out in one write, from
// the buffer its bytes were read into.
package framing

import (
	"sync"

	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/wire"
)

// Headroom stands before a payload: the mux header and the frame header go there.
const Headroom = mux.HeaderBytes + wire.FrameHeaderBytes

const buffersKept = 16

var buffers struct {
	sync.Mutex
	free [][]byte
}

// TakeBuffer lends a buffer of mux.FrameBufferBytes.
func TakeBuffer() []byte {
	buffers.Lock()
	defer buffers.Unlock()
	if n := len(buffers.free); n > 0 {
		b := buffers.free[n-1]
		buffers.free = buffers.free[:n-1]
		return b
	}
	return make([]byte, mux.FrameBufferBytes)
}

// GiveBuffer takes it back.
func GiveBuffer(b []byte) {
	buffers.Lock()
	if len(buffers.free) < buffersKept {
		buffers.free = append(buffers.free, b)
	}
	buffers.Unlock()
}
