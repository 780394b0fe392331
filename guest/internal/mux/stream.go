package mux

import (
	"io"
	"math"
	"sync"
)

// writeBytes is the most that one write to a virtio port takes. Whoever shares the port relies on every
// write being whole frames in one piece.
const writeBytes = 32 << 10

// frameDataBytes leaves room for the frame's header and for the one that ends the stream.
const frameDataBytes = writeBytes - 2*HeaderBytes

// FrameBufferBytes is a buffer that travels in one write: header space, a frame header of the
// protocol above and its payload.
const FrameBufferBytes = HeaderBytes + frameDataBytes

// Stream is one flow-controlled stream, whoever opened it.
type Stream struct {
	s  *Session
	id uint32

	mu        sync.Mutex
	readable  sync.Cond
	writable  sync.Cond
	in        queue
	window    int // the whole receive window
	inWindow  int // bytes the host may still send
	owed      int // consumed bytes not yet given back as credit
	outWindow uint32
	acked     bool
	ended     bool  // the host sent FIN
	finished  bool  // we sent FIN
	released  bool  // nobody reads any more
	err       error // reset or session end
	land      landing
}

// ID is the stream's number in its session.
func (st *Stream) ID() uint32 { return st.id }

func newStream(s *Session, id uint32) *Stream {
	st := &Stream{s: s, id: id, window: WindowBytes, inWindow: WindowBytes, outWindow: WindowBytes}
	st.readable.L, st.writable.L = &st.mu, &st.mu
	return st
}

func (st *Stream) abort(err error) {
	st.mu.Lock()
	if st.err == nil {
		st.err = err
	}
	st.readable.Broadcast()
	st.writable.Broadcast()
	st.mu.Unlock()
}

func (st *Stream) reserve(n int) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.inWindow -= n
	return st.inWindow >= 0
}

func (st *Stream) remoteEnd() {
	st.mu.Lock()
	st.ended = true
	st.readable.Broadcast()
	done := st.finished
	st.mu.Unlock()
	if done {
		st.s.forget(st)
	}
}

func (st *Stream) addCredit(n uint32) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.outWindow > math.MaxUint32-n {
		return protocolError("The host gave more credit than a window holds")
	}
	st.outWindow += n
	st.writable.Broadcast()
	return nil
}

// Fill waits for bytes and returns a view of them, valid until Take. io.EOF: the host ended its side.
func (st *Stream) Fill() ([]byte, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for {
		if st.err != nil {
			return nil, st.err
		}
		if v := st.in.view(); len(v) > 0 {
			return v, nil
		}
		if st.ended {
			return nil, io.EOF
		}
		st.readable.Wait()
	}
}

// Take consumes n bytes of the view without giving credit for them.
func (st *Stream) Take(n int) {
	st.mu.Lock()
	if n > 0 && !st.released {
		st.in.drop(n)
	}
	st.mu.Unlock()
}

// Read copies received bytes and gives credit for them.
func (st *Stream) Read(p []byte) (int, error) {
	v, err := st.Fill()
	if err != nil {
		return 0, err
	}
	n := copy(p, v)
	st.Take(n)
	st.Credit(n)
	return n, nil
}

func (st *Stream) ackFlag() uint16 {
	if st.acked {
		return 0
	}
	st.acked = true
	return FlagACK
}

// Send writes frame[HeaderBytes:], waiting for credit. The first HeaderBytes bytes of frame are
// space for the header, and frame is scratch afterwards. end closes our side with the last byte.
func (st *Stream) Send(frame []byte, end bool) error {
	for {
		part, flags, err := st.grant(len(frame)-HeaderBytes, end)
		if err != nil {
			return err
		}
		Header{Type: TypeData, Flags: flags, StreamID: st.id, Length: uint32(part)}.Put(frame)
		bytes := frame[:HeaderBytes+part]
		last := HeaderBytes+part == len(frame)
		if last && end {
			bytes = append(bytes, make([]byte, HeaderBytes)...)
			Header{Type: TypeWindowUpdate, Flags: FlagFIN, StreamID: st.id}.Put(bytes[HeaderBytes+part:])
		}
		err = st.s.send(bytes)
		if last {
			if end {
				st.localEnd()
			}
			return err
		}
		if err != nil {
			return err
		}
		frame = frame[part:]
	}
}

// grant takes up to want bytes of the send window.
func (st *Stream) grant(want int, end bool) (int, uint16, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.finished {
		return 0, 0, ErrClosed
	}
	for st.outWindow == 0 && st.err == nil && want > 0 {
		st.writable.Wait()
	}
	if st.err != nil {
		return 0, 0, st.err
	}
	want = min(want, frameDataBytes, int(st.outWindow))
	st.outWindow -= uint32(want)
	return want, st.ackFlag(), nil
}

// SendLine sends a header line.
func (st *Stream) SendLine(line []byte, end bool) error {
	frame := make([]byte, HeaderBytes+len(line), 2*HeaderBytes+len(line))
	copy(frame[HeaderBytes:], line)
	return st.Send(frame, end)
}

func (st *Stream) localEnd() {
	st.mu.Lock()
	st.finished = true
	done := st.ended
	st.readable.Broadcast()
	st.mu.Unlock()
	if done {
		st.s.forget(st)
	}
}

// Watch waits, after Fill has given io.EOF, until our side has ended too (nil) or the stream failed.
func (st *Stream) Watch() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	for st.err == nil && !st.finished {
		st.readable.Wait()
	}
	return st.err
}

// End closes our side; nothing happens when it is closed.
func (st *Stream) End() {
	st.mu.Lock()
	if st.finished || st.err != nil {
		st.mu.Unlock()
		return
	}
	flags := st.ackFlag() | FlagFIN
	st.mu.Unlock()
	var b [HeaderBytes]byte
	Header{Type: TypeWindowUpdate, Flags: flags, StreamID: st.id}.Put(b[:])
	_ = st.s.send(b[:])
	st.localEnd()
}

// Release frees what the stream holds once its handler is done. A stream we did not end is reset; one
// we ended waits for the host's end and drops what still comes, so that a reset cannot overtake an
// answer the host has not read yet.
func (st *Stream) Release() {
	st.mu.Lock()
	st.released = true
	if !st.in.filling {
		st.in.clear()
	}
	reset := st.err == nil && !st.finished
	gone := st.err != nil || !st.finished || st.ended
	flags := st.ackFlag() | FlagRST
	st.mu.Unlock()
	if gone {
		st.s.forget(st)
	}
	if reset {
		var b [HeaderBytes]byte
		Header{Type: TypeWindowUpdate, Flags: flags, StreamID: st.id}.Put(b[:])
		_ = st.s.send(b[:])
		st.abort(ErrReset)
	}
}

// Reset ends both directions now, also one that End has closed already; what is unread is dropped.
// It may be called beside any other call and more than once.
func (st *Stream) Reset() {
	st.mu.Lock()
	st.released = true
	if !st.in.filling {
		st.in.clear()
	}
	over := st.err != nil || st.finished && st.ended
	if st.err == nil {
		st.err = ErrReset
	}
	flags := st.ackFlag() | FlagRST
	st.readable.Broadcast()
	st.writable.Broadcast()
	st.mu.Unlock()
	st.s.forget(st)
	if !over {
		var b [HeaderBytes]byte
		Header{Type: TypeWindowUpdate, Flags: flags, StreamID: st.id}.Put(b[:])
		_ = st.s.send(b[:])
	}
}
