package mux

import (
	"errors"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
)

// StreamsMax bounds the streams the host may hold open, and with them the memory of the session.
const StreamsMax = 768

// OpenedMax bounds the streams we hold open. The host has a limit of its own below it.
const OpenedMax = 1024

// Errors of a stream.
var (
	ErrReset  = errors.New("The host reset the stream")
	ErrClosed = errors.New("The session has ended")
	ErrLimit  = errors.New("Too many streams are open")
)

// Session is one yamux session over a link. The host opens streams, we serve them.
type Session struct {
	in     *Reader
	out    io.Writer
	handle func(*Stream)

	write   sync.Mutex // held while bytes go out; a frame is never split by another
	closing atomic.Bool
	control atomic.Int32 // session frames waiting to be written

	// Opened, when set, takes the frames of the streams that this side opens: another process does. It is
	// called for one frame after the other and must take the h.Length bytes of a data frame from in.
	Opened func(h Header, in *Reader) error
	// Changed, when set, hears of every stream of ours that begins and ends.
	Changed func(id uint32, open bool)

	mu      sync.Mutex
	streams map[uint32]*Stream
	opened  int    // how many of them are ours
	nextID  uint32 // of the next stream we open
	refused bool   // a goaway was seen or the session has ended: no new streams
}

// NewSession prepares a session; handle runs in a goroutine of its own for every stream.
func NewSession(in *Reader, out io.Writer, handle func(*Stream)) *Session {
	return &Session{in: in, out: out, handle: handle, streams: map[uint32]*Stream{}, nextID: 2}
}

// StartAt makes the next stream we open have this even number.
func (s *Session) StartAt(id uint32) { s.nextID = id }

// Stop waits until nothing is being written and lets nothing be written any more.
func (s *Session) Stop() {
	s.closing.Store(true)
	s.write.Lock()
	s.write.Unlock()
}

// Write sends whole frames that somebody else has made.
func (s *Session) Write(frames []byte) error { return s.send(frames) }

// Serve reads frames until the link ends or breaks the protocol, and says why it stopped. Bytes
// that are no frame stay in the reader.
func (s *Session) Serve() error {
	err := s.loop()
	s.closing.Store(true)
	s.mu.Lock()
	open := s.streams
	s.streams = map[uint32]*Stream{}
	s.refused = true
	s.mu.Unlock()
	for _, st := range open {
		st.abort(ErrClosed)
	}
	return err
}

func (s *Session) loop() error {
	for {
		if err := s.in.Need(HeaderBytes); err != nil {
			return err
		}
		h, err := ParseHeader(s.in.Buffered())
		if err != nil {
			return err
		}
		s.in.Skip(HeaderBytes)
		switch h.Type {
		case TypeData, TypeWindowUpdate:
			err = s.streamFrame(h)
		case TypePing:
			if h.Flags&FlagSYN != 0 {
				s.sendControl(Header{Type: TypePing, Flags: FlagACK, Length: h.Length})
			}
		case TypeGoAway:
			s.mu.Lock()
			s.refused = true
			s.mu.Unlock()
		}
		if err != nil {
			return err
		}
	}
}

func (s *Session) streamFrame(h Header) error {
	if s.Opened != nil && h.StreamID%2 == 0 {
		return s.Opened(h, s.in)
	}
	s.mu.Lock()
	st := s.streams[h.StreamID]
	opened := false
	if h.Flags&FlagSYN != 0 {
		if st != nil || h.StreamID%2 == 0 {
			s.mu.Unlock()
			return protocolError("The host opened stream " + strconv.FormatUint(uint64(h.StreamID), 10) + ", which it cannot")
		}
		if len(s.streams)-s.opened < StreamsMax && !s.refused {
			st = newStream(s, h.StreamID)
			s.streams[h.StreamID] = st
			opened = true
		} else {
			s.sendControl(Header{Type: TypeWindowUpdate, Flags: FlagRST, StreamID: h.StreamID})
		}
	}
	s.mu.Unlock()

	var err error
	if h.Type == TypeData {
		err = s.receive(st, int(h.Length))
	} else if st != nil {
		err = st.addCredit(h.Length)
	}
	if err != nil {
		return err
	}
	if st != nil {
		if h.Flags&FlagRST != 0 {
			s.forget(st)
			st.abort(ErrReset)
		} else if h.Flags&FlagFIN != 0 {
			st.remoteEnd()
		}
		if opened && h.Flags&FlagRST == 0 {
			start(s.handle, st)
		}
	}
	return nil
}

// Idle says that nobody is writing, and after the end of the session nobody will.
func (s *Session) Idle() bool {
	if !s.closing.Load() || !s.write.TryLock() {
		return false
	}
	s.write.Unlock()
	return true
}

// receive moves a data frame's payload to its stream; data of a stream that is gone is dropped,
// for it may have crossed our reset.
func (s *Session) receive(st *Stream, length int) error {
	if st != nil && !st.reserve(length) {
		return protocolError("The host sent more than the window of stream " + strconv.FormatUint(uint64(st.id), 10) + " allows")
	}
	for length > 0 {
		if len(s.in.Buffered()) == 0 {
			if length >= readBytes && st != nil {
				n, err := st.deliverFrom(s.in, length)
				if err != nil {
					return err
				}
				length -= n
				continue
			}
			if err := s.in.More(); err != nil {
				return err
			}
		}
		part := s.in.Buffered()
		if len(part) > length {
			part = part[:length]
		}
		if st != nil {
			st.deliver(part)
		}
		s.in.Skip(len(part))
		length -= len(part)
	}
	return nil
}

// sendControl answers from a goroutine: the reader must never wait for the writer, or two ends
// that both write first would wait for each other. A host that floods pings loses answers.
func (s *Session) sendControl(h Header) {
	if s.control.Add(1) > 64 {
		s.control.Add(-1)
		return
	}
	go func() {
		defer s.control.Add(-1)
		var b [HeaderBytes]byte
		h.Put(b[:])
		_ = s.send(b[:])
	}()
}

func (s *Session) send(frames []byte) error {
	s.write.Lock()
	defer s.write.Unlock()
	if s.closing.Load() {
		return ErrClosed
	}
	_, err := s.out.Write(frames)
	if err != nil {
		return ErrClosed
	}
	return nil
}

func (s *Session) forget(st *Stream) {
	s.mu.Lock()
	if s.streams[st.id] == st {
		delete(s.streams, st.id)
		if st.id%2 == 0 {
			s.opened--
			if s.Changed != nil {
				s.Changed(st.id, false)
			}
		}
	}
	s.mu.Unlock()
}

// Open starts a stream of ours; line is its first bytes and travels in the frame that opens it.
// ErrLimit: too many are open; ErrClosed: the session is over, or the host wants no more streams.
func (s *Session) Open(line []byte) (*Stream, error) {
	s.mu.Lock()
	switch {
	case s.refused || s.nextID == 0: // 0: the ids are used up
		s.mu.Unlock()
		return nil, ErrClosed
	case s.opened >= OpenedMax:
		s.mu.Unlock()
		return nil, ErrLimit
	}
	st := newStream(s, s.nextID)
	st.acked = true // whoever opens has nothing to acknowledge
	st.outWindow -= uint32(len(line))
	s.nextID += 2
	s.streams[st.id] = st
	s.opened++
	if s.Changed != nil {
		s.Changed(st.id, true)
	}
	s.mu.Unlock()
	frame := make([]byte, HeaderBytes, HeaderBytes+len(line))
	Header{Type: TypeData, Flags: FlagSYN, StreamID: st.id, Length: uint32(len(line))}.Put(frame)
	if err := s.send(append(frame, line...)); err != nil {
		s.forget(st)
		st.abort(err)
		return nil, err
	}
	return st, nil
}
